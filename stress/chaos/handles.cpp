// Situations of handles, of waits on workers, and of the stand-ins that take the waiters' places. See situations.hpp.
#include "stress/chaos/situations.hpp"

namespace lastly::stress::chaos {

namespace {

using namespace std::chrono_literals;

// A worker of a pool that waits for another task of it, some levels deep.
void nest(desk& d, cell& outer, unsigned depth) {
    const auto h = d.send<1>(outer, d.waited(d.fragile(ends::succeeded)), for_handle(d.p()), [&d, depth](task_context& t, cell& c) {
        if (depth > 0) nest(d, d.next(), depth - 1);
        defer(t, c);
    });
    d.wait(outer, h);
}
void nested_waits(desk& d) { nest(d, d.next(), 4); }

// The task that is waited for lies beneath others in the worker's queue, and is claimed there.
void waits_for_the_oldest(desk& d) {
    cell& outer = d.next();
    d.wait(outer, d.send<1>(outer, d.waited(), for_handle(d.p()), [&d] {
        cell& oldest = d.next();
        const auto wanted = d.send<1>(oldest, d.waited(), for_handle(d.p()), [] {});
        for (int i = 0; i < 4; ++i) d.send<1>(d.next(), d.plan(), into(d.p()), [] {});
        d.wait(oldest, wanted);
    }));
}

// A worker sleeps until a task of the other pool is over, which needs one that lies behind the sleeper: somebody stands in, or it helps itself.
void waits_for_another_pool(desk& d) {
    own_pool other(d, d.options(1));
    if (!other) return;
    barrier behind;
    cell& first = d.next();
    const auto wanted = d.send<1>(first, d.waited(), for_handle(*other), [&behind] { behind.pass(); });
    const bool waits = d.send<1>(d.next(), d.plan(), into(d.p()), [&d, &first, &wanted] { d.wait(first, wanted); });
    if (!d.send<1>(d.next(), d.plan(), into(d.p()), [&behind] { behind.open(); })) behind.open();
    d.p().wait_idle();
    if (!waits) d.wait(first, wanted);
    d.check(d.is_scarce() || d.reports(report_kind::no_stand_in) == 0, "W2: a stand-in takes the place of a worker that sleeps");
}

// wait_for runs nothing: only a stand-in can run what is waited for.
void waits_with_a_limit(desk& d) {
    cell& outer = d.next();
    d.wait(outer, d.send<1>(outer, d.waited(), for_handle(d.p()), [&d] {
        cell& c = d.next();
        const auto h = d.send<1>(c, d.waited(), for_handle(d.p()), [] {});
        for (int i = 0; h && i < 4 && !h->wait_for(50us); ++i) {}
        d.wait(c, h);
    }));
}

// Each sleeper lets the next task begin, on a stand-in of its own, until one opens the way.
void chain_of_sleepers(desk& d) {
    own_pool other(d, d.options(1));
    if (!other) return;
    barrier open;
    cell& last = d.next();
    const auto gate = d.send<1>(last, d.waited(), for_handle(*other), [&open] { open.pass(); });
    for (int i = 0; i < 4; ++i) {
        d.send<1>(d.next(), d.plan(), into(d.p()), [&gate] {
            if (gate) gate->wait();
        });
    }
    if (!d.send<1>(d.next(), d.plan(), into(d.p()), [&open] { open.open(); })) open.open();
    d.p().wait_idle();
    d.wait(last, gate);
}

// Two pools whose tasks wait for each other's.
void pools_that_wait_for_each_other(desk& d) {
    own_pool other(d, d.options(1));
    if (!other) return;
    cell& outer = d.next();
    d.wait(outer, d.send<1>(outer, d.waited(), for_handle(d.p()), [&d, &other] {
        cell& across = d.next();
        d.wait(across, d.send<1>(across, d.waited(), for_handle(*other), [&d] {
            cell& back = d.next();
            d.wait(back, d.send<1>(back, d.waited(), for_handle(d.p()), [] {}));
        }));
    }));
}

// Nobody may stand in: the waiter helps from the start.
void no_stand_ins(desk& d) {
    d.has_no_stand_in_for(1);
    pool_options o = d.options(1);
    o.tuning.max_stand_ins = 0;
    own_pool alone(d, std::move(o));
    own_pool other(d, d.options(1));
    if (!alone || !other) return;
    barrier behind;
    cell& first = d.next();
    const auto wanted = d.send<1>(first, d.waited(), for_handle(*other), [&behind] { behind.pass(); });
    const bool waits = d.send<1>(d.next(), d.plan(), into(*alone), [&d, &first, &wanted] { d.wait(first, wanted); });
    if (!d.send<1>(d.next(), d.plan(), into(*alone), [&behind] { behind.open(); })) behind.open();
    alone->wait_idle();
    if (!waits) d.wait(first, wanted);
}

void cancelled_at_once(desk& d) {
    cell& c = d.next();
    auto h = d.send<2>(c, d.waited(d.fragile(ends::succeeded | ends::cancelled)), for_handle(d.p()), [](task_context& t, cell& own) {
        defer(t, own);
        t.throw_if_stopped();
    });
    if (h) h->cancel();
    d.wait(c, h);
}

// `get` has no result to give: it throws why not, or that there is no memory to say so.
void got_when_cancelled(desk& d) {
    auto source = source_below(d);
    if (!source) return;
    source->cancel();
    cell& c = d.next();
    const auto how = for_handle(d.p(), source->context());
    auto h = d.send<1>(c, d.waited(ends::cancelled), how, [] { return 5; });
    if (!d.wait(c, h)) return;
    try {
        static_cast<void>(h->get());
        d.check(false, "C1: a cancelled task has no value");
    } catch (const task_cancelled& e) {
        d.check(e.code() == errc::cancelled, "E2: a cancelled task has its context's cause");
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
    }
}

void dropped_unread(desk& d) {
    bool accepted = false;
    {
        const auto h = d.send<1>(d.next(), d.plan(ends::failed), for_handle(d.p()), []() { throw failed_on_purpose(); });
        accepted = h.has_value();
    }
    d.p().wait_idle();
    d.check(d.reports(report_kind::failed) == (accepted ? 1 : 0), "E5: the error of a handle that is dropped unread reaches the sink, once");
}

void outlives_its_pool(desk& d) {
    std::optional<task_handle<int>> kept;
    cell& c = d.next();
    {
        own_pool p(d, d.options());
        if (!p) return;
        kept = d.send<1>(c, d.waited(d.fragile(ends::succeeded)), for_handle(*p), [](task_context& t, cell& own) {
            defer(t, own);
            return 5;
        });
    }
    d.wait(c, kept);
    try {
        if (kept) d.check(kept->get() == 5, "S6: a handle gives the value after its pool's end");
    } catch (const std::bad_alloc&) {
        d.check_no_memory();   // the body's
    }
}

// Threads that live for one or two submissions: each needs an account, a magazine and a producer.
void short_lived_threads(desk& d) {
    for (int i = 0; i < 3; ++i) {
        const auto submits = [&d] {
            cell& c = d.next();
            d.wait(c, d.send<1>(c, d.waited(d.fragile(ends::succeeded)), for_handle(d.p()), [](task_context& t, cell& own) { defer(t, own); }));
            d.send<1>(d.next(), d.plan(), into(d.p()), [] {});
        };
        other_thread one(submits), two(submits);
    }
}

constexpr situation all[] = {
    {"waits nested on one worker", &nested_waits, true, 1},
    {"waits nested", &nested_waits},
    {"waits for the oldest", &waits_for_the_oldest, true, 1},
    {"waits for another pool", &waits_for_another_pool, true, 1},
    {"waits with a limit", &waits_with_a_limit, true, 1},
    {"a chain of sleepers", &chain_of_sleepers, true, 1},
    {"pools that wait for each other", &pools_that_wait_for_each_other, true, 1},
    {"no stand-ins allowed", &no_stand_ins, false},
    {"cancelled at once", &cancelled_at_once},
    {"got when cancelled", &got_when_cancelled},
    {"dropped unread", &dropped_unread},
    {"a handle outlives its pool", &outlives_its_pool, false},
    {"short-lived threads", &short_lived_threads},
};

}   // namespace

std::span<const situation> handle_situations() noexcept { return all; }

}   // namespace lastly::stress::chaos
