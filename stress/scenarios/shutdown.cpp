// Orderly ends at random moments: closed or shut down by several threads at once while others still submit, and while tasks submit tasks; every
// accepted body runs.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <optional>

namespace lastly::stress::scenarios {

namespace {

// Rejected from outside once the pool is closed; a task of the pool may submit until the end (A6).
void send_from_outside(round& r, pool& p, std::uint64_t n, task_plan plan) {
    for (; n > 0; --n) {
        send<1>(r.next(), plan, into(p), [&r, unbooked = plan.unbooked](task_context& t, cell& c) {
            defer(t, c);
            send<1>(r.next(), {.ends = ends::succeeded, .must_begin = true, .unbooked = unbooked}, [](auto&&... parts) { static_cast<void>(this_task::submit(std::forward<decltype(parts)>(parts)...)); }, [] {});
        });
    }
}

}   // namespace

void shutdown(round& r) {
    constexpr std::uint64_t tasks_a_pool = 256;
    random_numbers random = r.random();
    for (std::uint64_t left = r.tasks(); left > 0;) {
        const std::uint64_t n = std::min(left, tasks_a_pool);
        const std::uint64_t how = random.below(4), before = random.below(n / 2 + 1) / 2;
        std::optional<pool> p(std::in_place, r.options());
        send_from_outside(r, *p, before, {.ends = ends::succeeded, .must_begin = true, .unbooked = how == 3});
        if (how == 3) {
            p.reset();   // drains, too
        } else {
            const watch shown(*p);
            on_threads(3, [&](unsigned thread) {
                if (thread == 0) return send_from_outside(r, *p, n / 2 - before, {.ends = ends::succeeded | ends::rejected});
                if (how == 0) p->close();
                if (how == 1) static_cast<void>(p->shutdown(std::chrono::microseconds(50)));
                r.check(p->shutdown().complete, "S1: an orderly shutdown without a limit is complete, on every thread that asks");
            });
            r.balance(p->ledger());
        }
        left -= n;
    }
}

}   // namespace lastly::stress::scenarios
