// Results from a pool that gives none: the task stores its result and raises a serial number, for which its submitter waits.
// One thread calls everything. Cheaper than a std::promise a task; looking for a while before sleep is cheaper still where the answer comes
// soon. Number and answer share a line.
#pragma once

#include "peers/futex_serial.hpp"

#include <cstdint>
#include <utility>

namespace bench {

// `B`: a backend of `submit`; `Cleanups`: how its cleanups are written; `Looks`: how often the waiter looks, a pause each, before it sleeps.
template <class B, class Cleanups, unsigned Looks>
class by_flag {
public:
    explicit by_flag(unsigned workers) : pool_(workers, 1), to_(pool_) {}

    std::uint64_t ask(std::uint64_t x) {
        hand_over([this, x] {   // 16 bytes: no allocation for a std::function
            told_.answer = x + 1;
            told_.serial.raise();
        });
        return told_.answer;
    }
    template <class Body, class... C>
    void see_through(Body body, C... c) {
        hand_over([this, task = Cleanups::join(body, c...)] {
            task();
            told_.serial.raise();
        });
    }

private:
    template <class Task>
    void hand_over(Task task) {
        const std::uint32_t before = told_.serial.now();
        to_.within([&] { to_.submit_any(std::move(task)); });
        told_.serial.wait_past(before);
    }

    struct alignas(64) line {
        futex_serial<Looks> serial;
        std::uint64_t answer = 0;
    };
    line told_;
    B pool_;
    typename B::producer to_;
};

}   // namespace bench
