// Trees of contexts that are cancelled at a random depth while tasks below them are queued, run, and are submitted.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <system_error>
#include <vector>

namespace lastly::stress::scenarios {

void contexts(round& r) {
    constexpr unsigned depth = 6, tasks_a_tree = 96;
    const std::error_code cause = std::make_error_code(std::errc::operation_canceled);
    pool p(r.options());
    const watch shown(p);
    on_threads(2, [&](unsigned thread) {
        random_numbers random = r.random(thread);
        for (std::uint64_t left = share_of(r.tasks(), thread, 2); left > 0;) {
            const std::uint64_t n = std::min<std::uint64_t>(left, tasks_a_tree);
            std::vector<cancel_source> path;
            path.reserve(depth);
            for (unsigned i = 0; i < depth; ++i) path.push_back(i == 0 ? with_cancel() : with_cancel(path.back().context()));
            const std::uint64_t cut = random.below(depth), when = random.below(n);
            for (std::uint64_t i = 0; i < n; ++i) {
                if (i == when) r.check(path[cut].cancel(cause), "E2: the first to cancel a node is the one that did it");
                const std::uint64_t at = random.below(depth);
                const bool stopped = i >= when && at >= cut, may_be = at >= cut;
                const context observed = path[at].context();
                send<1>(r.next(), {.ends = static_cast<std::uint8_t>(stopped ? ends::cancelled : may_be ? ends::cancelled | ends::succeeded : ends::succeeded | ends::cancelled), .must_not_begin = stopped},
                        [&](auto&&... parts) { p.detach(std::forward<decltype(parts)>(parts)..., observed); },
                        [](task_context& t, cell& c) {
                            defer(t, c);
                            t.throw_if_stopped();
                        });
            }
            left -= n;
            // The owners are destroyed, which cancels what is still queued: any end but a failure.
        }
    });
    r.close(p);
}

}   // namespace lastly::stress::scenarios
