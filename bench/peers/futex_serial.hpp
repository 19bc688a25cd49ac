// A serial number that one thread raises and one other waits for: it looks so many times, a pause each, then sleeps in a futex.
// raise: one thread at a time; wait_past: one other. Invariant: the lowest bit says that the waiter sleeps or is about to; the waiter sets
// it, the raise takes it away, and only who took it away makes the system call. A raise touches the number once, not after its waiter left.
// Not std::atomic::wait: libstdc++ 12 yields four times before it sleeps, and counts its waiters in a table that all words share.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace bench {

template <unsigned Looks>
class futex_serial {
public:
    // What a waiter has seen; 0 at first.
    std::uint32_t now() const noexcept { return word_.load(std::memory_order_relaxed) & ~sleeps; }
    void wait_past(std::uint32_t seen) noexcept {
        for (unsigned i = 0; i < Looks; ++i) {
            if (is_past(seen)) return;
            __builtin_ia32_pause();
        }
        std::uint32_t expected = seen;
        if (!word_.compare_exchange_strong(expected, seen | sleeps, std::memory_order_acquire)) return;   // nothing but a raise came between
        while (!is_past(seen)) futex(FUTEX_WAIT_PRIVATE, seen | sleeps);
    }
    void raise() noexcept {
        if ((word_.exchange(now() + step, std::memory_order_release) & sleeps) != 0) futex(FUTEX_WAKE_PRIVATE, 1);
    }

private:
    static constexpr std::uint32_t sleeps = 1;
    static constexpr std::uint32_t step = 2;

    bool is_past(std::uint32_t seen) const noexcept { return (word_.load(std::memory_order_acquire) & ~sleeps) != seen; }
    void futex(int operation, std::uint32_t value) noexcept { ::syscall(SYS_futex, &word_, operation, value, nullptr, nullptr, 0); }

    std::atomic<std::uint32_t> word_{0};
};

}   // namespace bench
