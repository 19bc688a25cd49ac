// A worker: a thread with a deque, an account, and a place among the sleepers.
// Its own thread, except the deque's thief side. Invariants: 1. A worker sleeps only after it looked at every queue and found
// nothing (idle.hpp). 2. Every injector_interval tasks the injector or its own oldest task gets a turn, so nobody starves (O7).
#pragma once

#include "core/base/thread.hpp"
#include "core/structures/deque.hpp"
#include "core/structures/injector.hpp"

#include <cstdint>
#include <memory>

namespace lastly::detail {

class pool_core;
struct account;

struct alignas(64) worker {
    worker(pool_core& p, unsigned i, account& a) : pool(p), index(i), books(a), random(0x9e3779b97f4a7c15u * (i + 1)) {}

    pool_core& pool;
    const unsigned index;
    account& books;
    deque tasks;
    std::unique_ptr<injector::consumer> intake;
    std::uint64_t random;
    std::uint32_t ticks = 0;
    thread self;
};

// The worker's thread: runs until the pool is gone.
void worker_main(void* self) noexcept;
// A task from any queue, for a thread that is no worker and helps a shutdown; null: none found.
frame* take_any(pool_core& pool, account& books) noexcept;

}   // namespace lastly::detail
