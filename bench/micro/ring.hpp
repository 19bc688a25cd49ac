// A bounded ring between two threads, to hand blocks over at little cost.
// push: one thread; pop: one other. Both wait, yielding, while the ring is full or empty. Each side keeps a copy of the other's
// index on its own line and reads the shared one only when the copy says full or empty.
#pragma once

#include "workloads/tally.hpp"

#include <array>
#include <atomic>
#include <cstddef>

namespace bench {

template <class T, std::size_t Capacity = 1024>
class ring {
    static_assert((Capacity & (Capacity - 1)) == 0);

public:
    void push(T item) {
        const std::size_t at = in_.load(std::memory_order_relaxed);
        if (at - out_seen_ == Capacity) {
            spin_until([&] { return at - (out_seen_ = out_.load(std::memory_order_acquire)) != Capacity; });   // the slot was read
        }
        of_[at % Capacity] = item;
        in_.store(at + 1, std::memory_order_release);   // publishes the slot
    }
    T pop() {
        const std::size_t at = out_.load(std::memory_order_relaxed);
        if (at == in_seen_) {
            spin_until([&] { return at != (in_seen_ = in_.load(std::memory_order_acquire)); });   // sees the slot
        }
        const T item = of_[at % Capacity];
        out_.store(at + 1, std::memory_order_release);   // the slot may be written again
        return item;
    }

private:
    alignas(64) std::atomic<std::size_t> in_{0};
    std::size_t out_seen_ = 0;   // the producer's
    alignas(64) std::atomic<std::size_t> out_{0};
    std::size_t in_seen_ = 0;   // the consumer's
    alignas(64) std::array<T, Capacity> of_{};
};

}   // namespace bench
