// A storm of deadlines: most have passed or pass while their task is queued or runs, some lie far ahead.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>

namespace lastly::stress::scenarios {

void deadlines(round& r) {
    using namespace std::chrono_literals;
    constexpr std::uint64_t tasks_a_deadline = 32;
    pool p(r.options());
    const watch shown(p);
    on_threads(2, [&](unsigned thread) {
        random_numbers random = r.random(thread);
        std::vector<cancel_source> kept;   // until all their tasks are over: only deadlines stop them
        for (std::uint64_t left = share_of(r.tasks(), thread, 2); left > 0;) {
            const std::uint64_t n = std::min(left, tasks_a_deadline), kind = random.below(4);
            const auto in = kind == 0 ? std::chrono::nanoseconds(0) : kind == 1 ? std::chrono::nanoseconds(std::chrono::microseconds(random.below(3000))) : kind == 2 ? 1ms : std::chrono::nanoseconds(1h);
            kept.push_back(with_timeout(context::background(), in));
            const context observed = kept.back().context();
            const auto may_end = static_cast<std::uint8_t>(kind == 0 ? ends::cancelled : kind == 3 ? ends::succeeded : ends::succeeded | ends::cancelled);
            for (std::uint64_t i = 0; i < n; ++i) {
                const bool sleeps = kind == 2 && i == 0;
                send<1>(r.next(), {.ends = sleeps ? ends::cancelled : may_end, .must_begin = kind == 3, .must_not_begin = kind == 0},
                        into(p, observed),
                        [sleeps](task_context& t, cell& c) {
                            defer(t, c);
                            if (sleeps) static_cast<void>(t.context().sleep_for(forever));   // only the timer wakes it
                            t.throw_if_stopped();
                        });
            }
            left -= n;
        }
        p.wait_idle();
    });
    r.close(p);
}

}   // namespace lastly::stress::scenarios
