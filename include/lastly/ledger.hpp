// The pool's own account of tasks and finalizers (L1 to L5).
// A snapshot is a plain value.
#pragma once

#include <lastly/detail/export.hpp>

#include <cstdint>

namespace lastly {

/// A pool's account. Every column is counted at its own event; none is derived from another.
/// What a running task has deferred, and what its chain has done so far, is added when the chain is over; until then the profile and
/// `live_task` show what is pending. Taken while tasks run, columns may be a moment apart; at a quiescent moment, and always once the pool is closed, they balance.
struct LASTLY_EXPORT ledger_snapshot {
    std::uint64_t attempts = 0;             ///< submissions; one that waits for room (overflow::block) is counted when its wait is over
    std::uint64_t accepted = 0;
    std::uint64_t rejected = 0;             ///< counted after the rejected task's finalizers have run
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t finalizers_attached = 0;  ///< attached or deferred
    std::uint64_t finalizers_run = 0;       ///< calls begun
    std::uint64_t finalizers_returned = 0;  ///< calls that returned
    std::uint64_t finalizers_thrown = 0;    ///< calls that threw
    std::uint64_t live = 0;                 ///< accepted and not yet retired by their worker
    std::uint64_t held = 0;                 ///< finished, kept by a handle only
    /// L1 to L4: attempts = accepted + rejected; accepted = succeeded + failed + cancelled;
    /// finalizers attached = run = returned + thrown; nothing live.
    bool balanced() const noexcept;
};

}   // namespace lastly
