// One thread and two words, a question's and an answer's: what any hand-over costs at least. Waiting in a futex, or by looking all the time.
// ask: one thread, that which made it.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace bench {

// As futex_serial, but nobody sleeps.
class looked_at_serial {
public:
    std::uint32_t now() const noexcept { return value_.load(std::memory_order_relaxed); }
    void wait_past(std::uint32_t seen) const noexcept {
        for (unsigned looks = 1; value_.load(std::memory_order_acquire) == seen; ++looks) {
            if (looks % 4096 == 0) std::this_thread::yield();   // both may be on one core
            else __builtin_ia32_pause();
        }
    }
    void raise() noexcept { value_.store(now() + 1, std::memory_order_release); }

private:
    std::atomic<std::uint32_t> value_{0};
};

// `Serial`: looked_at_serial or futex_serial.
template <class Serial>
class floor_thread {
public:
    explicit floor_thread(unsigned) : thread_([this] { serve(); }) {}
    ~floor_thread() {
        stopping_ = true;
        asked_.serial.raise();
        thread_.join();
    }
    floor_thread(const floor_thread&) = delete;
    floor_thread& operator=(const floor_thread&) = delete;

    std::uint64_t ask(std::uint64_t x) {
        const std::uint32_t before = answered_.serial.now();
        asked_.value = x;
        asked_.serial.raise();
        answered_.serial.wait_past(before);
        return answered_.value;
    }

private:
    struct alignas(64) line {
        Serial serial;
        std::uint64_t value = 0;
    };
    void serve() {
        for (std::uint32_t seen = 0;;) {
            asked_.serial.wait_past(seen);
            if (stopping_) return;
            seen = asked_.serial.now();   // the next is asked after the answer
            answered_.value = asked_.value + 1;
            answered_.serial.raise();
        }
    }

    line asked_;
    line answered_;
    bool stopping_ = false;   // written before asked_ is raised
    std::thread thread_;
};

}   // namespace bench
