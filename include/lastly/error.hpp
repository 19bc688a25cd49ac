// Error codes, their category, and the two exceptions that carry them.
// Any thread; no state.
#pragma once

#include <lastly/detail/export.hpp>

#include <string>
#include <system_error>

namespace lastly {

/// Why a task was cancelled or rejected. An `error_code` enum of category().
enum class errc {
    cancelled = 1,        ///< somebody asked for it
    deadline_exceeded,    ///< a deadline passed
    sibling_failed,       ///< another member of a fail-fast group failed
    pool_shutdown,        ///< the pool was shut down abruptly
    process_exit,         ///< the process is ending
    pool_closed,          ///< the submission came after the pool had closed
    pool_full,            ///< the pool's capacity is used up
    discarded,            ///< a `task` object was destroyed unsubmitted
    forked,               ///< the pool belongs to the parent of a forked process
    construction_failed,  ///< moving a body or a finalizer in threw
    thread_exited,        ///< the body's thread left by pthread_exit or thread cancellation
};

/// The category of errc; `name()` is "lastly". Thread safety: any thread.
LASTLY_EXPORT const std::error_category& category() noexcept;

/// The category of causes that name a signal (`signal_guard`): the value is the signal's number; `name()` is "signal". Thread safety: any thread.
LASTLY_EXPORT const std::error_category& signal_category() noexcept;

inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), category()}; }

/// Thrown by a body that gives way to a stop, and by `get()` of a cancelled task. `code()` is the cause.
class LASTLY_EXPORT task_cancelled : public std::system_error {
public:
    explicit task_cancelled(std::error_code cause) : std::system_error(cause, "task cancelled") {}
    ~task_cancelled() override;
};

/// Thrown by a submission that was not accepted, after the task's finalizers have run. `code()` is the cause.
class LASTLY_EXPORT task_rejected : public std::system_error {
public:
    explicit task_rejected(std::error_code cause) : std::system_error(cause, "task rejected") {}
    ~task_rejected() override;
};

}   // namespace lastly

template <>
struct std::is_error_code_enum<lastly::errc> : std::true_type {};
