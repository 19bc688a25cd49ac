// Situations in which a pool ends: in order, abruptly, from within, with tasks that still run. See situations.hpp.
#include "stress/chaos/situations.hpp"

#include <memory>

#include <pthread.h>

namespace lastly::stress::chaos {

namespace {

constexpr auto defers_one = [](task_context& t, cell& c) { defer(t, c); };

// Keeps a worker until it is asked to stop.
void send_running(desk& d, pool& p) {
    d.send<2>(d.next(), d.plan(d.fragile(ends::succeeded | ends::cancelled)), into(p), [](task_context& t, cell& c) {
        defer(t, c);
        while (!t.stop_requested()) std::this_thread::yield();
    });
}
void send_queued(desk& d, pool& p, std::uint8_t ends) {
    for (int i = 0; i < 4; ++i) d.send<2>(d.next(), d.plan(d.fragile(ends)), into(p), defers_one);
}

void closed(desk& d) {
    d.send<1>(d.next(), d.plan(), into(d.p()), [] {});
    d.p().close();
    d.may_be_refused_with(errc::pool_closed);
    for (int i = 0; i < 2; ++i) d.send<2>(d.next(), d.plan(ends::rejected), into(d.p()), [] {});
}

void waited_for(desk& d) {
    for (int i = 0; i < 6; ++i) {
        d.send<1>(d.next(), d.plan(), into(d.p()), [&d] { d.send<1>(d.next(), d.plan(d.fragile(ends::succeeded)), into(d.p()), defers_one); });
    }
    d.p().wait_idle();
    d.check(d.p().ledger().live == 0, "W5: nothing is unfinished after wait_idle");
}

void abrupt(desk& d) {
    for (unsigned i = 0; i < d.p().workers(); ++i) send_running(d, d.p());
    send_queued(d, d.p(), ends::succeeded | ends::cancelled);
    d.check(d.p().shutdown_now().complete, "S1: an abrupt shutdown without a limit is complete");
    d.may_be_refused_with(errc::pool_closed);
    d.send<3>(d.next(), d.plan(ends::rejected), into(d.p()), [] {});
}

void abrupt_from_three_threads(desk& d) {
    send_running(d, d.p());
    send_queued(d, d.p(), ends::succeeded | ends::cancelled);
    const auto ends_it = [&d] { d.check(d.p().shutdown_now().complete, "S1: an abrupt shutdown without a limit is complete, on every thread that asks"); };
    other_thread one(ends_it), two(ends_it);
    ends_it();
}

// An orderly end that takes too long lists what still runs, for which it needs memory; then an abrupt one.
void abrupt_after_an_orderly_one(desk& d) {
    send_running(d, d.p());
    send_queued(d, d.p(), ends::succeeded | ends::cancelled);
    try {
        const shutdown_report r = d.p().shutdown(std::chrono::microseconds(100));
        d.check(r.still_running.size() <= d.p().workers(), "S1: a report lists running tasks only");
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
    }
    d.check(d.p().shutdown_now().complete, "S1: an abrupt shutdown may follow an orderly one");
}

void ended_by_its_task(desk& d) {
    send_queued(d, d.p(), ends::succeeded);
    d.may_be_refused_with(errc::pool_closed);
    d.send<2>(d.next(), d.plan(), into(d.p()), [&d] {
        try {
            d.check(!d.p().shutdown().complete, "S1: inside a task of the pool a shutdown is not complete");
        } catch (const std::bad_alloc&) {
            d.check_no_memory();
        }
        d.send<1>(d.next(), d.plan(), into(d.p()), [] {});   // A6
    });
    d.p().wait_idle();
    d.send<2>(d.next(), d.plan(ends::succeeded | ends::rejected), into(d.p()), [] {});   // closed, unless that task was refused
}

void abruptly_ended_by_its_task(desk& d) {
    d.may_be_refused_with(errc::pool_closed);
    d.send<2>(d.next(), d.plan(ends::succeeded | ends::cancelled), into(d.p()), [&d] {
        try {
            d.check(!d.p().shutdown_now().complete, "S1: inside a task of the pool a shutdown is not complete");
        } catch (const std::bad_alloc&) {
            d.check_no_memory();
        }
        d.send<2>(d.next(), d.plan(ends::rejected), into(d.p()), [] {});   // A6
    });
    send_queued(d, d.p(), ends::succeeded | ends::cancelled | ends::rejected);
}

void destroyed_with_tasks_queued(desk& d) {
    pool_options o = d.options();
    o.on_destroy = on_destroy::cancel;
    if (const auto p = make_pool(d, std::move(o))) {
        send_running(d, *p);
        send_queued(d, *p, ends::succeeded | ends::cancelled);
    }
    d.balance_unseen();
}

// S4: its last worker frees it. `how`: what becomes of the queued ones.
void destroy_by_its_task(desk& d, on_destroy how) {
    pool_options o = d.options();
    o.on_destroy = how;
    auto p = make_pool(d, std::move(o));
    if (!p) return;
    pool& all = *p;
    const auto others = static_cast<std::uint8_t>(how == on_destroy::drain ? ends::succeeded : ends::succeeded | ends::cancelled);
    send_queued(d, all, others);
    d.may_be_refused_with(errc::pool_closed);
    cell& last = d.next();
    const auto h = d.send<2>(last, d.waited(ends::succeeded), for_handle(all), [&d, p = std::move(p)]() mutable {
        p.reset();
        const auto how_inside = [](auto&&... parts) { return this_task::submit(std::forward<decltype(parts)>(parts)...); };
        static_cast<void>(d.send<1>(d.next(), d.plan(ends::succeeded | ends::cancelled | ends::rejected), how_inside, [] {}));
    });
    d.wait(last, h);
    for (const cell* const c : d.used()) {   // nobody can ask the pool
        while (count_of(c->word.load(std::memory_order_relaxed), event::alive) != 0) std::this_thread::yield();
    }
    d.balance_unseen();
}
void destroyed_by_its_task(desk& d) { destroy_by_its_task(d, on_destroy::drain); }
void abruptly_destroyed_by_its_task(desk& d) { destroy_by_its_task(d, on_destroy::cancel); }

// P4: another thread goes on in the worker's place. Where none can, whoever ends the pool runs what is left.
void left_by_its_thread(desk& d) {
    cell& c = d.next();
    const auto h = d.send<2>(c, d.waited(ends::failed), for_handle(d.p()), [](task_context& t, cell& own) {
        try {
            defer(t, own);
        } catch (const std::bad_alloc&) {}
        ::pthread_exit(nullptr);
    });
    send_queued(d, d.p(), ends::succeeded);
    d.wait(c, h);
}

// B4: whichever thread runs that branch is left; the task sees it as the branch's exception.
void branch_leaves_its_thread(desk& d) {
    cell& c = d.next();
    d.wait(c, d.send<2>(c, d.waited(ends::failed), for_handle(d.p()), [&d] { parallel_invoke(d.p(), [] {}, [] { ::pthread_exit(nullptr); }, [] {}); }));
}

// A task that was made, and a handle, of which the pool is gone when they go.
void leftovers(desk& d) {
    d.may_be_refused_with(errc::discarded);
    cell& kept = d.next();
    cell& never = d.next();
    task_plan plan = d.plan(ends::rejected);
    plan.discarded = true;
    auto t = d.made<2>(never, plan, [] {});
    std::optional<task_handle<void>> h;
    if (const auto p = make_pool(d, d.options())) h = d.send<1>(kept, d.plan(), for_handle(*p), [] {});
    if (t) never.refuse();
    t.reset();
    h.reset();
    d.balance_unseen();
}

constexpr situation all[] = {
    {"closed", &closed},
    {"waited for", &waited_for},
    {"shut down abruptly", &abrupt},
    {"shut down abruptly by three threads", &abrupt_from_three_threads},
    {"shut down abruptly after an orderly shutdown", &abrupt_after_an_orderly_one},
    {"shut down by its task", &ended_by_its_task},
    {"shut down abruptly by its task", &abruptly_ended_by_its_task},
    {"destroyed with tasks queued", &destroyed_with_tasks_queued, false},
    {"destroyed by its task", &destroyed_by_its_task, false},
    {"abruptly destroyed by its task", &abruptly_destroyed_by_its_task, false},
    {"what is left of a pool", &leftovers, false},
    {"a branch leaves its thread", &branch_leaves_its_thread},
    {"left by its thread", &left_by_its_thread},
    {"left by its only thread", &left_by_its_thread, true, 1},
};

}   // namespace

std::span<const situation> ending_situations() noexcept { return all; }

}   // namespace lastly::stress::chaos
