// The tagged stack: last in, first out, one owner a thing, and a tag that wraps.
#include "core/structures/tagged_stack.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <thread>
#include <vector>

namespace detail = lastly::detail;

namespace {

struct links {
    static constexpr std::uint64_t count = 64;
    static inline std::array<detail::atomic<std::uint64_t>, count> cells{};
    static detail::atomic<std::uint64_t>& link(std::uint64_t number) noexcept { return cells[number % count]; }
};
using stack = detail::tagged_stack<links>;

constexpr std::uint64_t last_tag = (std::uint64_t{1} << 30) - 1;

}   // namespace

TEST_CASE("tagged_stack: the last number in is the first out") {
    for (const std::uint64_t tag : {std::uint64_t{0}, last_tag - 3}) {
        CAPTURE(tag);
        stack s(tag);
        CHECK(s.pop() == 0);
        for (std::uint64_t n = 1; n <= 5; ++n) s.push(n);
        CHECK(s.pop() == 5);
        s.push(9);
        CHECK(s.pop() == 9);
        for (std::uint64_t n = 4; n >= 1; --n) CHECK(s.pop() == n);
        CHECK(s.pop() == 0);
        CHECK(s.pop() == 0);
    }
}

TEST_CASE("tagged_stack: a tag that wraps around does not reach the number") {
    stack s(last_tag - 3);
    s.push(stack::number_mask);   // all bits of a number
    for (int i = 0; i < 10; ++i) {
        CHECK(s.pop() == stack::number_mask);
        CHECK(s.pop() == 0);
        s.push(stack::number_mask);
    }
    s.push(1);
    CHECK(s.pop() == 1);
    CHECK(s.pop() == stack::number_mask);
    CHECK(s.pop() == 0);
}

TEST_CASE("tagged_stack: the numbers have 34 bits") {
    static_assert(stack::number_mask == 0x3'ffff'ffff);
    stack s;
    s.push((std::uint64_t{1} << 33) + 5);
    CHECK(s.pop() == (std::uint64_t{1} << 33) + 5);
}

namespace {

struct exchange_result {
    std::uint64_t collisions, takes, left;
};

// Threads take numbers, mark them as theirs, and give them back.
exchange_result exchange(std::uint64_t first_tag, std::uint64_t numbers, unsigned threads, unsigned rounds) {
    stack s(first_tag);
    for (std::uint64_t n = 1; n <= numbers; ++n) s.push(n);
    std::vector<std::uint64_t> owner(numbers + 1, 0);   // plain: two owners at once are a race, and a collision
    std::atomic<std::uint64_t> collisions{0}, takes{0};
    std::barrier start(static_cast<std::ptrdiff_t>(threads));
    std::vector<std::thread> crew;
    for (unsigned t = 1; t <= threads; ++t) {
        crew.emplace_back([&, t] {
            start.arrive_and_wait();
            for (unsigned round = 0; round < rounds; ++round) {
                std::uint64_t held[2] = {s.pop(), s.pop()};
                for (const std::uint64_t n : held) {
                    if (n == 0) continue;
                    takes.fetch_add(1, std::memory_order_relaxed);
                    if (owner[n] != 0) collisions.fetch_add(1, std::memory_order_relaxed);
                    owner[n] = t;
                }
                for (const std::uint64_t n : held) {   // in the order in which they came: the stack turns over
                    if (n == 0) continue;
                    if (owner[n] != t) collisions.fetch_add(1, std::memory_order_relaxed);
                    owner[n] = 0;
                    s.push(n);
                }
            }
        });
    }
    for (std::thread& t : crew) t.join();
    std::uint64_t left = 0;
    std::vector<bool> seen(numbers + 1, false);
    while (const std::uint64_t n = s.pop()) {
        if (seen[n]) collisions.fetch_add(1, std::memory_order_relaxed);
        seen[n] = true;
        ++left;
    }
    return {collisions.load(), takes.load(), left};
}

}   // namespace

TEST_CASE("tagged_stack: a number is in one hand at a time") {
    for (const std::uint64_t tag : {std::uint64_t{0}, last_tag - 3}) {
        CAPTURE(tag);
        for (const std::uint64_t numbers : {3u, 8u, 40u}) {   // few: the same head comes back again and again
            CAPTURE(numbers);
            const exchange_result r = exchange(tag, numbers, 4, 40'000);
            CHECK(r.collisions == 0);
            CHECK(r.left == numbers);
            CHECK(r.takes > 0);
        }
    }
}

TEST_CASE("tagged_stack: what was written before a push is seen after the pop") {
    constexpr std::uint64_t handovers = 20'000;
    stack there, back;
    std::uint64_t letter = 0;   // plain: the stack must order it
    back.push(1);
    std::thread writer([&] {
        for (std::uint64_t n = 1; n <= handovers; ++n) {
            while (back.pop() == 0) std::this_thread::yield();
            letter = n;
            there.push(1);
        }
    });
    std::uint64_t wrong = 0;
    for (std::uint64_t n = 1; n <= handovers; ++n) {
        while (there.pop() == 0) std::this_thread::yield();
        wrong += letter == n ? 0u : 1u;
        back.push(1);
    }
    writer.join();
    CHECK(wrong == 0);
}
