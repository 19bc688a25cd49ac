// Bursts: a task that spawns hundreds to thousands at once onto its own deque, which grows several times while thieves take from it. A new
// pool for each burst: a deque that has grown stays large.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>

namespace lastly::stress::scenarios {

void bursts(round& r) {
    random_numbers random = r.random();
    for (std::uint64_t left = r.tasks(); left > 0;) {
        const std::uint64_t n = std::min<std::uint64_t>(left, 400 + random.below(4000));
        pool p(r.options());
        const watch shown(p);
        send<1>(r.next(), succeeds, into(p), [&r, &p, n](task_context& t, cell& c) {
            defer(t, c);
            for (std::uint64_t i = 1; i < n; ++i) {
                send<1>(r.next(), succeeds, into(p), [](task_context& inner, cell& own) { defer(inner, own); });
            }
        });
        r.close(p);
        left -= n;
    }
}

}   // namespace lastly::stress::scenarios
