// The process as the system sees it: its end, the images that are loaded, its signals' names.
// Any thread, as each declaration says.
#pragma once

#include <cstdint>
#include <string>

namespace lastly::detail {

// `handler` runs once more when `exit` is called or main returns, before what was registered earlier; its argument is the exit status. False: no memory.
bool on_exit_call(void (*handler)(int status)) noexcept;
// Likewise at quick_exit, which does not say with which status.
bool on_quick_exit_call(void (*handler)()) noexcept;
// Its number. From a signal handler, too.
int this_process() noexcept;
// At once: no destructor, no handler.
[[noreturn]] void leave_process(int status) noexcept;

// Around each fork from now on; `in_child` after everything else that was registered so before. False: no memory.
bool on_fork(void (*before)(), void (*in_parent)(), void (*in_child)()) noexcept;
// How many forks lie between the first process and this one; counted by `note_fork`, in the child.
std::uint32_t fork_generation() noexcept;
void note_fork() noexcept;
// In a child: one line on stderr, and it ends. What called fork on a thread of lastly's has returned there.
[[noreturn]] void end_child() noexcept;

// Does it lie in the program's own image or in a loaded library's, and not on a stack or a heap? So do objects with static storage.
bool lies_in_an_image(const void* address) noexcept;
// The image that holds this code is not unloaded any more: the process will call it at its end.
void keep_image() noexcept;

// "SIGTERM (Terminated)"; of an unknown number, "signal 99".
std::string name_of_signal(int number);

}   // namespace lastly::detail
