// Signals that end a process, and crashes (P5, P7). Nothing is installed unless the program asks for it.
#pragma once

#include <lastly/detail/export.hpp>
#include <lastly/options.hpp>

namespace lastly {

class pool;
namespace detail {
class signal_watch;
}

/// Closes a pool when a signal comes. Source: the self-pipe trick, with a futex in the pipe's place.
/// The first signal closes the pool and cancels all its tasks, with a cause of signal_category() that names the signal, or drains it. A second one cancels, and gives up
/// waiting after the pool's `exit_budget`; stderr names what still runs then. A third has its default effect at once.
/// When the pool is closed, every other pool is closed as at the process's end (P1), what was installed before is restored and the signal is raised again;
/// or, without `raise_again`, restored only, and the program goes on.
class LASTLY_EXPORT signal_guard {
public:
    /// Requires: the pool outlives the guard. Effects: installs a handler for each signal, and starts the thread that it wakes.
    /// Errors: std::invalid_argument for a number that is no signal, or one that cannot be handled; std::system_error with device_or_resource_busy if there is
    /// a guard already, with errc::forked for a pool of the parent process, or with the system's code if the thread cannot be started. Then nothing is installed.
    explicit signal_guard(pool& p, signal_options options = {});
    signal_guard(const signal_guard&) = delete;
    signal_guard& operator=(const signal_guard&) = delete;
    /// Restores what was installed before. Blocking: if a signal has come, until what it began is over; not within a task or a callback, which that may wait
    /// for, nor, if the guard has static storage, beyond the pool's `exit_budget`: then it goes on by itself.
    ~signal_guard();

private:
    detail::signal_watch* watch_;
};

/// Has `callable(argument)` called when the process aborts or crashes (SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE): once, in the order of registration, on the
/// crashing thread; then what was installed before goes on. Returns: false, there is no room (32 of them), and nothing was registered.
/// Requires: the callable does only what a signal handler may: finalizers do not run there (P7). Thread safety: any thread. Cost: no allocation.
LASTLY_EXPORT bool on_crash(void (*callable)(void*), void* argument) noexcept;

}   // namespace lastly
