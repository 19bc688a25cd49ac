// More workers than CPUs by far: 64, that are woken, steal and sleep again, and find little to do.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>

namespace lastly::stress::scenarios {

void crowd(round& r) {
    constexpr std::uint64_t burst = 512;
    pool_options o = r.options();
    o.workers = 64;
    pool p(o);
    const watch shown(p);
    for (std::uint64_t left = r.tasks(); left > 1;) {
        const std::uint64_t n = std::min(left, burst);
        for (std::uint64_t i = 0; i < n / 2; ++i) {
            send<1>(r.next(), succeeds, into(p), [&r, &p](task_context& t, cell& c) {
                defer(t, c);
                send<1>(r.next(), succeeds, into(p), [](task_context& inner, cell& own) { defer(inner, own); });
            });
        }
        p.wait_idle();
        left -= n;
    }
    r.close(p);
}

}   // namespace lastly::stress::scenarios
