// An intrusive list of frames for the case that no memory is left to queue them: any thread adds, a taker takes all.
// Invariants: 1. A chain is taken as a whole, which leaves no ABA. 2. A frame's link replaces its time stamp while it is here; the taker
// gives it a new one, so such a task's age starts anew. 3. The order in which frames came is kept.
#pragma once

#include "core/base/clock.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/frame.hpp"

namespace lastly::detail {

class frame_list {
public:
    void push(frame& f) noexcept {
        std::uint64_t head = head_.load(relaxed);   // order: a first guess
        do {
            f.stamp.store(head, release);           // order: [F2] a newer field, as all of them; the exchange publishes the link
        } while (!head_.compare_exchange_weak(head, reinterpret_cast<std::uint64_t>(&f), release, relaxed));   // order: [O1] publishes the frame and its link
    }
    // Up to `count` frames, the oldest first. May find nothing while another taker holds the rest.
    std::size_t take(frame** frames, std::size_t count) noexcept {
        if (head_.load(relaxed) == 0 && oldest_.load(relaxed) == 0) return 0;   // order: a hint; the accounts' sums decide about sleep
        auto* f = reinterpret_cast<frame*>(oldest_.exchange(0, acquire));       // order: [O2] sees the frames and their links
        if (f == nullptr) f = take_new();
        std::size_t taken = 0;
        while (f != nullptr && taken < count) {
            frames[taken++] = f;
            frame* const next = next_of(*f);
            f->stamp.store(coarse_now_ms(), release);   // order: [F2] a newer field, as all of them
            f = next;
        }
        if (f == nullptr || LASTLY_FAULT("spill-lost")) return taken;
        std::uint64_t none = 0;
        if (oldest_.compare_exchange_strong(none, reinterpret_cast<std::uint64_t>(f), release, relaxed)) return taken;   // order: [O2] hands the rest on
        while (f != nullptr) {   // another taker left its rest there: these line up again
            frame* const next = next_of(*f);
            push(*f);
            f = next;
        }
        return taken;
    }

private:
    // All that was pushed, the oldest first, linked through their stamps.
    frame* take_new() noexcept {
        auto* f = reinterpret_cast<frame*>(head_.exchange(0, acquire));   // order: [O1] sees the frames and their links
        frame* oldest_first = nullptr;
        while (f != nullptr) {
            frame* const next = next_of(*f);
            f->stamp.store(reinterpret_cast<std::uint64_t>(oldest_first), release);   // order: [F2] a newer field, as all of them
            oldest_first = f;
            f = next;
        }
        return oldest_first;
    }
    static frame* next_of(frame& f) noexcept { return reinterpret_cast<frame*>(f.stamp.load(relaxed)); }   // order: seen by the exchange

    atomic<std::uint64_t> head_{0};     // pushed, the youngest first
    atomic<std::uint64_t> oldest_{0};   // what a taker left, the oldest first
};

}   // namespace lastly::detail
