// One thread and two words, a question's and an answer's: what any hand-over costs at least. Waiting in a futex, or by looking all the time.
// ask: one thread, that which made it.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace bench {

struct wait_in_futex {
    static void wait(const std::atomic<std::uint32_t>& word, std::uint32_t old) { word.wait(old, std::memory_order_acquire); }
    static void wake(std::atomic<std::uint32_t>& word) { word.notify_one(); }
};
struct wait_looking {
    static void wait(const std::atomic<std::uint32_t>& word, std::uint32_t old) {
        for (unsigned looks = 1; word.load(std::memory_order_acquire) == old; ++looks) {
            if (looks % 4096 == 0) std::this_thread::yield();   // both may be on one core
            else __builtin_ia32_pause();
        }
    }
    static void wake(std::atomic<std::uint32_t>&) {}
};

template <class Waiting>
class floor_thread {
public:
    explicit floor_thread(unsigned) : thread_([this] { serve(); }) {}
    ~floor_thread() {
        stopping_ = true;
        tell(asked_.word);
        thread_.join();
    }
    floor_thread(const floor_thread&) = delete;
    floor_thread& operator=(const floor_thread&) = delete;

    std::uint64_t ask(std::uint64_t x) {
        const std::uint32_t before = answered_.word.load(std::memory_order_relaxed);
        asked_.value = x;
        tell(asked_.word);
        Waiting::wait(answered_.word, before);
        return answered_.value;
    }

private:
    struct alignas(64) line {
        std::atomic<std::uint32_t> word{0};
        std::uint64_t value = 0;
    };
    static void tell(std::atomic<std::uint32_t>& word) {
        word.store(word.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        Waiting::wake(word);
    }
    void serve() {
        for (std::uint32_t seen = 0;; ++seen) {
            Waiting::wait(asked_.word, seen);
            if (stopping_) return;
            answered_.value = asked_.value + 1;
            tell(answered_.word);
        }
    }

    line asked_;
    line answered_;
    bool stopping_ = false;   // written before asked_ is told
    std::thread thread_;
};

}   // namespace bench
