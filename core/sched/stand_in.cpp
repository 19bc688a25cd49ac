// See stand_in.hpp; edges I1, I2, I4 and W5 in README.md here.
#include "core/sched/stand_in.hpp"

#include "core/base/test_point.hpp"
#include "core/sched/pool_core.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

namespace lastly::detail {

namespace {

constexpr unsigned rounds_before_another_try = 4096;   // a place may have come free, or memory for a thread

bool take_excess(stand_in_places& places) noexcept {
    if (LASTLY_FAULT("excess-kept")) return false;
    std::uint32_t now = places.excess.load(seq_cst);   // order: [B7] between two looks at the lie-downs
    while (now != 0) {
        if (places.excess.compare_exchange_weak(now, now - 1, seq_cst, seq_cst)) return true;   // order: [B6] one taker of each place
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
        LASTLY_POINT("lending");
        if (pool.idle.lend(i)) return true;
    }
    return false;
}

// One from the excess, or one that sleeps uncounted. False: there is none, at a moment at which no stand-in was just lying down.
bool find_a_place(pool_core& pool) noexcept {
    stand_in_places& places = pool.stand_ins;
    for (;;) {
        const std::uint32_t over = places.lie_downs_over.load(seq_cst);   // order: [B7] before the look at the places
        if (take_excess(places)) return true;
        if (lend_a_place(pool)) {
            look_for_work(pool);
            return true;
        }
        if (places.lie_downs_begun.load(seq_cst) == over) return false;   // order: [B7] after the look at the places
        yield_thread();
    }
}

// A new stand-in, or one that came back meanwhile. False: no memory, no thread, or too many.
bool add_stand_in(pool_core& pool) noexcept {
    const std::lock_guard lock(pool.stand_ins.growth);
    return find_a_place(pool) || (!LASTLY_FAULT("W2") && try_add_stand_in(pool));
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
    turn_to(w.books, nullptr);
    offer_all_branches(w.branches);
    if (find_a_place(w.pool) || add_stand_in(w.pool)) return true;
    tell_once(w.pool);
    return false;
}

void end_absence(worker& w) noexcept {
    pool_core& pool = w.pool;
    const unsigned crew = pool.workers.size();
    for (unsigned i = pool.options.workers; i < crew; ++i) {
        if (pool.idle.reclaim(i)) return;
    }
    pool.stand_ins.excess.fetch_add(1, seq_cst);   // order: [B6] the next stand-in that is between two tasks lies down
}

// False: nobody could take its place, and it has not slept.
bool sleep_stood_in_for(worker& w, const waiting& wait) noexcept {
    if (!begin_absence(w)) return false;
    wait.sleep(wait.argument);
    end_absence(w);
    return true;
}

}   // namespace

void stand_aside(const waiting& wait) {
    worker* const w = this_thread.self;
    const bool in_hook = w != nullptr && w->in_hook;   // nobody stands in for it: a stand-in's own hook would wait likewise, and so on
    const bool may_help = w != nullptr && wait.is_endless && (!in_hook || wait.of == w->pool.anchor || runs_accepted_task(w->pool));
    const bool alone = LASTLY_FAULT("W2-pools") && w != nullptr && wait.of != w->pool.anchor;
    if (w != nullptr && !in_hook && !alone && sleep_stood_in_for(*w, wait)) return;
    if (!may_help || alone) return wait.sleep(wait.argument);   // W3
    for (unsigned rounds = 1; !wait.over(wait.argument); ++rounds) {
        if (!is_stack_scarce() && run_anything(*w)) continue;
        if (rounds % rounds_before_another_try == 0 && !in_hook && sleep_stood_in_for(*w, wait)) return;
        else yield_thread();
    }
    turn_to(w->books, nullptr);
}

bool lie_down_if_excess(worker& w) noexcept {
    pool_core& pool = w.pool;
    stand_in_places& places = pool.stand_ins;
    if (places.excess.load(relaxed) == 0) return false;   // order: a hint; the exchange decides
    places.lie_downs_begun.fetch_add(1, seq_cst);         // order: [B7] before a place leaves the excess
    const bool mine = take_excess(places);
    if (mine) pool.idle.lie_down(w.index);
    places.lie_downs_over.fetch_add(1, seq_cst);          // order: [B7] after it has become a seat
    if (!mine) return false;
    turn_to(w.books, nullptr);
    tell_watchers(pool);
    if (w.tasks.size() != 0) pool.idle.notify();
    pool.idle.stay_down(w.index, &is_gone, &w);
    return true;
}

void stay_down(worker& w) noexcept {
    look_for_work(w.pool);
    w.pool.idle.stay_down(w.index, &is_gone, &w);
}

void begin_asleep(worker& w) noexcept {
    w.pool.idle.lend_reserved(w.index);
    look_for_work(w.pool);
    w.pool.idle.stay_down(w.index, &is_gone, &w);
}

}   // namespace lastly::detail
