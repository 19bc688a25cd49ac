// Trees of contexts of which a random node is cancelled, or its owner destroyed, while tasks below and above are queued, run and are submitted:
// everything below stops, nothing above does.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

namespace lastly::stress::scenarios {

namespace {

constexpr unsigned depth = 6;

// A path of nodes, each below the one before it.
struct path {
    std::vector<cancel_source> owners;
    std::vector<context> nodes;

    path() {
        for (unsigned i = 0; i < depth; ++i) {
            owners.push_back(i == 0 ? with_cancel() : with_cancel(nodes.back()));
            nodes.push_back(owners.back().context());
        }
    }
};

void stop(round& r, path& p, std::size_t from, bool by_its_owner) {
    const std::error_code cause = std::make_error_code(std::errc::operation_canceled);
    if (by_its_owner) {
        const cancel_source gone = std::move(p.owners[from]);   // destroyed here
    } else {
        r.check(p.owners[from].cancel(cause), "E2: the first to cancel a node is the one that did it");
        r.check(!p.owners[from].cancel(std::make_error_code(std::errc::timed_out)), "E2: a second cancel is not");
    }
    const std::error_code expected = by_its_owner ? make_error_code(errc::cancelled) : cause;
    for (std::size_t i = 0; i < depth; ++i) {
        r.check(p.nodes[i].stop_requested() == (i >= from), "C3: a cancel stops what is below its node, and nothing else");
        r.check(i < from || p.nodes[i].cause() == expected, "C3, E2: what is below stops with the cause, which does not change");
    }
}

}   // namespace

void contexts(round& r) {
    constexpr std::uint64_t tasks_a_tree = 96;
    pool p(r.options());
    const watch shown(p);
    on_threads(2, [&](unsigned thread) {
        random_numbers random = r.random(thread);
        std::vector<path> kept;   // until their tasks are over: only what is stopped on purpose stops
        for (std::uint64_t left = share_of(r.tasks(), thread, 2); left > 0;) {
            const std::uint64_t n = std::min(left, tasks_a_tree), cut = random.below(depth), when = random.below(n);
            const bool by_its_owner = random.one_in(3);
            path& tree = kept.emplace_back();
            for (std::uint64_t i = 0; i < n; ++i) {
                if (i == when) stop(r, tree, cut, by_its_owner);
                const std::uint64_t at = random.below(depth);
                const bool below = at >= cut, stopped = i >= when && below;
                const context observed = tree.nodes[at];
                send<1>(r.next(), {.ends = static_cast<std::uint8_t>(stopped ? ends::cancelled : below ? ends::cancelled | ends::succeeded : ends::succeeded), .must_begin = !below, .must_not_begin = stopped},
                        into(p, observed),
                        [](task_context& t, cell& c) {
                            defer(t, c);
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
