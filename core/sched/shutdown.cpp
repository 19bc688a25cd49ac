// Closing a pool: the gate, the wait for quiescence, the abrupt end, the destructor.
// Any thread. Invariants: 1. The gate is closed before the books are read (A4). 2. A pool is reported complete only when its books
// balance (G3). 3. One thread ends the workers; others wait for it. 4. No thread is ever killed (S2).
#include "core/base/clock.hpp"
#include "core/base/test_point.hpp"
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

// A wait for a moment at which nothing is unfinished.
struct quiet_wait {
    pool_core& pool;
    time_point deadline;
    bool quiescent = false;

    bool look() noexcept { return quiescent = is_quiescent(pool); }
    bool is_over() noexcept { return look() || steady_now() >= deadline; }
    void sleep() noexcept { pool.quiet.wait([this] { return look(); }, deadline); }
};

// False: the deadline has passed. `waits_on`: the caller comes back then.
bool wait_for_quiescence(pool_core& pool, time_point deadline, bool waits_on) noexcept {
    quiet_wait wait{pool, deadline};
    pool.idle.add_watcher();
    stand_aside(*pool.anchor, wait, waits_on);
    pool.idle.remove_watcher();
    return wait.quiescent;
}

// The books of a pool at rest; the first balanced ones stay. Submissions that came too late are not among the main columns.
bool close_books(pool_core& pool) noexcept {
    const ledger_snapshot now = take_main_ledger(pool);
    if (!now.balanced() && !LASTLY_FAULT("G3")) return false;
    pool.final_books = now;
    return true;
}

// Abrupt: the caller helps to run the chains of what has not started.
void help(pool_core& pool, time_point deadline) noexcept {
    account* const books = account_for(pool);
    while (books != nullptr && any_task_is_queued(pool) && steady_now() < deadline) {
        if (frame* const f = take_any(pool, *books)) {
            run_from_queue(pool, *books, *f);
            tell_watchers(pool);
        } else {
            yield_thread();   // a frame is on its way in
        }
    }
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

    bool has_ended() const noexcept { return pool.ending.load(seq_cst) != 1; }   // order: [E1] sees the final books
    bool is_over() const noexcept { return has_ended() || steady_now() >= deadline; }
    void sleep() const noexcept { pool.ended.wait([this] { return has_ended(); }, deadline); }
};

// Ends the workers, or waits for the thread that does. The pool was quiescent a moment ago.
void end_once(pool_core& pool, time_point deadline, bool waits_on) noexcept {
    std::uint32_t open = 0;
    if (pool.ending.compare_exchange_strong(open, 1, acq_rel, acquire)) {   // order: [E1] one thread ends it
        const bool balanced = close_books(pool);
        if (!balanced) yield_thread();   // a submission that raced the close is just being rejected
        pool.ender.store(&this_thread, relaxed);   // order: read by this thread only, or found to be another's
        const bool over = (balanced && end_workers(pool, deadline, waits_on) && end_guard(pool, deadline, waits_on)) || LASTLY_FAULT("G3");
        if (over) {
            context_access::node(pool.root)->cancel(errc::pool_shutdown);   // S6
            pool.guard.reset();
            pool.sink.tell_suppressed();
            close_books(pool);
        }
        pool.ender.store(nullptr, relaxed);         // order: before the next one may begin
        pool.ending.store(over ? 2 : 0, seq_cst);   // order: [E1] publishes the final books
        pool.ended.notify_all();
        return;
    }
    ended_wait wait{pool, deadline};
    stand_aside(*pool.anchor, wait, waits_on);
}

// True: the pool is closed for good.
bool close_until(pool_core& pool, bool abrupt, time_point deadline, bool waits_on) noexcept {
    close_gate(pool, abrupt ? gate_closed | gate_abrupt : gate_closed);
    if (is_called_from_inside(pool) || is_ending_here(pool)) return is_ended(pool);
    if (abrupt && !is_ended(pool)) help(pool, deadline);
    if (pool.ownerless.load(acquire) != 0) return false;   // order: [B3] a chain that this thread ran has destroyed the pool
    while (!is_ended(pool)) {
        if (!wait_for_quiescence(pool, deadline, waits_on) && !LASTLY_FAULT("G3")) return false;
        end_once(pool, deadline, waits_on);
        if (!is_ended(pool) && steady_now() >= deadline) return false;
    }
    return true;
}

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

}   // namespace

void close_gate(pool_core& pool, std::uint32_t bits) noexcept {
    LASTLY_POINT("closing");
    pool.anchor->gate().fetch_or(bits, seq_cst);   // order: [A1] before the books are read; [G1] tasks see the stop; [C1] before the look at the blocked callers
    pool.room.notify_all();
    if ((bits & gate_abrupt) != 0) context_access::node(pool.root)->cancel(errc::pool_shutdown);
}

void on_idle(pool_core& pool) noexcept {
    if (pool.ownerless.load(acquire) != 0 && is_quiescent(pool)) {   // order: [B3] sees the owner's last words
        pool.anchor->gate().fetch_or(gate_gone, seq_cst);            // order: [G1] the final state; [I4] before the seats are emptied
        pool.idle.wake_all();
    }
    pool.quiet.notify_all();
}

shutdown_report shut_down(pool_core& pool, bool abrupt, std::chrono::nanoseconds limit) {
    const call here(pool);   // a chain that it helps to run may destroy the pool
    const time_point deadline = deadline_after(limit);
    const bool complete = close_until(pool, abrupt, deadline, deadline == time_point::max());
    const ledger_snapshot now = take_ledger(pool);
    if (!complete) return {false, now, running_tasks(pool)};
    return {true, now.balanced() ? now : pool.final_books, {}};   // now, unless a late submission is just being rejected
}

void wait_idle(pool_core& pool) {
    if (is_called_from_inside(pool) && !LASTLY_FAULT("W4-idle")) {
        throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                "lastly: wait_idle inside a task of the same pool");
    }
    wait_for_quiescence(pool, time_point::max(), true);
}

void destroy_pool(pool_core* pool) noexcept {
    const bool abrupt = pool->options.on_destroy == on_destroy::cancel && !LASTLY_FAULT("S3");
    if (is_called_from_inside(*pool)) {
        close_gate(*pool, abrupt ? gate_closed | gate_abrupt : gate_closed);
        abandon_to_its_workers(*pool);
        return;
    }
    const time_point begin = steady_now();
    std::chrono::nanoseconds silence = first_word;
    while (!close_until(*pool, abrupt, deadline_after(silence), true)) {
        tell_what_is_waited_for(pool->options.name.c_str(), steady_now() - begin, take_ledger(*pool).live, &running_tasks_of, pool);
        silence = std::min<std::chrono::nanoseconds>(silence * 2, longest_silence);
    }
    free_pool(*pool);
    trim(0, nullptr, nullptr);
}

}   // namespace lastly::detail
