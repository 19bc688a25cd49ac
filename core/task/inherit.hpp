// Around a fork, and in the child: what this floor keeps of the parent (P6).
// The thread that forks; in the child it is the only one. Invariant: no finalizer of the parent's runs in the child: what the thread was in the middle
// of when it forked ends the child where it would go on.
#pragma once

namespace lastly::detail {

void hold_tasks_for_fork() noexcept;
void release_tasks_after_fork(bool in_child) noexcept;

// In the child: the runs that this thread was in are the parent's. None is seen from here on; the first that would run its chain ends the child.
void disown_runs() noexcept;

}   // namespace lastly::detail
