// See combination.hpp.
#include "stress/scenarios/combination.hpp"

namespace lastly::stress::scenarios {

namespace {

constexpr const char* fates[] = {"succeeds", "throws", "cancels itself", "is cancelled queued", "is cancelled running", "meets its deadline", "has a sibling that fails"};
constexpr const char* doings[] = {"return", "throw", "edit the result", "defer more", "submit"};
constexpr const char* endings[] = {"drain", "shutdown_now", "destructor", "rejected"};

// What its body, or what kept it from beginning, comes to (E1, E2, C1, C5, A1).
expectation before_its_finalizers(const combination& c) {
    if (c.by == ending::rejected) return {outcome_kind::rejected, errc::pool_closed, 0, 0, 0, {}};
    switch (c.what) {
        case fate::succeeds: return {outcome_kind::succeeded, {}, 0, 0, 0, {}};
        case fate::throws: return {outcome_kind::failed, {}, 0, 0, 0, {}};
        case fate::deadline: return {outcome_kind::cancelled, errc::deadline_exceeded, 0, 0, 0, {}};
        case fate::sibling_fails: return {outcome_kind::cancelled, errc::sibling_failed, 0, 0, 0, {}};
        case fate::cancels_itself:
        case fate::cancelled_queued:
        case fate::cancelled_running: break;
    }
    return {outcome_kind::cancelled, errc::cancelled, 0, 0, 0, {}};
}

}   // namespace

std::string combination::to_text() const {
    return "a task that " + std::string(fates[static_cast<int>(what)]) + ", " + std::to_string(attached) + " attached, " + std::to_string(deferred) + " deferred that " +
           doings[static_cast<int>(do_)] + ", " + endings[static_cast<int>(by)] + ", " + std::to_string(workers) + " workers";
}

expectation expect(const combination& c) {
    expectation e = before_its_finalizers(c);
    const unsigned deferred = c.begins() ? c.deferred : 0, all = c.attached + deferred;
    e.deferred = deferred;
    switch (c.do_) {
        case finalizers::ok: break;
        case finalizers::throw_:
            e.thrown = all;
            if (all > 0 && e.kind == outcome_kind::succeeded) e.kind = outcome_kind::failed;   // E4
            break;
        case finalizers::edit:
            // E3: a value in place of whatever there was; a rejected task's cannot be edited, and that throws in the finalizer.
            if (e.kind == outcome_kind::rejected) e.thrown = c.attached;
            else e.kind = outcome_kind::succeeded;
            break;
        case finalizers::defer_more: e.deferred += all; break;   // each one more (O2)
        case finalizers::submit:
            e.submitted = all;
            // A6. A task that its sibling stops is over before the pool's end begins.
            e.accepted = c.by == ending::drain || c.by == ending::destructor || (c.by == ending::shutdown_now && c.what == fate::sibling_fails);
            break;
    }
    if (e.kind == outcome_kind::succeeded || e.kind == outcome_kind::failed) e.cause = {};
    return e;
}

std::vector<combination> all_combinations() {
    std::vector<combination> list;
    constexpr unsigned none_one_many[] = {0, 1, 20}, none_one_three[] = {0, 1, 3}, workers[] = {1, 2, 8};
    for (unsigned what = 0; what < 7; ++what) {
        for (const unsigned attached : none_one_three) {
            for (const unsigned deferred : none_one_many) {
                for (unsigned doing = 0; doing < 5; ++doing) {
                    const auto d = static_cast<finalizers>(doing);
                    if (attached == 0 && d == finalizers::edit) continue;   // only attached ones can
                    if (attached + deferred == 0 && d != finalizers::ok) continue;
                    for (unsigned by = 0; by < 4; ++by) {
                        for (const unsigned w : workers) list.push_back({static_cast<fate>(what), attached, deferred, d, static_cast<ending>(by), w});
                    }
                }
            }
        }
    }
    return list;
}

}   // namespace lastly::stress::scenarios
