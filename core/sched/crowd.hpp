// A pool with more workers than the process has CPUs: more of them awake than CPUs are of use only while some wait for something else than a CPU.
// A searcher that would be one too many holds back: one naps, looks from time to time how things are, and goes on when it is wanted; the others sleep.
// Searchers. Invariants: 1. In a pool with no more workers than CPUs nobody holds back. 2. The one that naps counts as a searcher, and searches afterwards:
// no work is left lying. 3. It goes on after some nap if half a CPU is free, if tasks wait and none has ended, and after 10 ms (`longest_hold`).
#pragma once

#include "lastly/detail/atomic.hpp"

#include <chrono>
#include <cstdint>

namespace lastly::detail {

class pool_core;

class crowd {
public:
    // By a searcher, before it searches. False: another one naps; this one had better sleep.
    bool hold_back(pool_core& pool) noexcept;

private:
    unsigned limit(const pool_core& pool, std::chrono::steady_clock::time_point now) const noexcept;
    void open(unsigned limit, std::chrono::steady_clock::time_point until) noexcept;

    // What the last one to nap found out: so many may be awake until then. Hints, each by itself.
    atomic<unsigned> limit_{0};
    atomic<std::int64_t> until_{0};   // on the steady clock
};

}   // namespace lastly::detail
