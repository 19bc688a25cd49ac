// Results from a pool that gives none: the task stores its result and a serial number, its submitter waits for that number.
// One thread calls everything. std::atomic::wait yields for a while, then sleeps in a futex: the cheapest way that is in the standard,
// cheaper than a std::promise a task; looking for a while before that is cheaper still where the answer comes soon. Flag and answer share a
// line. The flag lives as long as the pool, since a task touches it once more after its waiter has left.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace bench {

// `B`: a backend of `submit`; `Cleanups`: how its cleanups are written; `Looks`: how often the waiter looks, a pause each, before it waits.
template <class B, class Cleanups, unsigned Looks>
class by_flag {
public:
    explicit by_flag(unsigned workers) : pool_(workers, 1), to_(pool_) {}

    std::uint64_t ask(std::uint64_t x) {
        hand_over([this, x] {   // 16 bytes: no allocation for a std::function
            told_.answer = x + 1;
            raise();
        });
        return told_.answer;
    }
    template <class Body, class... C>
    void see_through(Body body, C... c) {
        hand_over([this, task = Cleanups::join(body, c...)] {
            task();
            raise();
        });
    }

private:
    template <class Task>
    void hand_over(Task task) {
        const std::uint32_t before = told_.flag.load(std::memory_order_relaxed);
        to_.within([&] { to_.submit_any(std::move(task)); });
        for (unsigned i = 0; i < Looks; ++i) {
            if (told_.flag.load(std::memory_order_acquire) != before) return;
            __builtin_ia32_pause();
        }
        told_.flag.wait(before, std::memory_order_acquire);
    }
    void raise() {
        told_.flag.store(told_.flag.load(std::memory_order_relaxed) + 1, std::memory_order_release);   // one task at a time
        told_.flag.notify_one();
    }

    struct alignas(64) line {
        std::atomic<std::uint32_t> flag{0};
        std::uint64_t answer = 0;
    };
    line told_;
    B pool_;
    typename B::producer to_;
};

}   // namespace bench
