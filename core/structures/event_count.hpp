// Waiting for a condition that other threads make true, without a lock: prepare, look again, then commit or cancel.
// Any thread. Invariants: 1. A notification after `prepare` ends the wait that follows it. 2. Notifying costs one locked
// instruction when nobody waits. 3. Waiters and epoch are words of their own: neither can wrap into the other.
// Source: the event count of the field (Eigen's and folly's are well known), here over the raw futex and for rare waits only.
#pragma once

#include "core/base/futex.hpp"

#include <chrono>

namespace lastly::detail {

class event_count {
public:
    using key = std::uint32_t;
    static constexpr auto no_deadline = std::chrono::steady_clock::time_point::max();

    key prepare() noexcept {
        waiters_.fetch_add(1, seq_cst);   // order: [W1] before the look at the condition that follows
        return epoch_.load(seq_cst);      // order: [W2] not later than that look
    }
    void cancel() noexcept { waiters_.fetch_sub(1, relaxed); }   // order: a notifier that still counts us wakes nobody
    // For notifiers whose change of the condition was sequentially consistent.
    bool has_waiters() const noexcept { return waiters_.load(seq_cst) != 0; }   // order: [W1] after the condition was made true
    // False once the deadline has passed; no_deadline is none.
    bool commit(key seen, std::chrono::steady_clock::time_point deadline) noexcept;
    // Blocks until the condition is true; false: the deadline has passed and it is not. It is asked after `prepare` each time, the last
    // time after the deadline.
    template <class Condition>
    bool wait(const Condition& is_true, std::chrono::steady_clock::time_point deadline = no_deadline) noexcept {
        for (bool in_time = true;;) {
            const key seen = prepare();
            const bool held = is_true();
            if (held || !in_time) {
                cancel();
                return held;
            }
            in_time = commit(seen, deadline);
        }
    }
    void notify_all() noexcept {
        notify_all_if([] { return true; });
    }
    // Asks only if somebody waits. A waiter that prepares later sees what this thread had seen.
    template <class Condition>
    void notify_all_if(const Condition& is_worth_it) noexcept {
        if (waiters_.fetch_add(0, seq_cst) == 0 || !is_worth_it()) return;   // order: [W1] after the condition was made true; a read-modify-write, so that it reads the latest
        epoch_.fetch_add(1, seq_cst);                                        // order: [W2] ends the wait of whoever read the epoch before
        futex_wake_all(epoch_.address());
    }

private:
    futex_word epoch_{0};
    atomic<std::uint32_t> waiters_{0};
};

}   // namespace lastly::detail
