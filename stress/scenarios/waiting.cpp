// Workers that wait: for groups, handles, branches and other pools, on one worker too, with a lock held. Only what such a wait depends on runs on top
// of it, each wait ends, and waiting for oneself says so.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

// What a wait is for: a task, a group or a fork. `outer`: what the waiting one belongs to itself. Lives longer than what belongs to it.
struct family {
    const family* outer = nullptr;
};

// While it lives, its thread waits for that family; for none: nothing may run on top.
class waits_for {
public:
    explicit waits_for(const family* awaited) noexcept : awaited_(awaited), below_(innermost) { innermost = this; }
    ~waits_for() { innermost = below_; }
    waits_for(const waits_for&) = delete;
    waits_for& operator=(const waits_for&) = delete;

    // May something of that family begin here, on top of what waits?
    static bool allows(const family* f) noexcept {
        if (innermost == nullptr) return true;
        for (; f != nullptr; f = f->outer) {
            if (f == innermost->awaited_) return true;
        }
        return false;
    }

private:
    static inline thread_local const waits_for* innermost = nullptr;

    const family* const awaited_;
    const waits_for* const below_;
};

// Locks that are held across waits. Nobody blocks for one: whoever holds it may sleep, and a blocked worker has no stand-in.
struct some_locks {
    static constexpr unsigned count = 4;
    static inline thread_local unsigned held_here = 0;   // bits
    std::array<std::mutex, count> all{};
};
class perhaps_locked {
public:
    perhaps_locked(some_locks& locks, std::uint64_t draw) : lock_(locks.all[draw % some_locks::count], std::defer_lock), bit_(1u << draw % some_locks::count) {
        if ((some_locks::held_here & bit_) == 0 && lock_.try_lock()) some_locks::held_here |= bit_;
    }
    ~perhaps_locked() {
        if (lock_.owns_lock()) some_locks::held_here &= ~bit_;
    }
    perhaps_locked(const perhaps_locked&) = delete;
    perhaps_locked& operator=(const perhaps_locked&) = delete;

private:
    std::unique_lock<std::mutex> lock_;
    const unsigned bit_;
};

struct place {
    round& r;
    pool& here;
    pool& other;
    some_locks locks{};
};

void begin(const place& w, const family* f) { w.r.check(waits_for::allows(f), "W1: a worker that waits runs only what its wait depends on"); }

// Of no family: nobody waits for it. It wants one of the locks.
void send_foreign(place& w, std::uint64_t draw) {
    send<1>(w.r.next(), succeeds, into(w.here), [&w, draw](task_context& t, cell& c) {
        defer(t, c);
        begin(w, nullptr);
        w.r.check((some_locks::held_here & 1u << draw % some_locks::count) == 0, "W1: a lock that is held across a wait is not met again on its own thread");
        const perhaps_locked held(w.locks, draw);
    });
}

// Waits for a group of three, of which the first goes on deeper; something foreign lies among them.
void wait_for_a_group(place& w, const family* own, unsigned depth, std::uint64_t draw) {
    const family members{own};
    task_group g(w.here, group_policy::collect);
    std::array<cell*, 3> cells{};
    const perhaps_locked held(w.locks, draw);
    for (unsigned i = 0; i < cells.size(); ++i) {
        cells[i] = &w.r.next();
        send<1>(*cells[i], succeeds, into(g), [&w, &members, i, depth, draw](task_context& t, cell& c) {
            defer(t, c);
            begin(w, &members);
            if (i == 0 && depth > 0) wait_for_a_group(w, &members, depth - 1, draw + 1);
        });
        if (i == 1) send_foreign(w, draw);
    }
    const waits_for mark(&members);
    g.wait();
    for (cell* const c : cells) c->expect_over();
}

// Waits for the oldest of three, with a limit first; then it lies beneath the others in the worker's queue, or is run by somebody else.
void wait_for_a_handle(place& w, const family* own, unsigned depth, std::uint64_t draw) {
    const family awaited{own};
    cell& oldest = w.r.next();
    const perhaps_locked held(w.locks, draw);
    task_plan plan = succeeds;
    plan.waiters = 1;
    const auto wanted = send<1>(oldest, plan, for_handle(w.here), [&w, &awaited, depth, draw](task_context& t, cell& c) {
        defer(t, c);
        begin(w, &awaited);
        if (depth > 0) wait_for_a_handle(w, &awaited, depth - 1, draw + 1);
    });
    send_foreign(w, draw);
    {
        const waits_for mark(nullptr);   // W3
        static_cast<void>(wanted->wait_for(std::chrono::microseconds(draw % 3)));
    }
    {
        const waits_for mark(&awaited);
        wanted->wait();
    }
    tell(oldest, *wanted);
}

// Waits for a task of the other pool, which waits for one of this pool, and so on.
void wait_across(place& w, const family* own, pool& to, pool& from, unsigned depth) {
    const family awaited{own};
    cell& c = w.r.next();
    task_plan plan = succeeds;
    plan.waiters = 1;
    const auto h = send<1>(c, plan, for_handle(to), [&w, &awaited, &to, &from, depth](task_context& t, cell& inner) {
        defer(t, inner);
        begin(w, &awaited);
        if (depth > 0) wait_across(w, &awaited, from, to, depth - 1);
    });
    const waits_for mark(&awaited);
    h->wait();
    tell(c, *h);
}

// Branches of branches, of uneven length: whoever waits for a stolen one takes parts of it, and nothing else.
void fork(place& w, const family* own, unsigned depth, std::uint64_t draw) {
    if (depth == 0) return;
    const family branches{own};
    const waits_for mark(&branches);
    const auto branch = [&](std::uint64_t number) {
        return [&w, &branches, depth, draw, number] {
            begin(w, &branches);
            const family here{&branches};
            random_numbers random(draw * 3 + number);
            for (std::uint64_t lingers = random.one_in(4) ? random.below(16) : 0; lingers > 0; --lingers) std::this_thread::yield();
            fork(w, &here, depth - 1, random());
        };
    };
    parallel_invoke(w.here, branch(0), branch(1), branch(2));
}

// The call says that it would wait for itself.
template <class F>
void expect_deadlock(round& r, F f, const char* rule) {
    try {
        f();
        r.check(false, rule);
    } catch (const std::system_error& e) {
        r.check(e.code() == std::errc::resource_deadlock_would_occur, rule);
    }
}

void wait_for_oneself(place& w) {
    cell& c = w.r.next();
    task_plan plan = succeeds;
    plan.waiters = 1;
    std::atomic<const task_handle<void>*> own{nullptr};
    const auto ask = [&] {
        expect_deadlock(w.r, [&] { own.load(std::memory_order_acquire)->wait(); }, "W4: a task that waits for its own handle is told so");
        expect_deadlock(w.r, [&] { w.here.wait_idle(); }, "W4: wait_idle inside a task of the pool says so");
    };
    const auto h = send<1>(c, plan, for_handle(w.here), [&](task_context& t, cell& inner) {
        defer(t, inner, ask);
        while (own.load(std::memory_order_acquire) == nullptr) std::this_thread::yield();
        ask();
        t.throw_if_stopped();
    });
    own.store(&*h, std::memory_order_release);
    task_group g(w.here);
    const auto wait = [&] { expect_deadlock(w.r, [&] { g.wait(); }, "W4: a group's wait inside one of its members says so"); };
    send<1>(w.r.next(), succeeds, into(g), [&](task_context& t, cell& inner) {
        defer(t, inner, wait);
        wait();
        parallel_invoke(w.here, wait, wait);
    });
    g.wait();
    h->wait();
    tell(c, *h);
}

constexpr unsigned deepest = 3;            // waits below a task's first one
constexpr std::uint64_t most_cells = 17;   // a task, and a group with three below it: three members and a foreign task each

enum class kind { group, handle, across, fork, oneself, count };

// A task from outside that waits in one of these ways. Returns how many cells that takes.
std::uint64_t send_waiting(place& w, kind k, random_numbers& random) {
    const std::uint64_t draw = random.below(1000);
    const auto depth = static_cast<unsigned>(random.below(deepest + 1));
    send<1>(w.r.next(), succeeds, into(w.here), [&w, k, draw, depth](task_context& t, cell& c) {
        defer(t, c);
        begin(w, nullptr);
        if (k == kind::group) wait_for_a_group(w, nullptr, depth, draw);
        else if (k == kind::handle) wait_for_a_handle(w, nullptr, depth, draw);
        else if (k == kind::across) wait_across(w, nullptr, w.other, w.here, depth);
        else fork(w, nullptr, depth + 1, draw);
    });
    const std::uint64_t a_level = k == kind::group ? 4 : k == kind::handle ? 2 : k == kind::across ? 1 : 0;
    return 1 + a_level * (depth + 1);
}

std::uint64_t wait_somehow(place& w, random_numbers& random) {
    const auto k = static_cast<kind>(random.below(static_cast<std::uint64_t>(kind::count)));
    if (k != kind::oneself) return send_waiting(w, k, random);
    wait_for_oneself(w);
    return 2;
}

// A pool that is shut down with a limit while a task is in its body, or in its last finalizer, on every worker: the report lists them, and
// they end afterwards. A shutdown inside a task, or in a callback of the pool's own stop, returns at once.
void end_with_running_tasks(round& r, random_numbers& random) {
    pool p(r.options());
    const watch shown(p);
    std::atomic<bool> open{false};
    std::atomic<unsigned> held{0}, in_finalizer{0};
    const auto hold = [&] {
        held.fetch_add(1, std::memory_order_relaxed);
        while (!open.load(std::memory_order_relaxed)) std::this_thread::yield();
    };
    for (unsigned i = 0; i < r.workers(); ++i) {
        const bool late = random.one_in(2);
        if (late) in_finalizer.fetch_add(1, std::memory_order_relaxed);
        send<1>(r.next(), succeeds, into(p, named("held")), [&, late](task_context& t, cell& c) {
            defer(t, c);
            if (late) return;
            hold();
            r.check(!p.shutdown().complete, "S1: inside a task of the pool a shutdown returns at once, and is not complete");
            send<1>(r.next(), succeeds, into(p), [] {});   // A6
        }, [&, late] {
            if (late) hold();
        });
    }
    while (held.load(std::memory_order_relaxed) < r.workers()) std::this_thread::yield();
    for (unsigned i = 0; i < 4; ++i) send<1>(r.next(), succeeds, into(p), [](task_context& t, cell& c) { defer(t, c); });
    const shutdown_report early = p.shutdown(std::chrono::microseconds(random.below(100)));
    r.check(!early.complete && early.still_running.size() == r.workers(), "S2: a report lists each task that still runs, and no other");
    r.check(static_cast<unsigned>(std::count_if(early.still_running.begin(), early.still_running.end(), [](const live_task& t) { return t.state == task_state::finalizing; })) == in_finalizer.load(std::memory_order_relaxed),
            "S2: a report says which tasks are finalizing");
    r.check(std::all_of(early.still_running.begin(), early.still_running.end(), [](const live_task& t) { return std::string(t.name) == "held"; }), "S2: a report names what still runs");
    std::atomic<unsigned> called{0};
    const std::stop_callback again(p.context().stop_token(), [&] {
        called.fetch_add(1, std::memory_order_relaxed);
        static_cast<void>(p.shutdown());
    });
    open.store(true, std::memory_order_relaxed);
    r.close(p);
    r.check(called.load(std::memory_order_relaxed) == 1, "S6: a pool that has closed for good cancels its root");
}

}   // namespace

void waiting(round& r) {
    random_numbers draws = r.random(99);
    const std::uint64_t ending = 2 * r.workers() + 4;
    if (r.tasks() >= ending) end_with_running_tasks(r, draws);
    constexpr std::uint32_t depths[] = {64, 2, 0};   // 0: each wait on a worker sleeps, and has a stand-in
    pool_options o = r.options();
    o.tuning.help_depth = depths[draws.below(3)];
    pool p(o), other(o);
    const watch shown(p), shown_too(other);
    place w{.r = r, .here = p, .other = other};
    const std::uint64_t tasks = r.tasks() > ending ? r.tasks() - ending : 0;
    on_threads(2, [&](unsigned thread) {
        random_numbers random = r.random(thread);
        constexpr unsigned at_once = 6;   // stand-ins are limited: what waits at a time has to be
        for (std::uint64_t left = share_of(tasks, thread, 2); left >= at_once * most_cells;) {
            for (unsigned i = 0; i < at_once; ++i) left -= wait_somehow(w, random);
            p.wait_idle();
        }
    });
    r.close(p);
    r.close(other);
    r.check(r.reports(report_kind::no_stand_in) == 0, "W2: a worker that sleeps in a wait has a stand-in");
}

}   // namespace lastly::stress::scenarios
