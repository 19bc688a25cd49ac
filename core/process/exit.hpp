// What runs when the process ends while tasks run: the exit coordinator.
// Any thread. Invariant: from the first pool on, `exit` inside a body or a finalizer runs what remains of the chains on that thread (P2, B4).
#pragma once

namespace lastly::detail {

// From now on, for the life of the process.
void guard_exit() noexcept;

}   // namespace lastly::detail
