// Sleeping on a word: when a wait returns, whom a wake reaches, and that it touches no memory.
#include "core/base/futex.hpp"

#include "core/base/clock.hpp"
#include "core/base/pages.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace detail = lastly::detail;
using namespace std::chrono_literals;

TEST_CASE("futex: a wait for a value that is not there returns at once") {
    detail::futex_word word{1};
    detail::futex_wait(word, 0);
    CHECK(detail::futex_wait_until(word, 0, detail::deadline_after(std::chrono::hours(1))));
}

TEST_CASE("futex: a wait ends at its deadline and not before") {
    const detail::futex_word word{1};
    const auto deadline = detail::deadline_after(20ms);
    while (detail::futex_wait_until(word, 1, deadline)) continue;   // it may return for no reason
    CHECK(detail::steady_now() >= deadline);
}

TEST_CASE("futex: a deadline in the past does not wait") {
    const detail::futex_word word{1};
    CHECK_FALSE(detail::futex_wait_until(word, 1, detail::steady_now() - 1s));
    CHECK_FALSE(detail::futex_wait_until(word, 1, std::chrono::steady_clock::time_point{}));
    CHECK_FALSE(detail::futex_wait_until(word, 1, std::chrono::steady_clock::time_point::min()));
}

TEST_CASE("futex: a wake after a change ends every wait") {
    for (const bool with_deadline : {false, true}) {
        CAPTURE(with_deadline);
        detail::futex_word word{0};
        std::atomic<int> woken{0};
        std::vector<std::thread> waiters;
        for (int i = 0; i < 3; ++i) {
            waiters.emplace_back([&] {
                while (word.load(detail::acquire) == 0) {
                    if (with_deadline) detail::futex_wait_until(word, 0, detail::deadline_after(1h));
                    else detail::futex_wait(word, 0);
                }
                ++woken;
            });
        }
        word.store(1, detail::release);
        detail::futex_wake_all(word.address());
        for (std::thread& t : waiters) t.join();
        CHECK(woken.load() == 3);
    }
}

TEST_CASE("futex: two threads hand a turn to and fro, one wake each") {
    detail::futex_word turn{0};
    constexpr std::uint32_t turns = 10'000;
    const auto play = [&](std::uint32_t first) {
        for (std::uint32_t mine = first; mine < turns; mine += 2) {
            for (std::uint32_t now = turn.load(detail::acquire); now != mine; now = turn.load(detail::acquire)) detail::futex_wait(turn, now);
            turn.store(mine + 1, detail::release);
            detail::futex_wake_one(turn.address());
        }
    };
    std::thread other([&] { play(1); });
    play(0);
    other.join();
    CHECK(turn.load(detail::acquire) == turns);
}

TEST_CASE("futex: a wake touches no memory, so the word may be gone") {
    std::byte* const page = detail::map_pages(4096, 4096);
    REQUIRE(page != nullptr);
    const auto* const address = reinterpret_cast<const std::uint32_t*>(page);
    detail::unmap_pages(page, 4096);
    detail::futex_wake_one(address);
    detail::futex_wake_all(address);
}
