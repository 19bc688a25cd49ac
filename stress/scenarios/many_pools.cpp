// Pools that are made and destroyed in a loop, several at a time, with a few tasks each, some of which submit to another pool.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>

namespace lastly::stress::scenarios {

void many_pools(round& r) {
    constexpr std::uint64_t tasks_a_pair = 48;
    on_threads(2, [&](unsigned thread) {
        for (std::uint64_t left = share_of(r.tasks(), thread, 2); left > 0;) {
            const std::uint64_t n = std::min(left, tasks_a_pair);
            pool first(r.options()), second(r.options());
            for (std::uint64_t i = 0; i < n / 2; ++i) {
                send<1>(r.next(), succeeds, into(first), [&r, &second](task_context& t, cell& c) {
                    defer(t, c);
                    send<1>(r.next(), succeeds, into(second), [](task_context& inner, cell& own) { defer(inner, own); });
                });
            }
            r.close(first);
            r.close(second);
            left -= n;
        }
    });
}

}   // namespace lastly::stress::scenarios
