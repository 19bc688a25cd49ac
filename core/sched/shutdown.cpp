// Closing a pool: the gate, the wait for quiescence, the abrupt end, the destructor.
// Any thread. Invariants: 1. The gate is closed before the books are read (A4). 2. A pool is reported complete only when its books
// balance (G3). 3. One thread ends the workers; others wait for it. 4. No thread is ever killed (S2).
#include "core/base/clock.hpp"
#include "core/report/watchdog.hpp"
#include "core/sched/pool_core.hpp"
#include "core/structures/frame_store.hpp"
#include "core/task/completion.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <algorithm>
#include <stdexcept>

namespace lastly::detail {

namespace {

using time_point = std::chrono::steady_clock::time_point;

constexpr int looks_at_the_books = 1000;
constexpr auto first_word = std::chrono::seconds(5);   // a waiting destructor speaks after this long, then twice as long, and so on
constexpr auto longest_silence = std::chrono::minutes(5);

bool is_called_from_inside(const pool_core& pool) noexcept {
    if (LASTLY_FAULT("S4")) return false;
    return this_thread.home == pool.anchor || runs_task_of(*pool.anchor);
}

// Waits for a moment at which nothing is unfinished. False: the deadline has passed.
bool wait_for_quiescence(pool_core& pool, time_point deadline) noexcept {
    pool.idle.add_watcher();
    bool quiescent = false;
    for (bool in_time = true;; ) {
        const event_count::key seen = pool.quiet.prepare();
        quiescent = is_quiescent(pool);
        if (quiescent || !in_time) {
            pool.quiet.cancel();
            break;
        }
        in_time = pool.quiet.commit(seen, deadline);
    }
    pool.idle.remove_watcher();
    return quiescent;
}

// The books of a pool at rest. A late submission may be in the midst of being rejected: look again.
bool close_books(pool_core& pool) {
    for (int look = 0; look < looks_at_the_books; ++look) {
        pool.final_books = take_ledger(pool);
        if (pool.final_books.balanced() || LASTLY_FAULT("G3")) return true;
        yield_thread();
    }
    return false;
}

// Abrupt: the caller helps to run the chains of what has not started.
void help(pool_core& pool, time_point deadline) noexcept {
    account* const books = account_for(pool);
    while (books != nullptr && steady_now() < deadline) {
        frame* const f = take_any(pool, *books);
        if (f == nullptr) return;
        run_from_queue(pool, *books, *f);
    }
}

shutdown_report report_of(pool_core& pool) {
    const ledger_snapshot now = take_ledger(pool);
    if (pool.ending.load(acquire) != 2) return {false, now, running_tasks(pool)};   // order: [E1] sees the final books
    return {true, now.balanced() ? now : pool.final_books, {}};   // now, unless a late submission is just being rejected
}

// Ends the workers, or waits for the thread that does. The pool is quiescent.
void end_once(pool_core& pool, time_point deadline) {
    std::uint32_t open = 0;
    if (pool.ending.compare_exchange_strong(open, 1, acq_rel, acquire)) {   // order: [E1] one thread ends it
        if (close_books(pool)) {
            end_workers(pool);
            pool.guard.reset();
            pool.sink.tell_suppressed();
            close_books(pool);
            pool.ending.store(2, seq_cst);   // order: [E1] publishes the final books
        } else {
            pool.ending.store(0, seq_cst);   // order: [E1] not yet: the books do not balance
        }
        pool.ended.notify_all();
        return;
    }
    for (bool in_time = true; in_time;) {
        const event_count::key seen = pool.ended.prepare();
        if (pool.ending.load(seq_cst) != 1) {   // order: [E1] sees the final books
            pool.ended.cancel();
            return;
        }
        in_time = pool.ended.commit(seen, deadline);
    }
}

shutdown_report shut_down_until(pool_core& pool, bool abrupt, time_point deadline) {
    close_gate(pool, abrupt ? gate_closed | gate_abrupt : gate_closed);
    if (is_called_from_inside(pool)) return report_of(pool);
    if (abrupt && pool.ending.load(acquire) == 0) help(pool, deadline);   // order: [E1] sees the final books
    if (pool.ending.load(acquire) == 2 || wait_for_quiescence(pool, deadline) || LASTLY_FAULT("G3")) end_once(pool, deadline);   // order: [E1] sees the final books
    return report_of(pool);
}

void abandon_to_its_workers(pool_core& pool) noexcept {
    pool.guard.reset();
    for (const auto& w : pool.workers) w->self.detach();
    pool.idle.add_watcher();
    pool.inside.fetch_add(1, acq_rel);       // order: [B3] this thread stays inside until the last line
    pool.ownerless.store(1, release);        // order: [B3] the last thread inside frees the pool
    on_idle(pool);
    leave_pool(pool);
}

}   // namespace

void close_gate(pool_core& pool, std::uint32_t bits) noexcept {
    pool.anchor->gate().fetch_or(bits, seq_cst);   // order: [A1] before the books are read; [G1] tasks see the stop; [C1] before the look at the blocked callers
    pool.room.notify_all();
}

void on_idle(pool_core& pool) noexcept {
    if (pool.ownerless.load(acquire) != 0 && is_quiescent(pool)) {   // order: [B3] sees the owner's last words
        pool.anchor->gate().fetch_or(gate_gone, seq_cst);            // order: [G1] the final state; [I4] before the seats are emptied
        pool.idle.wake_all();
    }
    pool.quiet.notify_all();
}

shutdown_report shut_down(pool_core& pool, bool abrupt, std::chrono::nanoseconds limit) {
    return shut_down_until(pool, abrupt, deadline_after(limit));
}

void wait_idle(pool_core& pool) {
    if (is_called_from_inside(pool) && !LASTLY_FAULT("W4-idle")) {
        throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                "lastly: wait_idle inside a task of the same pool");
    }
    wait_for_quiescence(pool, time_point::max());
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
    while (!shut_down_until(*pool, abrupt, deadline_after(silence)).complete) {
        const ledger_snapshot now = take_ledger(*pool);
        tell_what_is_waited_for(pool->options.name, steady_now() - begin, now.live, running_tasks(*pool));
        silence = std::min<std::chrono::nanoseconds>(silence * 2, longest_silence);
    }
    report_held(*pool->anchor);
    delete pool;
    trim(0, nullptr, nullptr);
}

}   // namespace lastly::detail
