// A worker: a thread with a deque, an account, and a place among the sleepers.
// Its own thread, except the deque's thief side. Invariants: 1. A worker sleeps only after it looked at every queue and found
// nothing (idle.hpp). 2. Every injector_interval tasks the injector, its own oldest task, or another worker's, gets a turn, so nobody starves (O7).
#pragma once

#include "core/base/clock.hpp"
#include "core/base/thread.hpp"
#include "core/structures/deque.hpp"
#include "core/structures/injector.hpp"
#include "lastly/detail/atomic.hpp"
#include "lastly/detail/fork.hpp"

#include <chrono>
#include <cstdint>
#include <memory>

namespace lastly::detail {

class pool_core;
struct account;

struct alignas(64) worker {
    worker(pool_core& p, unsigned i, bool stands_in, account& a);

    pool_core& pool;
    const unsigned index;
    const bool is_stand_in;
    account& books;
    deque tasks;
    branch_deque branches;
    std::unique_ptr<injector::consumer> intake;
    std::uint32_t tasks_to_turn;          // until one has its turn that would otherwise wait (O7)
    unsigned turn = 2;                    // who had the last one: the injector, its own oldest task, others
    bool others_are_next = false;         // it steals, although it has work
    std::uint64_t random;
    std::uint32_t last_victim;            // had something for it; its own index: none had
    deque_item stolen[deque::most_at_once];   // by a steal that is under way, the oldest first
    std::chrono::steady_clock::time_point next_look{};   // at what others have, at the earliest: after it came away with little
    const group_core* awaited = nullptr;   // the group whose members it runs meanwhile
    std::uint32_t help_depth = 0;   // tasks that it runs one inside the other while it waits
    std::uint32_t husks_left = 0;   // by its claims, so far
    bool in_hook = false;           // of the user's: it is not at work; its own thread's
    bool has_thread = false;        // changed by whoever starts it
    atomic<std::uint32_t> is_lost{0};   // its thread was left, and no other could be started (P4)
    bool is_up_already = false;     // its thread takes over from one that was left (P4)
    atomic<std::uint32_t> handed_over{1};   // 0: that one still writes here
    atomic<cpu_clock> clock{no_cpu_clock};   // its thread's, once that has begun
    std::chrono::nanoseconds cpu_seen{-1};   // what that showed, by whoever naps (crowd.hpp); negative: it was not asked
    thread self;
    thread left;                    // the thread that it took over from, until it has ended (P4)
};

// The workers, and behind them their stand-ins: a list that grows while others read it.
class roster {
public:
    explicit roster(unsigned limit) : limit_(limit), members_(std::make_unique<atomic<worker*>[]>(limit)) {}
    ~roster() {
        for (unsigned i = 0; i < size(); ++i) delete &(*this)[i];
    }
    roster(const roster&) = delete;
    roster& operator=(const roster&) = delete;

    unsigned size() const noexcept { return size_.load(seq_cst); }                              // order: [B5] sees those workers; [I2] after the intent to sleep was published
    worker& operator[](unsigned i) const noexcept { return *members_[i].load(relaxed); }        // order: the size was read before
    bool is_full() const noexcept { return size() == limit_; }
    // One thread at a time.
    void add(std::unique_ptr<worker> w) noexcept {
        const unsigned at = size();
        members_[at].store(w.release(), relaxed);   // order: published by the size
        size_.store(at + 1, seq_cst);               // order: [B5] publishes the worker
    }

private:
    const unsigned limit_;
    std::unique_ptr<atomic<worker*>[]> members_;
    atomic<unsigned> size_{0};
};

// The worker's thread: runs until the pool is gone.
void worker_main(void* self);
// This thread is no worker from now on.
void leave_worker() noexcept;
// Moves a batch from the injector to the worker's own deque, where others can steal it.
void fetch_batch(worker& w) noexcept;
// Runs a task or a branch from anywhere, for a worker that waits and that nobody stands in for. False: none found.
bool run_anything(worker& w);
// A thread that helps a pool without being its worker, while it lives. One at a time owns the helpers' deque, where what it takes over can be
// stolen: it may come to be stuck in one task. Others take one by one.
class helper {
public:
    helper(pool_core& pool, account& books) noexcept;
    ~helper();
    helper(const helper&) = delete;
    helper& operator=(const helper&) = delete;
    // A task from any queue; null: none found.
    frame* next() noexcept;

private:
    pool_core& pool_;
    account& books_;
    const bool is_owner_;
};

}   // namespace lastly::detail
