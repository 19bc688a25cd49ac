// A signal_guard's compiled half: the handler, the thread that it wakes, and what that does with the pool (P5).
// The guard's owner, its thread, and the handler on any thread. Invariants: 1. The handler touches static memory, and wakes; nothing else. 2. One
// guard a process at a time. 3. What was installed before is restored before a signal is raised again, and at the guard's end.
#pragma once

#include "core/base/futex.hpp"
#include "core/base/thread.hpp"
#include "lastly/detail/atomic.hpp"
#include "lastly/options.hpp"

#include <chrono>
#include <cstdint>
#include <memory>

namespace lastly::detail {

class pool_core;

// In the child of a fork: what a guard of the parent's installed is undone; the guard's thread is not there.
void forget_guard() noexcept;

class signal_watch {
public:
    signal_watch(pool_core& pool, signal_options options, bool is_static);   // throws as signal_guard's constructor
    ~signal_watch();
    // Restores what was installed before. Where that might wait for this very thread, or longer than a static object may, what has begun is left to its
    // own threads.
    static void end(std::unique_ptr<signal_watch> watch) noexcept;
    signal_watch(const signal_watch&) = delete;
    signal_watch& operator=(const signal_watch&) = delete;

private:
    enum doing : std::uint32_t { watching, acting, ending };
    struct closer;
    static void main(void* self);
    bool is_ready() noexcept;
    void watch() noexcept;
    bool wait_for_end() noexcept;
    void restore() noexcept;
    bool leave_watch(doing next) noexcept;   // true: this call did it
    bool may_wait_here() const noexcept;
    bool has_watched_for(std::chrono::nanoseconds limit) noexcept;
    void stop() noexcept;
    void clear() noexcept;

    pool_core& pool_;
    const signal_options options_;
    // Of the first signal, and of the second; made ahead, and left to their threads if these do not come back.
    std::unique_ptr<closer> closers_[2];
    bool closers_go_on_ = false;
    atomic<std::uint32_t> doing_{watching};   // it leaves `watching` once: a signal has come, or the guard ends
    thread thread_;
    futex_word parts_{0};           // 1: the thread is done, or its owner has left; the second of them clears up after both
    const bool is_static_;
    const std::uint32_t made_in_;   // fork_generation() then
};

}   // namespace lastly::detail
