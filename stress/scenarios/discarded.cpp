// Tasks made ahead: destroyed unsubmitted, or offered to a pool that is often full, kept, and offered again until it takes them.
#include "stress/scenarios/scenarios.hpp"

#include <optional>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

// make_task under witness: the cell says `submitted` from here on; a task that is discarded is refused by nobody, so its destroyer says so.
auto made(cell& c, task_plan plan) {
    return *send<2>(c, plan, [](auto&&... parts) { return make_task(std::forward<decltype(parts)>(parts)...); }, [](task_context& t, cell& own) { defer(t, own); });
}

}   // namespace

void discarded(round& r) {
    pool_options o = r.options();
    o.capacity = 64;
    pool p(o);
    const watch shown(p);
    random_numbers random = r.random();
    for (std::uint64_t left = r.tasks(); left > 0; --left) {
        cell& c = r.next();
        if (random.one_in(4)) {
            auto t = made(c, {.ends = ends::rejected, .must_not_begin = true, .discarded = true});
            auto moved = std::move(t);
            c.refuse();
            continue;
        }
        auto t = made(c, {.ends = ends::succeeded, .must_begin = true});
        // Full: it is intact, and offered again. Each refusal is an attempt that the ledger rejected, and that no cell counts.
        while (const std::error_code refused = p.try_submit(std::move(t))) {
            r.check(refused == errc::pool_full, "A2: a pool that is full says so");
            r.refused_attempt();
            std::this_thread::yield();
        }
    }
    r.close(p);
}

}   // namespace lastly::stress::scenarios
