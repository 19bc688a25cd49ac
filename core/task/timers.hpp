// The process's one timer thread: cancels contexts when their deadlines pass (C5).
// Any thread. Invariants: 1. The timers hold no reference: a node is removed before it is freed, and one whose last reference has
// gone is not fired. 2. The lock is never held while a node is cancelled, and no other lock of lastly is taken under it.
// 3. Started at the first deadline, detached, never destroyed: it keeps no process from ending.
#pragma once

#include "core/base/futex.hpp"
#include "core/structures/deadline_heap.hpp"

#include <mutex>
#include <system_error>

namespace lastly::detail {

class timers {
public:
    using time_point = std::chrono::steady_clock::time_point;
    // What to do with an entry whose deadline has passed: `hold` is called under the lock and says if it still lives, `fire` without it.
    struct actions {
        bool (*hold)(deadline_heap::entry&) noexcept;
        void (*fire)(deadline_heap::entry&) noexcept;
    };

    constexpr explicit timers(actions what) noexcept : actions_(what) {}
    timers(const timers&) = delete;
    timers& operator=(const timers&) = delete;

    // not_enough_memory, or why the thread cannot be started; nothing has been added then, and the next call tries again.
    std::error_code add(deadline_heap::entry& e, time_point deadline) noexcept;
    // Afterwards the timers do not touch the entry, other than through what `hold` took.
    void remove(deadline_heap::entry& e) noexcept;
    std::size_t size() noexcept;
    // Around a fork (P6). In the child nothing waits, and there is no thread yet.
    void hold() noexcept { mutex_.lock(); }
    void release(bool in_child) noexcept;

private:
    static constexpr std::size_t batch = 64;   // fired between two short holds of the lock

    static void main(void* self) noexcept;
    [[noreturn]] void run() noexcept;
    std::size_t take_passed(deadline_heap::entry* (&passed)[batch]) noexcept;

    const actions actions_;
    std::mutex mutex_;
    deadline_heap heap_;                              // from here on: under the lock
    time_point sleeps_until_ = time_point::min();     // min(): the thread is awake and will look
    bool started_ = false;
    futex_word bell_{0};                              // changed under the lock; the thread sleeps on it
};

}   // namespace lastly::detail
