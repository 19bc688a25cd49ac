// See stand_in.hpp; edges I1, I2, I4 and W5 in README.md here.
#include "core/sched/stand_in.hpp"

#include "core/sched/pool_core.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <new>
#include <system_error>

namespace lastly::detail {

namespace {

bool take_excess(stand_in_places& places) noexcept {
    std::uint32_t now = places.excess.load(relaxed);   // order: a first guess
    while (now != 0) {
        if (places.excess.compare_exchange_weak(now, now - 1, seq_cst, relaxed)) return true;   // order: [B6] one taker of each place
    }
    return false;
}

bool is_gone(void* worker_of) noexcept {
    return (static_cast<worker*>(worker_of)->pool.anchor->gate().load(seq_cst) & gate_gone) != 0;   // order: [I4] after the seat was taken: the last to set it wakes every seat
}

// Work that was published before the place was vacant is seen here, what comes later sees the sleeper (README.md here).
void look_for_work(pool_core& pool) noexcept {
    if (any_queue_has_work(pool)) pool.idle.notify();
}

bool lend_a_place(pool_core& pool) noexcept {
    const unsigned crew = pool.workers.size();
    for (unsigned i = pool.options.workers; i < crew; ++i) {
        if (pool.idle.lend(i)) return true;
    }
    return false;
}

// A new stand-in, asleep on a counted seat. False: no memory, no thread, or too many.
bool add_stand_in(pool_core& pool) noexcept {
    const std::lock_guard lock(pool.stand_ins.growth);
    if (lend_a_place(pool)) return true;   // another waiter was faster, and is back
    return !LASTLY_FAULT("W2") && try_add_stand_in(pool);
}

void tell_once(pool_core& pool) noexcept {
    if (pool.stand_ins.told.exchange(1, relaxed) != 0) return;   // order: one teller only
    error_report report;
    report.kind = report_kind::no_stand_in;
    report.name = pool.options.name.c_str();
    report.site = {"(stand-in)", pool.workers.size() - pool.options.workers};
    pool.sink.report(report);
}

bool begin_absence(worker& w) noexcept {
    pool_core& pool = w.pool;
    turn_to(w.books, nullptr);
    if (take_excess(pool.stand_ins)) return true;
    if (!lend_a_place(pool) && !add_stand_in(pool)) {
        tell_once(pool);
        return false;
    }
    look_for_work(pool);
    return true;
}

void end_absence(worker& w) noexcept {
    pool_core& pool = w.pool;
    const unsigned crew = pool.workers.size();
    for (unsigned i = pool.options.workers; i < crew; ++i) {
        if (pool.idle.reclaim(i)) return;
    }
    pool.stand_ins.excess.fetch_add(1, seq_cst);   // order: [B6] the next stand-in that is between two tasks lies down
}

}   // namespace

void stand_aside(const waiting& wait) noexcept {
    worker* const w = this_thread.self;
    if (w == nullptr || this_thread.current == nullptr) {   // in a hook of the user's it is not at work
        wait.sleep(wait.argument);
    } else if (begin_absence(*w)) {
        wait.sleep(wait.argument);
        end_absence(*w);
    } else if (!wait.is_endless) {
        wait.sleep(wait.argument);   // W3
    } else {
        while (!wait.over(wait.argument)) {
            if (frame* const f = take_anything(*w)) run_from_queue(w->pool, w->books, *f);
            else yield_thread();
        }
        turn_to(w->books, nullptr);
    }
}

bool lie_down_if_excess(worker& w) noexcept {
    pool_core& pool = w.pool;
    if (pool.stand_ins.excess.load(relaxed) == 0 || !take_excess(pool.stand_ins)) return false;   // order: a hint; the exchange decides
    turn_to(w.books, nullptr);
    tell_watchers(pool);
    if (w.tasks.size() != 0) pool.idle.notify();
    pool.idle.lie_down(w.index, &is_gone, &w);
    return true;
}

void stay_down(worker& w) noexcept {
    look_for_work(w.pool);
    w.pool.idle.stay_down(w.index, &is_gone, &w);
}

void begin_asleep(worker& w) noexcept { w.pool.idle.stay_down(w.index, &is_gone, &w); }

}   // namespace lastly::detail
