// A trickle: one task at a time, from two outside threads, with workers falling asleep in between; also into groups that sleeping workers
// wait for. What is not woken for is never run, and shows as a hang.
#include "stress/scenarios/scenarios.hpp"

#include <atomic>

namespace lastly::stress::scenarios {

namespace {

constexpr task_plan plan{.waiters = 1, .ends = ends::succeeded, .must_begin = true};

// What a body does with the task that it submits: leaves it, waits for it on the worker, or keeps its worker busy until another one runs it.
enum class use { leave, wait, spin };

// A task from outside, and one that its body submits, waited for by this thread. `may_spin`: no other thread's tasks do, and a worker is free.
void one_by_one(round& r, pool& p, std::uint64_t n, random_numbers random, bool may_spin) {
    for (; n >= 2; n -= 2) {
        cell& c = r.next();
        const use u = random.one_in(4) ? use::wait : may_spin && random.one_in(2) ? use::spin : use::leave;
        const auto h = send<1>(c, plan, for_handle(p), [&r, &p, u](task_context& t, cell& own) {
            defer(t, own);
            cell& inner = r.next();
            task_plan told = plan;
            told.waiters = u == use::wait ? 1 : 0;
            std::atomic<bool> runs{false};
            auto more = send<1>(inner, told, for_handle(p), [&runs, u] {
                if (u == use::spin) runs.store(true);
            });
            while (u == use::spin && !runs.load()) std::this_thread::yield();
            if (u != use::wait) return more->detach();
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
    on_threads(2, [&](unsigned thread) { one_by_one(r, p, share_of(r.tasks(), thread, 2), r.random(thread), thread == 0 && r.workers() > 1); });
    r.close(p);
}

}   // namespace lastly::stress::scenarios
