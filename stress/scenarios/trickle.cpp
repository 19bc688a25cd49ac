// A trickle: one task at a time, from two outside threads, with workers falling asleep in between; also into groups that sleeping workers
// wait for. What is not woken for is never run, and shows as a hang.
#include "stress/scenarios/scenarios.hpp"

#include <atomic>

namespace lastly::stress::scenarios {

namespace {

constexpr task_plan plan{.waiters = 1, .ends = ends::succeeded, .must_begin = true};

// A task from outside, and one that its body submits, waited for by this thread.
void one_by_one(round& r, pool& p, std::uint64_t n, random_numbers random) {
    for (; n >= 2; n -= 2) {
        cell& c = r.next();
        const bool waits = random.one_in(4);   // the body waits for its own task on the worker
        const auto h = send<1>(c, plan, for_handle(p), [&r, &p, waits](task_context& t, cell& own) {
            defer(t, own);
            cell& inner = r.next();
            task_plan told = plan;
            told.waiters = waits ? 1 : 0;
            auto more = send<1>(inner, told, for_handle(p), [] {});
            if (!waits) return more->detach();
            more->wait();
            tell(inner, *more);
        });
        h->wait();
        tell(c, *h);
        for (std::uint64_t i = random.below(3000); i > 0; --i) std::atomic_signal_fence(std::memory_order_seq_cst);   // until workers are about to sleep
    }
}

}   // namespace

void trickle(round& r) {
    pool_options o = r.options();
    o.tuning.spin_rounds = 2;   // they sleep soon
    pool p(o);
    const watch shown(p);
    on_threads(2, [&](unsigned thread) { one_by_one(r, p, share_of(r.tasks(), thread, 2), r.random(thread)); });
    r.close(p);
}

}   // namespace lastly::stress::scenarios
