// Pools that are destroyed by one of their own tasks: they close, and the last worker frees them. Nobody is left to ask for their ledgers.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <memory>

namespace lastly::stress::scenarios {

void own_worker(round& r) {
    constexpr std::uint64_t tasks_a_pool = 24;
    random_numbers random = r.random();
    for (std::uint64_t left = r.tasks(); left > 0;) {
        const std::uint64_t n = std::min(left, tasks_a_pool);
        pool_options o = r.options();
        const bool drains = random.one_in(2);
        o.on_destroy = drains ? on_destroy::drain : on_destroy::cancel;
        auto p = std::make_unique<pool>(o);
        pool& all = *p;
        const auto may_end = static_cast<std::uint8_t>(drains ? ends::succeeded : ends::succeeded | ends::cancelled);
        std::vector<cell*> others;
        for (std::uint64_t i = 1; i < n; ++i) {
            others.push_back(&r.next());
            send<1>(*others.back(), {.ends = may_end, .must_begin = drains, .unbooked = true}, into(all), [](task_context& t, cell& c) { defer(t, c); });
        }
        cell& last = r.next();
        const auto h = send<2>(last, {.waiters = 1, .ends = ends::succeeded, .must_begin = true, .unbooked = true}, for_handle(all), [p = std::move(p)](task_context& t, cell& c) mutable {
            defer(t, c);
            p.reset();
        });
        h->wait();
        tell(last, *h);
        for (const cell* const c : others) {   // nobody can ask the pool any more
            while (count_of(c->word.load(std::memory_order_relaxed), event::alive) != 0) std::this_thread::yield();
        }
        left -= n;
    }
}

}   // namespace lastly::stress::scenarios
