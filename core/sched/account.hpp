// A thread's books with one pool: the ledger's columns, each counted at its own event, and its place in the injector.
// Written by its thread only, read by any. Invariants: 1. Columns only grow. 2. An account belongs to its pool and to its thread;
// whoever leaves last frees it. 3. An account that its thread left is taken over by a later thread: columns go on.
//
//   tenure   vacant -> tenanted (a thread took it) -> vacant (the thread ended) ...; orphaned: the pool is gone
#pragma once

#include "core/structures/counter.hpp"
#include "core/structures/injector.hpp"
#include "lastly/detail/frame.hpp"

#include <memory>
#include <utility>

namespace lastly::detail {

class pool_core;

inline constexpr std::uint32_t vacant = 0;
inline constexpr std::uint32_t tenanted = 1;
inline constexpr std::uint32_t orphaned = 2;

// The ledger's columns that a refused submission touches.
struct refusals {
    counter attempts, rejected, attached, run, returned, thrown;

    // Moves the record's finalizer columns here.
    void take_finalizers(run_record& r) noexcept {
        if ((r.attached | r.run) == 0) return;
        if (r.attached != 0) attached.add(std::exchange(r.attached, 0));
        if (r.run == 0) return;
        run.add(std::exchange(r.run, 0));
        returned.add(std::exchange(r.returned, 0));
        if (r.thrown != 0) thrown.add(std::exchange(r.thrown, 0));
    }
};

// How far the stolen branch is that a worker runs: a header like a task's, for the watchdog.
struct part_header {
    frame header;
    name_slot name;

    part_header() noexcept;
    // A branch of that task runs from now on.
    void begin(const run_record& r) noexcept;
};

struct alignas(64) account {
    refusals main;         // the ledger's columns
    counter accepted, succeeded, failed, cancelled;
    counter retired;       // accepted tasks that are over in every respect
    refusals late;         // submissions that saw the gate closed before they were announced: no closer waits for them
    counter handed_out;    // outcomes that went to handles
    counter arrived, departed;   // this thread's calls: the pool is not freed while they differ
    // The injector's sum over all accounts: attempts of threads that are no workers + spilled - withdrawn - taken.
    counter spilled;       // tasks that a worker's deque could not take
    counter withdrawn;     // attempts of a thread that is no worker which did not reach the injector
    counter taken;         // tasks taken from the injector

    atomic<frame*> now{nullptr};          // the task that runs on this thread, for the watchdog
    part_header part;                     // a worker's
    atomic<std::uint32_t> tenure{tenanted};
    bool worker = false;
    bool frees_pool = false;              // S4: the last thread inside is in a call of its own, and frees the pool after it
    group_core* works_for = nullptr;      // a worker's: the group whose members have left here, with nobody told yet
    unsigned place_in_groups = ~0u;       // a worker's own; else the one that others share
    std::uint64_t pool_serial = 0;
    std::unique_ptr<injector::producer> door;   // the pool's; null: no memory for one
    account* next = nullptr;              // the pool's list
    account* next_of_thread = nullptr;    // the thread's list
};

// The worker turns to something else than that group; null: to nothing of any group. Whoever waits for the one before is told.
void turn_away(account& books, group_core* g) noexcept;
inline void turn_to(account& books, group_core* g) noexcept {
    if (books.works_for != g) turn_away(books, g);
}

// While it lives the watchdog sees that this thread runs that frame; then what was interrupted is seen again.
class shown_frame {
public:
    shown_frame(account* books, frame& f) noexcept : books_(books), interrupted_(books != nullptr ? books->now.load(relaxed) : nullptr) {   // order: this thread's own
        if (books_ != nullptr) books_->now.store(&f, release);   // order: [K2] the watchdog sees a frame that was handed out
    }
    ~shown_frame() {
        if (books_ != nullptr) books_->now.store(interrupted_, release);   // order: [K2] the task that was interrupted is shown again
    }
    shown_frame(const shown_frame&) = delete;
    shown_frame& operator=(const shown_frame&) = delete;

private:
    account* const books_;
    frame* const interrupted_;
};

// This thread's account with the pool; null: no memory.
account* account_for(pool_core& pool) noexcept;
// A new account in the pool's list; null: no memory.
account* add_account(pool_core& pool, bool worker) noexcept;
// For tests: from the n-th new account on (1: the next one) there is no memory for any; 0: there is.
void fail_accounts(unsigned nth) noexcept;
// The pool ends: its accounts go, or are left to their threads.
void leave_accounts(pool_core& pool) noexcept;

}   // namespace lastly::detail
