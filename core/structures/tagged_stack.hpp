// A lock-free stack of things that have small numbers and never go away: head and tag in one 64-bit word.
// Any thread. Invariants: 1. What is linked stays readable for ever, so a late reader of a link reads stale bits, never freed
// memory. 2. The tag changes with every change of the head: 30 bits, so that a reader would have to sleep through exactly a
// multiple of a billion changes to be deceived. Source: Treiber, "Systems programming: coping with parallelism" (1986).
#pragma once

#include "core/base/test_point.hpp"
#include "lastly/detail/atomic.hpp"

#include <cstdint>

namespace lastly::detail {

// Links::link(number) is an atomic<std::uint64_t>&; numbers lie in 1 .. 2^34 - 1.
template <class Links>
class tagged_stack {
public:
    static constexpr std::uint64_t number_mask = (std::uint64_t{1} << 34) - 1;

    explicit constexpr tagged_stack(std::uint64_t first_tag = 0) noexcept : head_(first_tag << 34) {}

    void push(std::uint64_t number) noexcept {
        std::uint64_t head = head_.load(relaxed);   // order: a first guess
        do {
            Links::link(number).store(head & number_mask, relaxed);   // order: published by the exchange below
        } while (!head_.compare_exchange_weak(head, next_tag(head) | number, release, relaxed));   // order: [N1] publishes what is linked
    }
    // 0: empty.
    std::uint64_t pop() noexcept {
        std::uint64_t head = head_.load(acquire);   // order: [N1] sees what was linked
        while ((head & number_mask) != 0) {
            const std::uint64_t next = Links::link(head & number_mask).load(relaxed);   // order: stale only if the exchange below fails
            LASTLY_POINT("stack-pop");
            if (head_.compare_exchange_weak(head, next_tag(head) | next, acq_rel, acquire)) return head & number_mask;   // order: [N1] hands on what others published
        }
        return 0;
    }

private:
    static std::uint64_t next_tag(std::uint64_t head) noexcept { return LASTLY_FAULT("stack-tag") ? 0 : (head & ~number_mask) + (number_mask + 1); }
    atomic<std::uint64_t> head_;
};

}   // namespace lastly::detail
