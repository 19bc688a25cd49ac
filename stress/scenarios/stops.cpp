// How a stop reaches tasks: through contexts and handles to their own contexts, to the groups that they make, to sleepers and to stop callbacks,
// which call into the library themselves; and how early deadlines are.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;

// The cause of every stop here but for deadlines and owners that are destroyed.
std::error_code given() noexcept { return std::make_error_code(std::errc::operation_canceled); }

// Where a task's callback was called, and what it did there.
struct callback_notes {
    std::atomic<unsigned> calls{0};
    std::atomic<std::thread::id> on{};
    cancel_source other = with_cancel();
    std::optional<context> below{};   // a child of the context that stops: dropped by the callback
};

// A callback that calls into the library: none of its locks is held around it.
void call_back(round& r, pool& p, callback_notes& n, const context& stopped) {
    n.on.store(std::this_thread::get_id(), std::memory_order_relaxed);
    r.check(stopped.stop_requested(), "C6: when a callback is called the context has stopped");
    n.below.reset();
    n.other.cancel();
    const cancel_source child = with_cancel(stopped);
    r.check(child.context().stop_requested() && child.context().cause() == stopped.cause(), "C3: a child of a stopped context has stopped, with its cause");
    r.check(stopped.stop_token().stop_requested(), "C1: the token of a stopped context has stopped");
    const ledger_snapshot books = p.ledger();
    r.check(books.accepted <= books.attempts, "L1: no more is accepted than was attempted");
    n.calls.fetch_add(1, std::memory_order_relaxed);
}

// Sleeps on a context until that stops; its callback is called once, on the thread that `may_call` allows, or here if it came late.
template <class MayCall>
void sleep_until_stopped(round& r, pool& p, const context& on, std::atomic<bool>& asleep, MayCall may_call) {
    callback_notes n;
    {
        const cancel_source child = with_cancel(on);
        n.below.emplace(child.context());   // holds the node alone in a moment
    }
    const std::thread::id here = std::this_thread::get_id();
    bool came_late = false;
    {
        const std::stop_callback told(on.stop_token(), [&] { call_back(r, p, n, on); });
        came_late = n.on.load(std::memory_order_relaxed) == here;   // within the constructor
        asleep.store(true, std::memory_order_relaxed);
        r.check(!on.sleep_for(1h), "C1: a stop wakes whoever sleeps on the context");
        while (n.calls.load(std::memory_order_relaxed) == 0) std::this_thread::yield();
    }
    r.check(n.calls.load(std::memory_order_relaxed) == 1, "C6: a stop callback is called once");
    const std::thread::id caller = n.on.load(std::memory_order_relaxed);
    r.check(came_late || (caller != here && may_call(caller)), "C6: stop callbacks run on the thread that cancels, or on the timer's");
}

// A task that sleeps on its own context, and is stopped through its handle, or through the attached context.
void wake_by_cancel(round& r, pool& p, random_numbers& random) {
    cell& c = r.next();
    cancel_source owner = with_cancel();
    const context attached = owner.context();
    std::atomic<bool> asleep{false};
    const std::thread::id canceller = std::this_thread::get_id();
    auto h = send<1>(c, {.waiters = 1, .ends = ends::cancelled, .must_begin = true}, for_handle(p, attached),
                     [&](task_context& t, cell& own) {
                         defer(t, own);
                         sleep_until_stopped(r, p, t.context(), asleep, [&](std::thread::id caller) { return caller == canceller; });
                         t.throw_if_stopped();
                     });
    while (!asleep.load(std::memory_order_relaxed)) std::this_thread::yield();
    for (std::uint64_t i = random.below(4); i > 0; --i) std::this_thread::yield();
    if (random.one_in(2)) r.check(h->cancel(given()), "E2: the only one who stops a task is told that it did");
    else r.check(owner.cancel(given()), "E2: the only one who stops a context is told that it did");
    h->wait();
    r.check(h->outcome().cause() == given(), "C3: the cause of a handle or of an attached context is the task's");
    tell(c, *h);
}

// The same, woken by a deadline; by an owner that is destroyed.
void wake_by_deadline(round& r, pool& p) {
    const cancel_source owner = with_timeout(context::background(), 1ms);
    const context attached = owner.context();
    std::atomic<bool> asleep{false};
    cell& c = r.next();
    const std::thread::id submitter = std::this_thread::get_id();
    auto h = send<1>(c, {.waiters = 1, .ends = ends::cancelled}, for_handle(p, attached),
                     [&](task_context& t, cell& own) {
                         defer(t, own);
                         sleep_until_stopped(r, p, t.context(), asleep, [&](std::thread::id caller) { return caller != submitter; });
                         t.throw_if_stopped();
                     });
    h->wait();
    r.check(h->outcome().cause() == errc::deadline_exceeded, "C5: a deadline that passes is the cause");
    tell(c, *h);
}
void wake_by_owner(round& r, pool& p) {
    std::optional<cancel_source> owner(with_cancel());
    const context attached = owner->context();
    std::atomic<bool> begun{false};
    cell& c = r.next();
    auto h = send<1>(c, {.waiters = 1, .ends = ends::cancelled, .must_begin = true}, for_handle(p, attached),
                     [&](task_context& t, cell& own) {
                         defer(t, own);
                         begun.store(true, std::memory_order_relaxed);
                         while (!t.stop_requested()) std::this_thread::yield();
                         t.throw_if_stopped();
                     });
    while (!begun.load(std::memory_order_relaxed)) std::this_thread::yield();
    owner.reset();
    r.check(attached.stop_requested() && attached.cause() == errc::cancelled, "C3: an owner that is destroyed cancels its context");
    h->wait();
    r.check(h->outcome().cause() == errc::cancelled, "C3: an owner that is destroyed stops the tasks below");
    tell(c, *h);
}

// The body of a task that has made a group and is stopped: what the group begins afterwards does not begin, and its wait says why.
// `stop` returns when its cancel has: only then has the stop come to everything below.
template <class Stop>
void group_below(round& r, pool& p, task_context& t, Stop stop) {
    task_group g(p);
    send<1>(r.next(), {.ends = ends::cancelled}, into(g), [](task_context& m, cell& c) {
        defer(m, c);
        while (!m.stop_requested()) std::this_thread::yield();
        m.throw_if_stopped();
    });
    stop();
    r.check(t.stop_requested() && t.context().stop_requested(), "C3: a stop comes to the task's own context");
    send<1>(r.next(), {.ends = ends::cancelled, .must_not_begin = true}, into(g), [] {});
    try {
        g.wait();
        r.check(false, "C3: a group that a task makes stops with that task, and its wait says so");
    } catch (const task_cancelled& e) {
        r.check(e.code() == given(), "C3: a group that stops with its task has the task's cause");
    }
    t.throw_if_stopped();
}

void stop_a_group_below(round& r, pool& p, bool by_handle) {
    const auto owner = std::make_shared<cancel_source>(with_cancel());
    const context attached = owner->context();
    cell& c = r.next();
    std::atomic<bool> begun{false}, stopped{false};
    if (!by_handle) {
        send<1>(c, {.ends = ends::cancelled, .must_begin = true}, into(p, attached),
                [&r, &p, owner](task_context& t, cell& own) {
                    defer(t, own);
                    group_below(r, p, t, [&] { r.check(owner->cancel(given()), "E2: the only one who stops a context is told that it did"); });
                });
        return;
    }
    auto h = send<1>(c, {.waiters = 1, .ends = ends::cancelled, .must_begin = true}, for_handle(p), [&](task_context& t, cell& own) {
        defer(t, own);
        group_below(r, p, t, [&] {
            begun.store(true, std::memory_order_relaxed);
            while (!stopped.load(std::memory_order_relaxed)) std::this_thread::yield();
        });
    });
    while (!begun.load(std::memory_order_relaxed)) std::this_thread::yield();
    h->cancel(given());
    stopped.store(true, std::memory_order_relaxed);
    h->wait();
    tell(c, *h);
}

// Deadlines far ahead: a child's is never later than its parent's, a task's is the earliest of what it observes.
void compare_deadlines(round& r, pool& p, random_numbers& random) {
    const time_point now = std::chrono::steady_clock::now();
    const auto ahead = [&] { return now + 1h + std::chrono::seconds(random.below(1000)); };
    const time_point first = ahead(), second = ahead(), third = ahead();
    const cancel_source parent = with_deadline(context::background(), first);
    const cancel_source child = with_deadline(parent.context(), second), grandchild = with_cancel(child.context()), of_group = with_deadline(context::background(), third);
    const time_point earliest = std::min(first, second);
    r.check(child.context().deadline() == earliest && grandchild.context().deadline() == earliest, "C3: a child's deadline never lies after its parent's");
    const context attached = random.one_in(2) ? child.context() : grandchild.context();
    task_group g(p, of_group.context());
    send<1>(r.next(), succeeds, into(g, attached), [&](task_context& t, cell& c) {
        defer(t, c);
        r.check(t.context().deadline() == std::min(earliest, third), "C3: a task's deadline is the earliest of its context's and its group's");
    });
    g.wait();
}

}   // namespace

void stops(round& r) {
    pool p(r.options());
    const watch shown(p);
    on_threads(3, [&](unsigned thread) {
        random_numbers random = r.random(thread);
        for (std::uint64_t left = share_of(r.tasks(), thread, 3); left >= 3; left -= 3) {   // the most cells that one of them takes
            switch (random.below(12)) {
                case 0: case 1: case 2: wake_by_cancel(r, p, random); break;
                case 3: wake_by_deadline(r, p); break;
                case 4: case 5: wake_by_owner(r, p); break;
                case 6: case 7: stop_a_group_below(r, p, false); break;
                case 8: case 9: stop_a_group_below(r, p, true); break;
                default: compare_deadlines(r, p, random);
            }
        }
    });
    r.close(p);
}

}   // namespace lastly::stress::scenarios
