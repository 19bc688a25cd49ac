// What runs when the process aborts or crashes (P7): callables that were registered ahead; nothing else can.
// Any thread; the handler on the crashing one. Invariants: 1. Each callable is called at most once a process. 2. What was installed before goes on.
#pragma once

namespace lastly::detail {

// False: no room, or no handler could be installed.
bool add_crash_callable(void (*callable)(void*), void* argument) noexcept;

// Around a fork; a child keeps the callables.
void hold_crash_callables() noexcept;
void release_crash_callables(bool in_child) noexcept;

}   // namespace lastly::detail
