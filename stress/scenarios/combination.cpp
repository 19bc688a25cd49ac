// See combination.hpp.
#include "stress/scenarios/combination.hpp"

#include <set>
#include <stdexcept>

namespace lastly::stress::scenarios {

namespace {

constexpr const char* fates[] = {"succeeds", "throws", "cancels itself", "is cancelled queued", "is cancelled running", "meets its deadline", "has a sibling that fails"};
constexpr const char* doings[] = {"return", "throw", "edit the result", "defer more", "submit"};
constexpr const char* endings[] = {"drain", "shutdown_now", "destructor", "rejected"};
constexpr const char* places[] = {"in the injector", "in a worker's own deque", "where a worker waits for it"};
constexpr const char* stoppers[] = {"its handle", "its context", "a context above its own", "its group", "the pool's root"};
constexpr const char* refusals[] = {"a closed pool", "a full pool", "a pool that was shut down abruptly", "a full pool while it waits for room and its context stops",
                                    "a full pool while it waits for room and the pool closes", "a full pool while it waits for room and its deadline passes",
                                    "a full pool while it waits for room and a member of its group fails"};
constexpr const char* ways[] = {"submitted", "made before", "submitted without a handle", "refused by try_submit first", "submitted by a task"};

// Why a queued task does not begin. Codes that nobody but that stopper gives tell them apart.
std::error_code cause_of_stop(const combination& c) {
    if (c.what == fate::deadline) return errc::deadline_exceeded;
    if (c.what == fate::sibling_fails) return errc::sibling_failed;
    switch (c.stops()) {
        case stopper::attached: return std::make_error_code(std::errc::interrupted);
        case stopper::group: return std::make_error_code(std::errc::operation_canceled);
        case stopper::root: return errc::pool_shutdown;
        case stopper::handle:
        case stopper::above_attached: break;
    }
    return errc::cancelled;
}

std::error_code cause_of_refusal(const combination& c) {
    switch (c.why()) {
        case refusal::full: return errc::pool_full;
        case refusal::blocked_stopped: return std::make_error_code(std::errc::interrupted);
        case refusal::blocked_late: return errc::deadline_exceeded;
        case refusal::blocked_failed: return errc::sibling_failed;
        case refusal::closed:
        case refusal::shut_down:
        case refusal::blocked_closed: break;
    }
    return errc::pool_closed;
}

// What its body, or what kept it from beginning, comes to (E1, E2, C1, C5, A1).
view before_its_finalizers(const combination& c) {
    if (c.is_refused()) return {outcome_kind::rejected, c.is_discarded() ? make_error_code(errc::discarded) : cause_of_refusal(c), {}, false};
    if (c.waits()) return {outcome_kind::cancelled, cause_of_stop(c), {}, false};
    if (c.what == fate::succeeds) return {outcome_kind::succeeded, {}, {}, true};
    if (c.what == fate::throws) return {outcome_kind::failed, {}, of_body, true};
    // At a gate that opens when the root has stopped. Its own context has stopped with the first, then (C3, E2). Doubtful: a body that has not
    // asked for one is told of the second, because stops that nobody has looked at are judged by rank (attached, group, pool), not by time.
    if (c.what == fate::cancels_itself && c.runs_at_the_end() && c.asks_for_context()) return {outcome_kind::cancelled, errc::pool_shutdown, {}, true};
    return {outcome_kind::cancelled, errc::cancelled, {}, true};
}

// The chain (O2): deferred ones first, the last of each kind first.
void run_chain(const combination& c, expectation& e) {
    const auto throws = [&e](failure f) {
        ++e.thrown;
        if (e.end.kind == outcome_kind::succeeded) e.end = {outcome_kind::failed, {}, f, e.end.started};   // E4
    };
    for (unsigned i = c.begins() ? c.deferred : 0; i-- > 0;) {
        if (c.do_ == finalizers::throw_) throws(of_deferred(i));
    }
    for (unsigned i = c.attached; i-- > 0;) {
        e.seen[i] = e.end;
        if (c.do_ == finalizers::throw_) throws(of_attached(i));
        if (c.do_ != finalizers::edit) continue;
        // E3: a failure for a value, a value for whatever else there was; a rejected task's outcome stays, and that throws in the finalizer.
        if (c.is_refused()) {
            throws({whose::library, 0});
        } else if (e.end.kind == outcome_kind::succeeded) {
            e.end = {outcome_kind::failed, {}, of_edit(i), e.end.started};
        } else {
            e.end = {outcome_kind::succeeded, {}, {}, e.end.started};
            e.value = value_of_edit(i);
        }
    }
    if (c.attached == 0) return;
    e.shown = e.seen[0].kind;
    for (unsigned i = 1; i < c.attached; ++i) {
        if (e.seen[i].kind != *e.shown) e.shown.reset();
    }
}

void count_finalizers(ledger_snapshot& books, unsigned run, unsigned thrown) {
    books.finalizers_attached += run;
    books.finalizers_run += run;
    books.finalizers_returned += run - thrown;
    books.finalizers_thrown += thrown;
}

// L1 to L4, for the whole pool: holders, a sibling, the task itself, those that its finalizers submit. Each but the task has one finalizer.
ledger_snapshot books_of(const combination& c, const expectation& e) {
    ledger_snapshot b;
    const bool has_sibling = c.what == fate::sibling_fails;
    b.succeeded = c.holders();
    b.failed = has_sibling ? 1 : 0;
    count_finalizers(b, c.holders() + (has_sibling ? 1 : 0), 0);
    if (e.accepted) b.succeeded += e.submitted;
    else b.rejected += e.submitted;
    count_finalizers(b, e.submitted, 0);
    switch (e.end.kind) {
        case outcome_kind::succeeded: ++b.succeeded; break;
        case outcome_kind::failed: ++b.failed; break;
        case outcome_kind::cancelled: ++b.cancelled; break;
        case outcome_kind::rejected: ++b.rejected; break;
    }
    if (c.is_refused() && c.in() == way::tried && !c.is_discarded()) ++b.rejected;   // refused twice (A2)
    if (!c.is_discarded()) count_finalizers(b, c.attached + e.deferred, e.thrown);   // a discarded one's belong to no ledger
    b.accepted = b.succeeded + b.failed + b.cancelled;
    b.attempts = b.accepted + b.rejected;
    b.held = c.is_refused() ? 0 : 1;
    return b;
}

}   // namespace

std::string combination::to_text() const {
    std::string text = "a task that " + std::string(fates[static_cast<int>(what)]) + ", " + std::to_string(attached) + " attached, " + std::to_string(deferred) +
                       " deferred that " + doings[static_cast<int>(do_)] + ", " + endings[static_cast<int>(by)] + ", " + std::to_string(workers) + " workers";
    if (waits()) text += std::string(" (it waits ") + places[static_cast<int>(where())] + ", stopped by " + stoppers[static_cast<int>(stops())] + ")";
    if (is_refused()) text += std::string(" (by ") + refusals[static_cast<int>(why())] + ", " + ways[static_cast<int>(in())] + ")";
    return text;
}

stopper combination::stops() const noexcept {
    constexpr stopper cancel[] = {stopper::handle, stopper::attached, stopper::group};
    constexpr stopper late[] = {stopper::attached, stopper::group, stopper::above_attached};
    if (what == fate::sibling_fails) return stopper::group;
    if (what == fate::deadline) return late[variant()];
    return cancel[variant()] == stopper::attached && by == ending::shutdown_now ? stopper::root : cancel[variant()];
}

way combination::in() const noexcept {
    if (variant() == 0) return way::submitted;
    if (variant() == 1) return why() == refusal::closed ? way::without_handle : way::made_before;
    if (why() == refusal::closed || why() == refusal::full) return way::tried;
    return why() == refusal::shut_down ? way::from_a_task : way::without_handle;
}

std::array<unsigned, 7> combination::circumstances() const noexcept {
    const auto n = [](auto e) { return static_cast<unsigned>(e); };
    const unsigned acts = has_finalizers() ? n(do_) : 0;
    if (is_refused()) return {n(by), n(why()), n(in()), 0, attached, acts, workers};
    if (waits()) return {n(by), n(what), n(where()), n(stops()), attached, acts, workers};
    return {n(by), n(what), deferred, 0, attached, acts, workers};
}

failure failure_of(const std::exception_ptr& error) {
    if (!error) return {};
    try {
        std::rethrow_exception(error);
    } catch (const numbered& n) {
        return n.is;
    } catch (const std::logic_error&) {
        return {whose::library, 0};
    } catch (...) {
        return {whose::stranger, 0};
    }
}

view view_of(const outcome& o) { return {o.kind(), o.cause(), failure_of(o.error()), o.started()}; }

expectation expect(const combination& c) {
    expectation e;
    e.end = before_its_finalizers(c);
    const unsigned deferred = c.begins() ? c.deferred : 0;
    run_chain(c, e);
    e.deferred = deferred + (c.do_ == finalizers::defer_more ? c.attached + deferred : 0);   // each one more (O2)
    if (c.do_ == finalizers::submit) e.submitted = c.attached + deferred;
    // A6. What is over before the pool's end begins submits as before a drain.
    e.accepted = !c.is_refused() && (c.by != ending::shutdown_now || c.is_over_before_the_end());
    if (c.is_refused()) e.refused = e.not_accepted = cause_of_refusal(c);
    else if (!e.accepted) e.not_accepted = errc::pool_closed;
    // E4: each once. E5: what its handle, unread, takes beyond the pool's end, unless the sink or its group knows it or it came about in bulk.
    const auto told = [&e](report_kind k) -> unsigned& { return e.reports[static_cast<std::size_t>(k)]; };
    told(report_kind::finalizer_failed) = e.thrown;
    if (c.by == ending::destructor && e.end.kind == outcome_kind::failed && e.end.error.of != whose::finalizer) told(report_kind::failed) = 1;
    if (c.by == ending::destructor && e.end.kind == outcome_kind::cancelled && !c.has_group()) told(report_kind::cancelled) = 1;
    e.books = books_of(c, e);
    return e;
}

std::vector<combination> all_combinations() {
    std::vector<combination> list;
    constexpr unsigned none_one_many[] = {0, 1, most_deferred}, none_one_three[] = {0, 1, most_attached}, workers[] = {1, 2, 8};
    for (unsigned what = 0; what < 7; ++what) {
        for (const unsigned attached : none_one_three) {
            for (const unsigned deferred : none_one_many) {
                for (unsigned doing = 0; doing < 5; ++doing) {
                    for (unsigned by = 0; by < 4; ++by) {
                        for (const unsigned w : workers) {
                            const combination c{static_cast<fate>(what), attached, deferred, static_cast<finalizers>(doing), static_cast<ending>(by), w};
                            if (attached == 0 && c.do_ == finalizers::edit) continue;   // only attached ones can
                            if (!c.has_finalizers() && c.do_ != finalizers::ok) continue;
                            list.push_back(c);
                        }
                    }
                }
            }
        }
    }
    return list;
}

std::size_t count_different(const std::vector<combination>& list) {
    std::set<std::array<unsigned, 7>> seen;
    for (const combination& c : list) seen.insert(c.circumstances());
    return seen.size();
}

}   // namespace lastly::stress::scenarios
