// A monotone counter that one thread writes and any thread reads.
// Invariants: 1. Only its account's thread adds. 2. A reader that sees a count sees what the writer did before counting.
// Cost: a load, an add and a release store; no locked instruction.
#pragma once

#include "lastly/detail/atomic.hpp"

#include <cstdint>

namespace lastly::detail {

class counter {
public:
    void add(std::uint64_t n = 1) noexcept {
        value_.store(value_.load(relaxed) + n, release);   // order: [Q1] whoever reads the sum sees the work that was counted; the load is the only writer's own
    }
    // A count that others must see before this thread looks at anything else (Dekker).
    void announce() noexcept {
        value_.store(value_.load(relaxed) + 1, seq_cst);   // order: [A1][I1] before the look at the gate and at the sleepers; the load is the only writer's own
    }
    std::uint64_t read() const noexcept { return value_.load(seq_cst); }   // order: [Q1][A1][I1] after the gate was closed, or the reader's intent to sleep was published

private:
    atomic<std::uint64_t> value_{0};
};

}   // namespace lastly::detail
