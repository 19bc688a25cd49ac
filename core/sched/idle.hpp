// Who sleeps, who searches, who is woken: an event count with a seat for each worker.
// Workers: start_search, stop_search, prepare, prepare_unlooked, cancel, commit, lie_down, stay_down, lend_reserved, naps. Any thread: the rest. The protocol and its proof are in
// README.md here. The word:
//
//   bits 0-15 sleepers (workers between prepare and leaving their seat)   16-31 searchers   32-62 watchers of quiescence   63 a searcher naps
//   a seat:   0 nobody -> 1 its worker sleeps and may be woken -> 0; 0 -> 2 its worker sleeps and is not counted (a stand-in whose
//             place is not vacant) -> 0; 1 <-> 2; 0 -> 3 kept for a stand-in that is being made -> 1, or 0
//
// Invariants: 1. A worker on a seat sleeps until the seat is taken from it: there is no timeout. 2. Whoever publishes work and sees
// sleepers but no searcher wakes one; a claim on the searcher's place comes first, so at most one is being woken at a time.
// 3. A worker that leaves the searchers looks at every queue afterwards, before it sleeps, unless others search on.
#pragma once

#include "core/base/futex.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

namespace lastly::detail {

class idle_workers {
public:
    static constexpr unsigned max_workers = 4096;

    // Seats 0 to count - 1 are the workers', in use from the start; the others are once `reserve` says so.
    explicit idle_workers(unsigned count, unsigned more = 0) : workers_(count), count_(count), seats_(std::make_unique<seat[]>(count + more)) {}

    // A seat for a stand-in that is being made. Nobody else changes it before one of the two that follow: the stand-in is at hand, and
    // counts as a sleeper, who looks at the queues before it sleeps; there is no such worker after all.
    void reserve(unsigned worker) noexcept;
    void lend_reserved(unsigned worker) noexcept;
    void unreserve(unsigned worker) noexcept { change_seat(worker, reserved, empty); }
    // A sleeping stand-in that is not counted may be woken from now on; false: none sleeps there like that. Whoever lends looks at
    // the queues afterwards.
    bool lend(unsigned worker) noexcept;
    // The reverse. False: it is awake, or not counted.
    bool reclaim(unsigned worker) noexcept;
    // A stand-in that is no searcher takes its seat, uncounted: it may be lent from now on.
    void lie_down(unsigned worker) noexcept;
    // It sleeps there until it was lent and woken; on return it is a searcher. `is_over`: wakes at once.
    void stay_down(unsigned worker, bool (*is_over)(void*), void* argument) noexcept;

    // Both return whether somebody watches for quiescence.
    bool start_search() noexcept { return has_watchers(word_.fetch_add(one_searcher, acq_rel)); }   // order: [I3] a watcher that comes later sees what this worker counted
    bool prepare(unsigned worker) noexcept;
    // The same for a searcher that has not looked for work. If others search on, the last of them will look: it may sleep at once.
    struct company {
        bool watch, search;
    };
    company prepare_unlooked(unsigned worker) noexcept;
    // True: this was the last searcher, and somebody sleeps: if there is more work, wake one.
    bool stop_search() noexcept;
    // After prepare, instead of commit: searches on. False: its place was reclaimed meanwhile, it has to stay down.
    bool cancel(unsigned worker) noexcept;
    // Sleeps until woken; on return this worker is a searcher.
    void commit(unsigned worker) noexcept;

    // After work was published: wakes a sleeper if nobody searches.
    void notify() noexcept {
        const std::uint64_t now = word_.load(seq_cst);   // order: [I1][I2] after the work was published
        if (sleepers(now) != 0 && searchers(now) == 0) wake_one();
    }
    void wake_all() noexcept;

    // A searcher naps, and counts as one meanwhile. At most one does: false, another one. Each nap lasts until somebody goes to sleep, or the deadline.
    bool begin_nap() noexcept;
    void nap_until(std::chrono::steady_clock::time_point deadline) noexcept;
    bool naps() const noexcept { return naps(word_.load(relaxed)); }   // order: a hint: somebody holds back
    void wake_napper() noexcept;
    void end_nap() noexcept { word_.fetch_sub(one_napper, release); }   // order: [I5] what this one noted is the next napper's
    bool sleeps(unsigned worker) const noexcept { return seats_[worker].taken.load(relaxed) != empty; }   // order: a hint: whose CPU time to ask for
    // Workers that neither sleep nor nap.
    unsigned awake() const noexcept {
        const std::uint64_t now = word_.load(relaxed);   // order: a hint: whether to hold back
        const unsigned others = sleepers(now) + (naps(now) ? 1 : 0);
        return workers_ - std::min(workers_, others);
    }
    // Not 0 in its lower half: some worker sleeps or searches.
    const atomic<std::uint64_t>& word() const noexcept { return word_; }
    unsigned idle_count() const noexcept {
        const std::uint64_t now = word_.load(relaxed);   // order: a hint: how much to offer
        return sleepers(now) + searchers(now);
    }

    void add_watcher() noexcept { word_.fetch_add(one_watcher, acq_rel); }                    // order: [I3] sees what idle workers counted before
    void remove_watcher() noexcept { word_.fetch_sub(one_watcher, relaxed); }                 // order: one look too many does no harm
    bool has_watchers() noexcept { return has_watchers(word_.fetch_add(0, acq_rel)); }        // order: [I3] a watcher that comes later sees what this thread counted

private:
    static constexpr std::uint64_t one_searcher = std::uint64_t{1} << 16;
    static constexpr std::uint64_t one_watcher = std::uint64_t{1} << 32;
    static constexpr unsigned sleepers(std::uint64_t w) noexcept { return static_cast<unsigned>(w & 0xffff); }
    static constexpr unsigned searchers(std::uint64_t w) noexcept { return static_cast<unsigned>(w >> 16 & 0xffff); }
    static constexpr bool has_watchers(std::uint64_t w) noexcept { return (w >> 32 & 0x7fffffff) != 0; }
    static constexpr std::uint64_t one_napper = std::uint64_t{1} << 63;
    static constexpr bool naps(std::uint64_t w) noexcept { return (w & one_napper) != 0; }

    static constexpr std::uint32_t empty = 0, counted = 1, uncounted = 2, reserved = 3;
    struct alignas(64) seat {
        futex_word taken{0};
    };
    bool change_seat(unsigned worker, std::uint32_t from, std::uint32_t to) noexcept;
    void wake_one() noexcept;
    bool free_a_seat() noexcept;
    std::uint64_t sit_down(unsigned worker) noexcept;
    bool any_seat_taken() const noexcept;
    bool leave_seat(unsigned worker) noexcept { return change_seat(worker, counted, empty); }

    alignas(64) atomic<std::uint64_t> word_{0};
    futex_word nap_{0};               // 1: the napper sleeps
    const unsigned workers_;
    atomic<unsigned> count_;          // seats in use
    std::unique_ptr<seat[]> seats_;
};

}   // namespace lastly::detail
