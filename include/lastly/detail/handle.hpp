// What templates ask of compiled code about a whole task: the handle's side of its frame, and submission.
// Any thread, as each line says; the protocol in core/task/README.md.
#pragma once

#include <lastly/detail/frame.hpp>

#include <chrono>

namespace lastly::detail {

// Compiled halves: the handle's side of a frame (core/task/completion), and submission (core/sched/admission).
LASTLY_EXPORT bool is_done(const frame& f) noexcept;
LASTLY_EXPORT void wait_for_done(frame& f);                                  // W1, W3, W4
LASTLY_EXPORT bool wait_for_done(frame& f, std::chrono::nanoseconds limit);
LASTLY_EXPORT bool request_stop(frame& f, std::error_code cause) noexcept;
LASTLY_EXPORT void mark_read(frame& f) noexcept;
LASTLY_EXPORT void drop_handle(frame& f) noexcept;
LASTLY_EXPORT void discard_frame(frame& f);                                  // an unsubmitted task's end; throws nothing, but passes on forced unwinding
LASTLY_EXPORT void note_maker(frame& f) noexcept;                            // an unsubmitted task: this process made it
LASTLY_EXPORT bool is_inherited(const frame& f) noexcept;                    // no, a parent process did: it is the parent's (P6)
LASTLY_EXPORT void submit_frame(pool_core& pool, frame& f, bool with_handle);   // throws task_rejected after the chain ran
LASTLY_EXPORT std::error_code try_submit_frame(pool_core& pool, frame& f, bool with_handle) noexcept;
LASTLY_EXPORT pool_core* pool_of_this_task() noexcept;                       // null: outside a task of a pool
[[noreturn]] LASTLY_EXPORT void discard_outside(frame& f, const char* what);    // there: the chain runs, then std::logic_error

}   // namespace lastly::detail
