// Situations of groups: members that fail, are cancelled, are left; groups within groups. See situations.hpp.
#include "stress/chaos/situations.hpp"

namespace lastly::stress::chaos {

namespace {

// A group, or nothing for want of memory.
template <class... Args>
bool make_group(desk& d, std::optional<task_group>& g, pool& p, Args&&... args) {
    try {
        g.emplace(p, std::forward<Args>(args)...);
        return true;
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
        return false;
    }
}

bool spawn_good(desk& d, task_group& g, std::uint8_t ends = ends::succeeded) {
    return d.send<1>(d.next(), d.plan(ends), into(g), [] {});
}
bool spawn_failing(desk& d, task_group& g, std::uint8_t ends = ends::failed) {
    return d.send<1>(d.next(), d.plan(ends), into(g), []() { throw failed_on_purpose(); });
}

void collects(desk& d) {
    std::optional<task_group> g;
    if (!make_group(d, g, d.p(), group_policy::collect)) return;
    std::size_t failures = 0;
    for (int i = 0; i < 6; ++i) {
        if (i % 2 == 0) spawn_good(d, *g);
        else failures += spawn_failing(d, *g) ? 1u : 0u;
    }
    d.check(wait_for(d, *g) == (failures != 0 ? group_end::failed : group_end::well), "E1: a group throws what a member failed with, and nothing if none did");
    // Where there is no memory to note one, it is an error that nobody takes.
    d.check(g->failures().size() + d.reports(report_kind::failed) == failures, "E5: a member's failure is its group's, or goes to the sink");
}

void fails_fast(desk& d) {
    std::optional<task_group> g;
    if (!make_group(d, g, d.p())) return;
    const bool failing = spawn_failing(d, *g);
    for (int i = 0; i < 5; ++i) spawn_good(d, *g, ends::succeeded | ends::cancelled);
    d.check(wait_for(d, *g) == (failing ? group_end::failed : group_end::well), "E1: a group that fails fast throws its member's exception");
}

void fill_nested(desk& d, task_group& g, unsigned depth) {
    for (int i = 0; i < 2; ++i) {
        d.send<1>(d.next(), d.plan(), into(g), [&d, depth] {
            std::optional<task_group> inner;
            if (depth == 0 || !make_group(d, inner, d.p(), group_policy::collect)) return;
            fill_nested(d, *inner, depth - 1);
            d.check(wait_for(d, *inner) == group_end::well, "W1: a nested group ends well if its members do");
        });
    }
}
void nested(desk& d) {
    std::optional<task_group> g;
    if (!make_group(d, g, d.p(), group_policy::collect)) return;
    fill_nested(d, *g, 2);
    d.check(wait_for(d, *g) == group_end::well, "W1: a group ends well if its members do");
}

// Members that look for the stop with a context of their own, as far as there is memory for it.
void cancelled(desk& d) {
    std::optional<task_group> g;
    if (!make_group(d, g, d.p())) return;
    for (int i = 0; i < 3; ++i) {
        d.send<1>(d.next(), d.plan(ends::succeeded | ends::cancelled), into(*g), [&d](task_context& t) {
            try {
                static_cast<void>(t.context().sleep_for(forever));
            } catch (const std::bad_alloc&) {
                d.check_no_memory();
            }
            while (!t.stop_requested()) std::this_thread::yield();
        });
    }
    g->cancel();
    d.check(wait_for(d, *g) == group_end::well, "C3: a group's own cancel is nobody's failure");
    spawn_good(d, *g);   // it has a fresh context
    d.check(wait_for(d, *g) == group_end::well, "C3: after a wait a group is as new");
}

void below_a_context(desk& d) {
    auto source = source_below(d);
    if (!source) return;
    std::optional<task_group> g;
    if (!make_group(d, g, d.p(), source->context(), group_policy::collect)) return;
    for (int i = 0; i < 3; ++i) spawn_good(d, *g, ends::succeeded | ends::cancelled);
    d.check(source->cancel(), "E2: the first to cancel a node is the one that did it");
    d.check(wait_for(d, *g) == group_end::stopped, "C3: a group whose parent has stopped says so");
}

void left(desk& d) {
    std::optional<task_group> g;
    if (!make_group(d, g, d.p())) return;
    for (int i = 0; i < 4; ++i) {
        d.send<1>(d.next(), d.plan(d.fragile(ends::succeeded | ends::cancelled)), into(*g), [](task_context& t, cell& c) { defer(t, c); });
    }
}

void with_handles(desk& d) {
    std::optional<task_group> g;
    if (!make_group(d, g, d.p(), group_policy::collect)) return;
    const auto into_it = [&g](auto&&... parts) { return g->submit(std::forward<decltype(parts)>(parts)...); };
    cell& good = d.next();
    cell& bad = d.next();
    const auto first = d.send<1>(good, d.waited(), into_it, [] { return 5; });
    const auto second = d.send<1>(bad, d.waited(ends::failed), into_it, []() -> int { throw failed_on_purpose(); });
    d.wait(good, first);
    const bool fails = d.wait(bad, second);
    d.check(wait_for(d, *g) == (fails ? group_end::failed : group_end::well), "E1: the failure of a submitted member is the group's, too");
}

void rounds(desk& d) {
    std::optional<task_group> g;
    if (!make_group(d, g, d.p())) return;
    for (int i = 0; i < 3; ++i) {
        const bool fails = spawn_failing(d, *g);
        spawn_good(d, *g, ends::succeeded | ends::cancelled);
        d.check(wait_for(d, *g) == (fails ? group_end::failed : group_end::well), "E1: each round of a group has its own failures");
    }
}

void members_made_before(desk& d) {
    std::optional<task_group> g;
    cell& c = d.next();
    d.may_be_refused_with(errc::discarded);
    auto t = d.made<2>(c, d.plan(), [] {});
    if (!t) return;
    if (!make_group(d, g, d.p(), group_policy::collect)) {
        c.plan.discarded = true;
        t.reset();
        return c.refuse();
    }
    try {
        g->spawn(std::move(*t));
    } catch (const task_rejected& e) {
        d.check_refusal(e.code());
        c.refuse();
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
        c.refuse();
    }
    d.check(wait_for(d, *g) == group_end::well, "A1: a member that is refused does not fail its group");
}

void members_that_spawn(desk& d) {
    std::optional<task_group> g;
    if (!make_group(d, g, d.p(), group_policy::collect)) return;
    for (int i = 0; i < 3; ++i) {
        d.send<1>(d.next(), d.plan(), into(*g), [&d, &g] {
            for (int k = 0; k < 3; ++k) spawn_good(d, *g);
        });
    }
    d.check(wait_for(d, *g) == group_end::well, "W1: a group ends well if its members do");
}

// A group that a task makes stands below the task's own context, which that needs.
void below_its_task(desk& d) {
    cell& outer = d.next();
    auto h = d.send<1>(outer, d.waited(ends::succeeded | ends::cancelled), for_handle(d.p()), [&d] {
        std::optional<task_group> g;
        if (!make_group(d, g, d.p())) return;
        for (int i = 0; i < 3; ++i) spawn_good(d, *g, ends::succeeded | ends::cancelled);
        static_cast<void>(wait_for(d, *g));
    });
    if (h) h->cancel();
    d.wait(outer, h);
}

// From outside only the members tell a group that their pool has ended.
void dropped_by_its_pool(desk& d) {
    std::optional<task_group> g;
    if (!make_group(d, g, d.p())) return;
    unsigned running = 0;
    std::atomic<unsigned> began{0};
    for (unsigned i = 0; i < d.p().workers(); ++i) {
        running += d.send<1>(d.next(), d.plan(ends::succeeded | ends::cancelled), into(d.p()), [&began](task_context& t) {
            began.fetch_add(1, std::memory_order_relaxed);
            while (!t.stop_requested()) std::this_thread::yield();
        }) ? 1u : 0u;
    }
    while (began.load(std::memory_order_relaxed) < running) std::this_thread::yield();
    const bool all_busy = running == d.p().workers();
    cell& c = d.next();
    const bool accepted = d.send<1>(c, d.plan(all_busy ? ends::cancelled : ends::succeeded | ends::cancelled), into(*g), [] {});
    d.check(d.p().shutdown_now().complete, "S1: an abrupt shutdown without a limit is complete");
    const group_end end = wait_for(d, *g);
    d.check(!(accepted && all_busy) || end == group_end::stopped, "C3: a group whose members were dropped says so");
}

void many_alive(desk& d) {
    std::array<std::optional<task_group>, 8> all;
    for (auto& g : all) {
        if (!make_group(d, g, d.p(), group_policy::collect)) continue;
        spawn_good(d, *g);
        spawn_failing(d, *g);
    }
    for (auto& g : all) {
        if (g) static_cast<void>(wait_for(d, *g));
    }
}

constexpr situation all[] = {
    {"a group collects", &collects},
    {"a group fails fast", &fails_fast},
    {"groups nested on one worker", &nested, true, 1},
    {"groups nested", &nested},
    {"a group is cancelled", &cancelled},
    {"a group below a context", &below_a_context},
    {"a group is left", &left},
    {"members with handles", &with_handles},
    {"rounds of a group", &rounds},
    {"members made before", &members_made_before},
    {"members that spawn", &members_that_spawn},
    {"a group below its task", &below_its_task},
    {"dropped by its pool", &dropped_by_its_pool},
    {"many groups", &many_alive},
};

}   // namespace

std::span<const situation> group_situations() noexcept { return all; }

}   // namespace lastly::stress::chaos
