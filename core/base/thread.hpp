// Threads: made, named, joined; told to yield; and a call at a thread's end.
// Any thread. Invariants: 1. A started thread blocks SIGINT, SIGTERM, SIGHUP and SIGQUIT from its first instruction on, and no
// other signal. 2. `on_thread_exit` callbacks run after the destructors of thread_local objects, and again if they were re-armed.
#pragma once

#include <cstdint>
#include <system_error>
#include <utility>

namespace lastly::detail {

class thread {
public:
    thread() noexcept = default;
    thread(thread&& other) noexcept : id_(other.id_), joinable_(other.joinable_) { other.joinable_ = false; }
    thread& operator=(thread&&) = delete;

    // `name` is cut to what the kernel shows (15 bytes). On an error no thread was started.
    std::error_code start(void (*entry)(void*), void* argument, const char* name) noexcept;
    bool joinable() const noexcept { return joinable_; }
    void join() noexcept;
    void detach() noexcept;
    // In the child of a fork: that thread is the parent's.
    void forget() noexcept { joinable_ = false; }
    void swap(thread& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(joinable_, other.joinable_);
    }

private:
    std::uintptr_t id_ = 0;
    bool joinable_ = false;
};

// The n-th start from now on fails (1: the next one), as when the system has no more threads; 0: none. For tests.
void fail_thread_start(unsigned nth) noexcept;

// Is less than a quarter of this thread's stack left? False on a thread that was not started here.
bool is_stack_scarce() noexcept;

// While it lives, a request to cancel this thread waits.
class no_cancellation {
public:
    no_cancellation() noexcept;
    ~no_cancellation();
    no_cancellation(const no_cancellation&) = delete;
    no_cancellation& operator=(const no_cancellation&) = delete;

private:
    int before_;
};

void yield_thread() noexcept;
// Tells the CPU that this is a spin.
void pause_cpu() noexcept;

// Arms the one call at this thread's end. False: it could not be armed.
bool on_thread_exit(void (*callback)()) noexcept;

}   // namespace lastly::detail
