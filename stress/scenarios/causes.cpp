// Several causes that race for the same tasks: handles, attached contexts, groups and the pool's end. The first one wins, everywhere, for good.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <memory>
#include <optional>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

// Numbers of the racers' causes.
enum class source { first_handle, second_handle, attached, group };
std::error_code cause_of(source s) noexcept { return {1000 + static_cast<int>(s), std::generic_category()}; }
bool is_one_of_them(std::error_code c) noexcept {
    return c == cause_of(source::first_handle) || c == cause_of(source::second_handle) || c == cause_of(source::attached) || c == cause_of(source::group);
}

// A task that several threads stop at once.
struct victim {
    explicit victim(cell& own) : c(own) {}
    cell& c;
    cancel_source owner = with_cancel();
    std::optional<task_handle<void>> handle{};
    std::atomic<unsigned> won_by_handle{0};            // bits: whose cancel said that it was the one
    std::atomic<bool> owner_won{false}, told{false};   // told: its attached finalizer has seen the cause
    std::error_code cause{};
};

// What the racers have before them: some tasks, members of one group.
struct heat {
    heat(pool& p, bool first) : group(p, group_policy::collect), group_first(first) {}
    std::vector<std::unique_ptr<victim>> victims{};
    task_group group;
    const bool group_first;   // whoever cancels the attached contexts lets the group's stop go ahead
    std::atomic<bool> group_stopped{false};
};

std::error_code told_by_throw(const task_context& t) {
    try {
        t.throw_if_stopped();
    } catch (const task_cancelled& e) {
        return e.code();
    }
    return {};
}

// When a body asks for its own context: before any stop, after the first one, or when all have come.
enum class asks { early, between, late, count };

// Runs until it is stopped, and asks in every way, again when all the other causes have come, too.
void body_of_victim(round& r, const heat& h, task_context& t, const context& attached, asks when) {
    std::optional<context> own;
    if (when == asks::early) own.emplace(t.context());
    while (!t.stop_requested()) std::this_thread::yield();
    const std::error_code first = told_by_throw(t);
    r.check(is_one_of_them(first), "E2: the cause that a body is told of is one of those given");
    if (when == asks::between) own.emplace(t.context());
    while (!attached.stop_requested() || !h.group_stopped.load(std::memory_order_relaxed)) std::this_thread::yield();
    r.check(told_by_throw(t) == first, "E2: the first cause does not change when others come");
    if (when == asks::late) own.emplace(t.context());
    r.check(own->stop_requested() && own->cause() == first && this_task::context().cause() == first, "E2: a task's own context has stopped with the cause that its body was told of");
    t.throw_if_stopped();
}

void submit_victim(round& r, heat& h, random_numbers& random) {
    victim& v = *h.victims.emplace_back(std::make_unique<victim>(r.next()));
    const context attached = v.owner.context();
    const auto when = static_cast<asks>(random.below(static_cast<std::uint64_t>(asks::count)));
    const bool with_handle = random.one_in(2);
    const auto body = [&r, &h, attached, when](task_context& t, cell& c) {
        defer(t, c);
        body_of_victim(r, h, t, attached, when);
    };
    const auto note = [&v](const outcome& o) {
        if (v.told.exchange(true, std::memory_order_relaxed)) return;
        v.cause = o.cause();
    };
    task_plan plan{.ends = ends::cancelled};
    if (!with_handle) {
        send<1>(v.c, plan, into(h.group, attached), body, note);
        return;
    }
    plan.waiters = 1;
    auto handle = send<1>(v.c, plan, for_handle(h.group, attached), body, note);
    if (handle) v.handle.emplace(std::move(*handle));
}

void cancel_by_handle(victim& v, source s) {
    if (!v.handle) return;
    if (v.handle->cancel(cause_of(s))) v.won_by_handle.fetch_or(1u << static_cast<unsigned>(s), std::memory_order_relaxed);
}

// One racer's run over all victims.
void race(heat& h, unsigned thread, random_numbers& random) {
    const std::uint64_t group_at = h.group_first ? 0 : random.below(h.victims.size());
    while (thread == 2 && h.group_first && !h.group_stopped.load(std::memory_order_relaxed)) std::this_thread::yield();
    for (std::uint64_t i = 0; i < h.victims.size(); ++i) {
        victim& v = *h.victims[i];
        if (thread == 0) cancel_by_handle(v, source::first_handle);
        if (thread == 1) {
            cancel_by_handle(v, source::second_handle);
            if (random.one_in(4)) cancel_by_handle(v, source::second_handle);
        }
        if (thread == 2) v.owner_won.store(v.owner.cancel(cause_of(source::attached)), std::memory_order_relaxed);
        if (thread == 1 && i == group_at) {
            h.group.cancel(cause_of(source::group));
            h.group_stopped.store(true, std::memory_order_relaxed);
        }
    }
}

void look_at(round& r, const victim& v) {
    r.check(v.owner_won.load(std::memory_order_relaxed) && v.owner.context().cause() == cause_of(source::attached), "E2: the only one to cancel a context is the one that did it");
    r.check(is_one_of_them(v.cause), "E2: the cause of a cancelled task is one of those given");
    if (!v.handle) return;
    v.handle->wait();
    r.check(v.handle->outcome().cause() == v.cause, "E2: a handle shows the cause that the task's finalizers saw");
    const unsigned won = v.won_by_handle.load(std::memory_order_relaxed);
    r.check((won & (won - 1)) == 0, "E2: of several who cancel a handle at most one is told that it did it");
    for (const source s : {source::first_handle, source::second_handle}) {
        r.check((won & 1u << static_cast<unsigned>(s)) == 0 || v.cause == cause_of(s), "E2: who is told that it cancelled the task gave the cause");
        r.check((won & 1u << static_cast<unsigned>(s)) != 0 || v.cause != cause_of(s), "E2: who gave the cause is told that it cancelled the task");
    }
    tell(v.c, *v.handle);
}

// Heats one after the other: the first thread submits the victims, all three race over them.
void run_heats(round& r, pool& p, std::uint64_t tasks) {
    constexpr std::ptrdiff_t racers = 3;
    std::barrier<> start(racers), finish(racers);
    std::optional<heat> now;
    on_threads(racers, [&](unsigned thread) {
        random_numbers random = r.random(thread), sizes = r.random(99);
        for (std::uint64_t left = tasks; left > 0;) {
            const std::uint64_t n = std::min<std::uint64_t>(left, 1 + sizes.below(48));
            if (thread == 0) {
                now.emplace(p, random.one_in(4));
                for (std::uint64_t i = 0; i < n; ++i) submit_victim(r, *now, random);
            }
            start.arrive_and_wait();
            race(*now, thread, random);
            finish.arrive_and_wait();
            if (thread == 0) {
                now->group.wait();
                for (const auto& v : now->victims) look_at(r, *v);
                now.reset();
            }
            left -= n;
        }
    });
}

bool is_end_or_context(std::error_code c) noexcept { return c == cause_of(source::attached) || c == make_error_code(errc::pool_shutdown); }

// Makes a group, waits for the stop, and for the group, which has no members.
void body_at_the_end(round& r, pool& p, task_context& t, bool has_attached) {
    task_group made_here(p);
    while (!t.stop_requested()) std::this_thread::yield();
    const std::error_code first = told_by_throw(t);
    r.check(is_end_or_context(first), "E2: a body that its pool's end or its context stops is told of one of the two");
    try {
        made_here.wait();
        r.check(has_attached, "C3: a group that a task made stops with the end of the pool that runs it");   // a context may be on its way to the group
    } catch (const task_cancelled& e) {
        r.check(is_end_or_context(e.code()), "C3, E2: a group's wait tells of what stopped the task that made it");
    }
    r.check(told_by_throw(t) == first && t.context().cause() == first, "E2: the first of context and pool does not change");
    t.throw_if_stopped();
}

// A pool that ends abruptly while a context stops the same tasks: the one cause or the other. The tasks' own contexts outlive them and the pool.
void race_with_the_end(round& r, std::uint64_t tasks) {
    std::vector<context> kept(tasks);
    {
        cancel_source owner = with_cancel();
        const context attached = owner.context();
        std::atomic<bool> begun{false};
        pool p(r.options());
        const watch shown(p);
        for (std::uint64_t i = 0; i < tasks; ++i) {
            const bool observes = i % 2 == 0;
            send<1>(r.next(), {.ends = ends::cancelled}, [&](auto&&... parts) {
                if (observes) p.detach(std::forward<decltype(parts)>(parts)..., attached);
                else p.detach(std::forward<decltype(parts)>(parts)...);
            }, [&, i, observes](task_context& t, cell& c) {
                defer(t, c);
                if (i % 4 < 2) kept[i] = t.context();
                begun.store(true, std::memory_order_relaxed);
                body_at_the_end(r, p, t, observes);
            }, [&r](const outcome& o) { r.check(is_end_or_context(o.cause()), "E2: a task that its pool's end or its context cancels shows one of the two"); });
        }
        while (!begun.load(std::memory_order_relaxed)) std::this_thread::yield();
        on_threads(2, [&](unsigned thread) {
            if (thread == 0) owner.cancel(cause_of(source::attached));
            else r.check(p.shutdown_now().complete, "S1: an abrupt shutdown without a limit is complete");
        });
        r.balance(p.ledger());
    }
    for (const context& c : kept) r.check(c == context::background() || (c.stop_requested() && is_end_or_context(c.cause())), "C3, E2: a task's own context outlives task and pool, and keeps its cause");
}

}   // namespace

void causes(round& r) {
    const std::uint64_t ending = std::min<std::uint64_t>(r.tasks() / 4, 64);
    {
        pool p(r.options());
        const watch shown(p);
        run_heats(r, p, r.tasks() - ending);
        r.close(p);
    }
    if (ending > 0) race_with_the_end(r, ending);
}

}   // namespace lastly::stress::scenarios
