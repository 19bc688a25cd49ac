// Bodies that throw, finalizers that throw, both; detached (the sink is told), in handles, with deferred finalizers that throw.
#include "stress/scenarios/scenarios.hpp"

#include <atomic>

namespace lastly::stress::scenarios {

namespace {

struct throws {
    bool really;
    void operator()() const {
        if (really) throw thrown_by_finalizer();
    }
};

}   // namespace

void throwing(round& r) {
    pool p(r.options());
    const watch shown(p);
    constexpr unsigned submitters = 2;
    std::atomic<std::uint64_t> bodies_left{0}, finalizers_left{0};   // of detached tasks; of all
    on_threads(submitters, [&](unsigned thread) {
        random_numbers random = r.random(thread);
        for (std::uint64_t i = share_of(r.tasks(), thread, submitters); i > 0; --i) {
            const bool body = random.one_in(4), attached = random.one_in(4), deferred = random.one_in(4), handle = random.one_in(4);
            const std::uint8_t end = body || attached || deferred ? ends::failed : ends::succeeded;
            const auto run = [body, deferred](task_context& t, cell& c) {
                defer(t, c);
                defer(t, c, throws{deferred});
                defer(t, c);
                if (body) throw thrown_by_body();
            };
            cell& c = r.next();
            finalizers_left.fetch_add((attached ? 2u : 0u) + (deferred ? 1u : 0u), std::memory_order_relaxed);
            if (!handle) {
                if (body) bodies_left.fetch_add(1, std::memory_order_relaxed);
                send<2>(c, {.ends = end, .must_begin = true}, into(p), run, throws{attached});
                continue;
            }
            const auto h = send<2>(c, {.waiters = 1, .ends = end, .must_begin = true}, for_handle(p), run, throws{attached});
            h->wait();
            tell(c, *h);
        }
    });
    r.close(p);
    r.check(r.reports(report_kind::failed) == bodies_left.load(std::memory_order_relaxed), "E5: each exception of a detached task's body is told to the sink, once");
    r.check(r.reports(report_kind::finalizer_failed) == finalizers_left.load(std::memory_order_relaxed), "E4: each exception of a finalizer is told to the sink, once");
}

}   // namespace lastly::stress::scenarios
