// Results from a pool that gives none: the task stores its result and a serial number, its submitter waits for that number.
// One thread calls everything. std::atomic::wait yields for a while, then sleeps in a futex: the cheapest way that is in the standard,
// cheaper than a std::promise a task. The flag lives as long as the pool, since a task touches it once more after its waiter has left.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace bench {

// `B`: a backend of `submit`; `Cleanups`: how its cleanups are written.
template <class B, class Cleanups>
class by_flag {
public:
    explicit by_flag(unsigned workers) : pool_(workers, 1), to_(pool_) {}

    std::uint64_t ask(std::uint64_t x) {
        hand_over([this, x] {   // 16 bytes: no allocation for a std::function
            answer_ = x + 1;
            raise();
        });
        return answer_;
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
        const std::uint32_t before = flag_.load(std::memory_order_relaxed);
        to_.within([&] { to_.submit_any(std::move(task)); });
        flag_.wait(before, std::memory_order_acquire);
    }
    void raise() {
        flag_.store(flag_.load(std::memory_order_relaxed) + 1, std::memory_order_release);   // one task at a time
        flag_.notify_one();
    }

    std::uint64_t answer_ = 0;
    alignas(64) std::atomic<std::uint32_t> flag_{0};
    B pool_;
    typename B::producer to_;
};

}   // namespace bench
