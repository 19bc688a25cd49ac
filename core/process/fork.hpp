// fork: the parent keeps everything; the child owes nothing (P6).
// Any thread. The locks that a child will need are held around a fork, in the order in which the floors take them.
#pragma once

namespace lastly::detail {

// From now on, for the life of the process and of its children. False: there was no memory to register it.
bool guard_fork() noexcept;

}   // namespace lastly::detail
