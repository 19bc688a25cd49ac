// Closing a pool: the gate, the wait for quiescence, the abrupt end, the destructor.
// Any thread. Invariants: 1. The gate is closed before the books are read (A4). 2. A pool is reported complete only when its books
// balance (G3). 3. One thread ends the workers; others wait for it. 4. No thread is ever killed (S2).
#include "core/base/clock.hpp"
#include "core/base/process.hpp"
#include "core/base/test_point.hpp"
#include "core/base/thread.hpp"
#include "core/report/watchdog.hpp"
#include "core/sched/pool_core.hpp"
#include "core/sched/stand_in.hpp"
#include "core/task/context.hpp"
#include "core/structures/frame_store.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <algorithm>
#include <mutex>

namespace lastly::detail {

namespace {

using time_point = std::chrono::steady_clock::time_point;

constexpr auto first_word = std::chrono::seconds(5);   // a waiting destructor speaks after this long, then twice as long, and so on
constexpr auto longest_silence = std::chrono::minutes(5);

bool is_called_from_inside(const pool_core& pool) noexcept {
    if (LASTLY_FAULT("S4")) return false;
    return this_thread.home == pool.anchor || runs_task_of(*pool.anchor) || visit::is_at(*pool.anchor);
}

// From the end of the process's end on nobody waits for a pool (P1).
bool is_all_over() noexcept { return stage_of_process() == process_stage::over; }

// Every worker was lost (P4) while tasks were queued: whoever waits for the pool runs them.
bool is_left_alone(pool_core& pool) noexcept {
    return pool.at_work.load(seq_cst) == 0 && any_task_is_queued(pool);   // order: [B4] after the last worker told its watchers
}

// Somebody waits for quiescence, while this lives.
class watching {
public:
    explicit watching(pool_core& pool) noexcept : pool_(pool) { pool_.idle.add_watcher(); }
    ~watching() { pool_.idle.remove_watcher(); }
    watching(const watching&) = delete;
    watching& operator=(const watching&) = delete;

private:
    pool_core& pool_;
};

bool has_passed(time_point deadline) noexcept { return deadline != time_point::max() && steady_now() >= deadline; }

// The caller helps: with chains if the end is abrupt, with tasks where there are no workers left. One of them may leave the thread (P4).
void help(pool_core& pool, time_point deadline) {
    account* const books = account_for(pool);
    if (books == nullptr) return yield_thread();   // no memory, for now
    struct told {
        pool_core& pool;
        account& books;
        ~told() {
            turn_to(books, nullptr);   // no loop of a worker's follows that would tell whoever waits for a group
            tell_watchers(pool);
        }
    };
    nothing_caught here;   // this may be within a catch of the caller's
    for (bool some = true; some && !has_passed(deadline);) {
        const told after{pool, *books};
        {
            helper by(pool, *books);
            task_runner tasks(pool, *books);
            if (deadline == time_point::max()) tasks.run_all(by.next(), [&by] { return by.next(); });
            else tasks.run_all(by.next(), [&] { return has_passed(deadline) ? nullptr : by.next(); });
        }
        some = any_task_is_queued(pool);
        if (some) yield_thread();   // a frame is on its way in
    }
    here.restore();
}

// A wait for a moment at which nothing is unfinished.
struct quiet_wait {
    pool_core& pool;
    time_point deadline;
    bool of_an_end;   // somebody ends the pool: gives up when the process's end is over
    bool quiescent = false;

    bool look() noexcept { return (quiescent = is_quiescent(pool)) || (of_an_end && is_all_over()) || is_left_alone(pool); }
    bool is_over() noexcept { return look() || steady_now() >= deadline; }
    void sleep() noexcept { pool.quiet.wait([this] { return look(); }, deadline); }
};

// A wait for a moment at which nothing is unfinished, no branch runs that outlived its task's end by `exit`, and no caller has blocked whose chain may be to run.
struct rest_wait {
    pool_core& pool;
    time_point deadline;
    bool rests = false;

    bool look() noexcept { return rests = is_quiescent(pool) && !runs_anything(pool) && pool.blocked.load(seq_cst) == 0; }   // order: [Q1] sees a refused caller's chain
    bool is_over() noexcept { return look() || steady_now() >= deadline; }
    void sleep() noexcept { pool.quiet.wait([this] { return look(); }, deadline); }
};

// False: the deadline has passed. `waits_on`: the caller comes back then.
bool wait_for_quiescence(pool_core& pool, time_point deadline, bool waits_on, bool of_an_end) {
    quiet_wait wait{pool, deadline, of_an_end};
    const watching here(pool);
    for (;;) {
        stand_aside(*pool.anchor, wait, waits_on);
        if (wait.quiescent || (of_an_end && is_all_over()) || steady_now() >= deadline) break;
        if (is_left_alone(pool) && !revive_crew(pool)) help(pool, deadline);
    }
    return wait.quiescent;
}

// The books of a pool at rest; the first balanced ones stay. Submissions that came too late are not among the main columns.
bool close_books(pool_core& pool) noexcept {
    const ledger_snapshot now = take_main_ledger(pool);
    if (!now.balanced() && !LASTLY_FAULT("G3")) return false;
    pool.final_books = now;
    return true;
}

// This thread is about to end the pool, and helps with a task meanwhile, or runs a callback of the stop: it cannot wait for itself.
bool is_ending_here(const pool_core& pool) noexcept {
    return pool.ender.load(relaxed) == &this_thread && !LASTLY_FAULT("S1-self");   // order: its own, or another's
}
bool is_ended(pool_core& pool) noexcept { return pool.ending.load(acquire) == 2; }   // order: [E1] sees the final books

// A wait for the thread that ends the pool.
struct ended_wait {
    pool_core& pool;
    time_point deadline;

    bool has_ended() const noexcept { return pool.ending.load(seq_cst) != 1 || is_all_over(); }   // order: [E1] sees the final books
    bool is_over() const noexcept { return has_ended() || steady_now() >= deadline; }
    void sleep() const noexcept { pool.ended.wait([this] { return has_ended(); }, deadline); }
};

// The right to end a pool, which one thread has at a time; given back also when that is left (P4).
struct ending_here {
    pool_core& pool;
    bool over = false;

    ~ending_here() {
        pool.ender.store(nullptr, relaxed);         // order: before the next one may begin
        pool.ending.store(over ? 2 : 0, seq_cst);   // order: [E1] publishes the final books
        pool.ended.notify_all();
    }
};

// Ends the workers, or waits for the thread that does. The pool was quiescent a moment ago.
void end_once(pool_core& pool, time_point deadline, bool waits_on) {
    std::uint32_t open = 0;
    if (pool.ending.compare_exchange_strong(open, 1, acq_rel, acquire)) {   // order: [E1] one thread ends it
        ending_here here{pool};
        const bool balanced = close_books(pool);
        if (!balanced) yield_thread();   // a submission that raced the close is just being rejected
        pool.ender.store(&this_thread, relaxed);   // order: read by this thread only, or found to be another's
        here.over = (balanced && end_workers(pool, deadline, waits_on) && end_guard(pool, deadline, waits_on)) || LASTLY_FAULT("G3");
        if (!here.over) return;
        context_access::node(pool.root)->cancel(errc::pool_shutdown);   // S6
        here.over = !pool.anchor->is_inherited();                       // a stop callback may have forked
        if (!here.over) return;
        pool.guard.reset();
        pool.sink.tell_suppressed();
        close_books(pool);
        return;
    }
    ended_wait wait{pool, deadline};
    stand_aside(*pool.anchor, wait, waits_on);
}

}   // namespace

bool close_until(pool_core& pool, bool abrupt, time_point deadline, bool waits_on) {
    close_gate(pool, abrupt ? gate_closed | gate_abrupt : gate_closed);
    if (pool.anchor->is_inherited()) return false;   // a stop callback has forked
    if (is_called_from_inside(pool) || is_ending_here(pool)) return is_ended(pool);
    if (abrupt && !is_ended(pool)) help(pool, deadline);
    if (pool.ownerless.load(acquire) != 0) return false;   // order: [B3] a chain that this thread ran has destroyed the pool
    while (!is_ended(pool) && !is_all_over()) {
        if (!wait_for_quiescence(pool, deadline, waits_on, true) && !LASTLY_FAULT("G3")) return false;
        end_once(pool, deadline, waits_on);
        if (pool.anchor->is_inherited() || (!is_ended(pool) && steady_now() >= deadline)) return false;
    }
    return is_ended(pool);
}

namespace {

std::vector<live_task> running_tasks_of(void* pool) { return running_tasks(*static_cast<pool_core*>(pool)); }

void abandon_to_its_workers(pool_core& pool) noexcept {
    {
        const std::lock_guard lock(pool.stand_ins.growth);   // a waiting task may just be getting a stand-in
        pool.stand_ins.nobody_joins = true;
        for (unsigned i = 0; i < pool.workers.size(); ++i) pool.workers[i].self.detach();
    }
    pool.inside.fetch_add(1, acq_rel);       // order: [B3] this thread stays inside until the last line
    pool.ownerless.store(1, release);        // order: [B3] the last thread inside frees the pool
    pool.idle.add_watcher();                 // whoever touches the word later sees both; whoever did before is seen by the look that follows
    on_idle(pool);
    leave_pool(pool, account_for(pool));
}

// Tasks see the stop from now on; the root's listeners are not told yet. Returns: the gate as it is.
std::uint32_t set_gate(pool_core& pool, std::uint32_t bits) noexcept {
    LASTLY_POINT("closing");
    atomic<std::uint32_t>& gate = pool.anchor->gate();
    std::uint32_t now = gate.load(relaxed);   // order: a first guess
    std::uint32_t next = 0;
    do {
        const bool has_cause = (now & gate_abrupt) != 0;
        next = now | (has_cause ? bits & (gate_closed | gate_abrupt | gate_gone) : bits);
    } while (!gate.compare_exchange_weak(now, next, seq_cst, relaxed));   // order: [A1] before the books are read; [G1] tasks see the stop; [C1] before the look at the blocked callers
    pool.room.notify_all();
    return next;
}

// Stop callbacks may need what this thread holds.
void close_elsewhere(pool_core& pool) {
    pool.is_kept.store(1, release);   // order: [P2] the other thread may be late
    set_gate(pool, gate_closed | gate_abrupt | gate_exit);
    thread other;
    if (other.start([](void* p) { close_for_exit(*static_cast<pool_core*>(p)); }, &pool, "lastly-exit")) close_for_exit(pool);
    else other.detach();
}

// This thread is in a shutdown's stop callback, say, which calls exit.
bool is_in_a_call_of(pool_core& pool) noexcept {
    const account* const books = account_for(pool);
    return stay::of(*pool.anchor) != nullptr || (books != nullptr && books->arrived.read() != books->departed.read());
}

}   // namespace

namespace {

// On a thread that does nothing else: a stop callback that forks and comes back there ends the child.
void close_abruptly(pool_core& pool, std::uint32_t why) noexcept {
    const std::uint32_t begun_in = fork_generation();
    close_gate(pool, gate_closed | gate_abrupt | why);
    if (fork_generation() != begun_in) end_child();
}

}   // namespace

void close_for_exit(pool_core& pool) noexcept { close_abruptly(pool, gate_exit); }
void close_for_signal(pool_core& pool, int signal) noexcept { close_abruptly(pool, static_cast<std::uint32_t>(signal) << gate_cause_shift); }

bool help_for_exit(pool_core& pool, std::chrono::steady_clock::time_point deadline) {
    const call here(pool);
    help(pool, deadline);
    return steady_now() < deadline;
}

bool rest_for_exit(pool_core& pool, std::chrono::steady_clock::time_point deadline) noexcept {
    rest_wait wait{pool, deadline};
    const watching here(pool);
    stand_aside(*pool.anchor, wait, false);
    return wait.rests;
}

void tell_what_hangs(pool_core& pool, std::chrono::nanoseconds time) noexcept {
    tell_what_is_waited_for(who_waits::the_process, pool.options.name.c_str(), time, take_ledger(pool).live, &running_tasks_of, &pool);
}

void close_gate(pool_core& pool, std::uint32_t bits) noexcept {
    const std::uint32_t now = set_gate(pool, bits);
    if ((bits & gate_abrupt) != 0) context_access::node(pool.root)->cancel(end_cause(now));
}

void on_idle(pool_core& pool) noexcept {
    if (pool.ownerless.load(acquire) != 0 && is_quiescent(pool)) {   // order: [B3] sees the owner's last words
        pool.anchor->gate().fetch_or(gate_gone, seq_cst);            // order: [G1] the final state; [I4] before the seats are emptied
        pool.idle.wake_all();
    }
    pool.quiet.notify_all_if([&pool] { return is_quiescent(pool) || is_left_alone(pool); });   // else who waits would only look, and sleep again
}

shutdown_report shut_down(pool_core& pool, bool abrupt, std::chrono::nanoseconds limit) {
    pool.anchor->refuse_to_wait_if_inherited();
    const call here(pool);   // a chain that it helps to run may destroy the pool
    const time_point deadline = deadline_after(limit);
    const bool complete = close_until(pool, abrupt, deadline, deadline == time_point::max());
    pool.anchor->refuse_to_wait_if_inherited();
    const ledger_snapshot now = take_ledger(pool);
    if (!complete) return {false, now, running_tasks(pool)};
    return {true, now.balanced() ? now : pool.final_books, {}};   // now, unless a late submission is just being rejected
}

bool end_for_good(pool_core& pool, bool abrupt) {
    const call here(pool);
    return close_until(pool, abrupt, time_point::max(), true);
}

void wait_idle(pool_core& pool) {
    pool.anchor->refuse_to_wait_if_inherited();
    if (is_called_from_inside(pool) && !LASTLY_FAULT("W4-idle")) {
        throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                "lastly: wait_idle inside a task of the same pool");
    }
    wait_for_quiescence(pool, time_point::max(), true, false);
}

namespace {

void destroy_here(pool_core* pool) {
    if (is_all_over() || pool->anchor->is_inherited()) return;
    const bool abrupt = pool->options.on_destroy == on_destroy::cancel && !LASTLY_FAULT("S3");
    if (is_called_from_inside(*pool) || (pool->is_static && is_in_a_call_of(*pool))) {
        if (pool->is_static) close_elsewhere(*pool);
        else close_gate(*pool, abrupt ? gate_closed | gate_abrupt : gate_closed);
        abandon_to_its_workers(*pool);
        return;
    }
    if (pool->is_static && !LASTLY_FAULT("P1-static")) return end_with_image(*pool);
    const time_point begin = steady_now();
    std::chrono::nanoseconds silence = first_word;
    while (!close_until(*pool, abrupt, deadline_after(silence), true)) {
        if (is_all_over() || pool->anchor->is_inherited()) return;
        tell_what_is_waited_for(who_waits::its_destructor, pool->options.name.c_str(), steady_now() - begin, take_ledger(*pool).live, &running_tasks_of, pool);
        silence = std::min<std::chrono::nanoseconds>(silence * 2, longest_silence);
    }
    free_pool(*pool);
    trim(0, nullptr, nullptr);
}

}   // namespace

void destroy_pool(pool_core* pool) noexcept {
    nothing_caught here;   // the pool may go within a catch
    with_rest([pool] { destroy_here(pool); }, [pool] { destroy_pool(pool); });   // a destructor cannot be left: std::terminate follows
    here.restore();
}

}   // namespace lastly::detail
