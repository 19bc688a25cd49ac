// See idle.hpp; the protocol, its proof, and the edges I1 to I4 are in README.md here.
#include "core/sched/idle.hpp"

#include "core/base/test_point.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

namespace lastly::detail {

bool idle_workers::stop_search() noexcept {
    const std::uint64_t before = word_.fetch_sub(one_searcher, seq_cst);   // order: [I1] the look at the queues comes after
    return searchers(before) == 1 && sleepers(before) != 0 && !LASTLY_FAULT("last-searcher");
}

bool idle_workers::prepare(unsigned worker) noexcept {
    const std::uint64_t before = sit_down(worker);
    wake_napper();
    return has_watchers(before);
}

idle_workers::company idle_workers::prepare_unlooked(unsigned worker) noexcept {
    const std::uint64_t before = sit_down(worker);
    return {has_watchers(before), searchers(before) > 1 || LASTLY_FAULT("others-search")};
}

std::uint64_t idle_workers::sit_down(unsigned worker) noexcept {
    seats_[worker].taken.store(counted, seq_cst);        // order: [I4] before the worker counts as a sleeper
    return word_.fetch_add(1 - one_searcher, seq_cst);   // order: [I1][I2] before the look at the queues; [I3] as in start_search
}

bool idle_workers::begin_nap() noexcept {
    std::uint64_t now = word_.load(relaxed);   // order: the exchange decides
    while (!naps(now)) {
        if (word_.compare_exchange_weak(now, now + one_napper, acquire, relaxed)) return true;   // order: [I5] what the last napper noted is this one's
    }
    return false;
}

void idle_workers::nap_until(std::chrono::steady_clock::time_point deadline) noexcept {
    // order (block): a hint; a nap that nobody ends in time has its deadline
    nap_.store(1, relaxed);
    while (nap_.load(relaxed) != 0 && futex_wait_until(nap_, 1, deadline)) {}
}

void idle_workers::wake_napper() noexcept {
    if (!naps() || nap_.exchange(0, relaxed) == 0) return;   // order: a hint that more CPUs are free
    futex_wake_one(nap_.address());
}

bool idle_workers::change_seat(unsigned worker, std::uint32_t from, std::uint32_t to) noexcept {
    return seats_[worker].taken.compare_exchange_strong(from, to, seq_cst, seq_cst);   // order: [I4] wakers, lenders and the worker exclude each other
}

void idle_workers::reserve(unsigned worker) noexcept {
    seats_[worker].taken.store(reserved, seq_cst);   // order: [I4] before anybody looks there
    count_.store(worker + 1, seq_cst);               // order: [I4] wakers look there from now on
}

void idle_workers::lend_reserved(unsigned worker) noexcept {
    word_.fetch_add(1, seq_cst);   // order: [I1][I2] before the lender's look at the queues
    change_seat(worker, reserved, counted);
    wake_napper();
}

bool idle_workers::lend(unsigned worker) noexcept {
    if (seats_[worker].taken.load(seq_cst) != uncounted) return false;   // order: [I4] a first look
    word_.fetch_add(1, seq_cst);   // order: [I1][I2] before the lender's look at the queues; a sleeper too many for a moment does no harm
    if (change_seat(worker, uncounted, counted)) {
        wake_napper();
        return true;
    }
    word_.fetch_sub(1, seq_cst);   // order: [I1] nobody more sleeps than before
    return false;
}

bool idle_workers::reclaim(unsigned worker) noexcept {
    if (!change_seat(worker, counted, uncounted)) return false;
    word_.fetch_sub(1, seq_cst);   // order: [I1] the reclaiming worker is awake: it looks at the queues before it sleeps
    return true;
}

void idle_workers::lie_down(unsigned worker) noexcept {
    seats_[worker].taken.store(uncounted, seq_cst);   // order: [I4] before the look at the end: the last to set it wakes every seat
}

void idle_workers::stay_down(unsigned worker, bool (*is_over)(void*), void* argument) noexcept {
    if (is_over(argument)) {
        while (seats_[worker].taken.load(seq_cst) != empty) {   // order: [I4] its waker, or nobody any more
            if (change_seat(worker, uncounted, empty)) word_.fetch_add(one_searcher, seq_cst);   // order: [I1] counts as if it had been woken
            else if (leave_seat(worker)) word_.fetch_add(one_searcher - 1, seq_cst);             // order: [I1] likewise, and it was lent meanwhile
            else continue;
            return;
        }
    }
    commit(worker);
}

bool idle_workers::cancel(unsigned worker) noexcept {
    for (;;) {
        if (leave_seat(worker)) {
            word_.fetch_add(one_searcher - 1, seq_cst);   // order: [I1] the next look at the queues comes after
            return true;
        }
        const std::uint32_t now = seats_[worker].taken.load(seq_cst);   // order: [I4] who was faster
        if (now == uncounted) return false;
        if (now != empty) continue;      // reclaimed and lent again
        word_.fetch_sub(1, seq_cst);     // order: [I1] the next look at the queues comes after; its waker has counted it as a searcher
        return true;
    }
}

void idle_workers::commit(unsigned worker) noexcept {
    futex_word& taken = seats_[worker].taken;
    while (const std::uint32_t sitting = taken.load(acquire)) futex_wait(taken, sitting);   // order: [I4] sees what the waker published
    word_.fetch_sub(1, seq_cst);                             // order: [I1] the next look at the queues comes after
}

bool idle_workers::free_a_seat() noexcept {
    const unsigned count = count_.load(seq_cst);   // order: [I4] sees the seats that are in use
    for (unsigned i = 0; i < count; ++i) {   // always from the first on: who was awake a short time ago has more in its caches
        if (seats_[i].taken.load(seq_cst) != counted || !leave_seat(i)) continue;   // order: [I4] after the claim on the searcher's place
        futex_wake_one(seats_[i].taken.address());
        return true;
    }
    return false;
}

bool idle_workers::any_seat_taken() const noexcept {
    const unsigned count = count_.load(seq_cst);   // order: [I4] sees the seats that are in use
    for (unsigned i = 0; i < count; ++i) {
        if (seats_[i].taken.load(seq_cst) == counted) return true;   // order: [I4] after the searcher's place was given back
    }
    return false;
}

void idle_workers::wake_one() noexcept {
    if (LASTLY_FAULT("lost-wake")) return;
    LASTLY_POINT("waking");
    std::uint64_t now = word_.load(seq_cst);   // order: [I1] after the work was published
    for (;;) {
        if (sleepers(now) == 0 || searchers(now) != 0) return;
        if (!word_.compare_exchange_weak(now, now + one_searcher, seq_cst, seq_cst)) continue;   // order: [I1] whoever prepares later sees the work
        LASTLY_POINT("waking-a-seat");
        if (free_a_seat()) {
            this_thread.has_woken = true;
            return;
        }
        now = word_.fetch_sub(one_searcher, seq_cst) - one_searcher;   // order: [I1] the look at the seats comes after
        if (!any_seat_taken()) return;   // those that are counted are awake and will look again
    }
}

void idle_workers::wake_all() noexcept {
    wake_napper();
    const unsigned count = count_.load(seq_cst);   // order: [I4] sees the seats that are in use
    for (unsigned i = 0; i < count; ++i) {
        for (;;) {
            const std::uint32_t now = seats_[i].taken.load(seq_cst);   // order: [I4] after the gate was set: whoever sits down later looks at that
            if (now != counted && now != uncounted) break;
            const std::uint64_t wakes = now == counted ? one_searcher : one_searcher + 1;   // as commit expects it
            word_.fetch_add(wakes, seq_cst);                           // order: [I1] whoever wakes counts as searching
            if (change_seat(i, now, empty)) {
                futex_wake_one(seats_[i].taken.address());
                break;
            }
            word_.fetch_sub(wakes, seq_cst);                           // order: [I1] it was lent, reclaimed, or woken by another
        }
    }
}

}   // namespace lastly::detail
