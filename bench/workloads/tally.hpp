// What tasks have done, counted without a shared write: a slot for each thread, one writer a slot.
// mine(): any thread. holds(): any thread; exact once the tasks are over. At most tally::slots - 1 threads may count at a time.
// Costs a task about a nanosecond, the same for every backend.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace bench {

[[noreturn]] inline void fail(const char* why) {
    std::fprintf(stderr, "bench: %s\n", why);
    std::abort();
}

// For waits that are short and outside what is measured, or end a measurement: yields, so that a busy core is not kept from others.
template <class Condition>
void spin_until(Condition&& holds) {
    while (!holds()) std::this_thread::yield();
}

// Who sits in which slot. Seats come back when their threads end.
struct seating {
    std::mutex one_at_a_time;
    std::vector<std::size_t> returned;
    std::size_t used = 0;
};

class tally {
public:
    static constexpr std::size_t slots = 72;   // 64 workers are the most, and there are callers

    class alignas(64) slot {
    public:
        void add_tasks(std::uint64_t n) noexcept { add(tasks_, n); }
        void add_cleanups(std::uint64_t n) noexcept { add(cleanups_, n); }

    private:
        friend class tally;
        static void add(std::atomic<std::uint64_t>& to, std::uint64_t n) noexcept {
            to.store(to.load(std::memory_order_relaxed) + n, std::memory_order_release);   // one writer; read by holds()
        }
        std::atomic<std::uint64_t> tasks_{0};
        std::atomic<std::uint64_t> cleanups_{0};
    };

    slot& mine() {
        if (seat_ == 0) [[unlikely]] take_seat();
        return of_[seat_];
    }
    bool holds(std::uint64_t tasks, std::uint64_t cleanups) const noexcept {
        std::uint64_t t = 0;
        std::uint64_t c = 0;
        for (const slot& s : of_) {
            t += s.tasks_.load(std::memory_order_acquire);
            c += s.cleanups_.load(std::memory_order_acquire);
        }
        return t == tasks && c == cleanups;
    }

    // How many threads ran tasks or cleanups.
    unsigned threads() const noexcept {
        unsigned n = 0;
        for (const slot& s : of_) n += (s.tasks_.load(std::memory_order_acquire) | s.cleanups_.load(std::memory_order_acquire)) != 0 ? 1u : 0u;
        return n;
    }

private:
    struct sitting {
        ~sitting() {
            const std::lock_guard hold(seats_.one_at_a_time);
            seats_.returned.push_back(seat_);
        }
    };
    [[gnu::noinline, gnu::cold]] static void take_seat() {
        static thread_local sitting until_the_end;
        static_cast<void>(until_the_end);
        const std::lock_guard hold(seats_.one_at_a_time);
        if (seats_.returned.empty()) {
            seat_ = ++seats_.used;
        } else {
            seat_ = seats_.returned.back();
            seats_.returned.pop_back();
        }
        if (seat_ >= slots) fail("more threads than the tally has slots");
    }
    static inline seating& seats_ = *new seating;   // never destroyed: oneTBB's workers end, and give back their seats, after static objects have
    static constinit inline thread_local std::size_t seat_ = 0;
    std::array<slot, slots> of_;
};

}   // namespace bench
