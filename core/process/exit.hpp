// The handlers that `exit` and return from main run, and quick_exit, if a pool asks for that.
// Any thread. Invariant: from the first pool on, whoever ends the process comes to the coordinator.
#pragma once

namespace lastly::detail {

// From now on, for the life of the process; quick_exit likewise (P3). Errors: std::bad_alloc, if there is no memory to register it.
void guard_exit(bool quick_exit_too);

}   // namespace lastly::detail
