// The clocks, and deadlines that do not overflow.
#include "core/base/clock.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <thread>

namespace detail = lastly::detail;
using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;

namespace {

std::uint64_t fine_now_ms() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000u + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000u;
}

}   // namespace

TEST_CASE("clock: the coarse one is at most 10 ms old, and never ahead") {
    std::uint64_t too_old = 0, ahead = 0;
    for (int i = 0; i < 2'000; ++i) {
        const std::uint64_t before = fine_now_ms();
        const std::uint64_t coarse = detail::coarse_now_ms();
        const std::uint64_t after = fine_now_ms();
        too_old += coarse + 11 < before ? 1u : 0u;   // 10, and the rounding
        ahead += coarse > after ? 1u : 0u;
    }
    CHECK(too_old == 0);
    CHECK(ahead == 0);
}

TEST_CASE("clock: neither goes backwards, and the coarse one goes on") {
    const std::uint64_t first = detail::coarse_now_ms();
    std::uint64_t last = first;
    time_point steady = detail::steady_now();
    while (last == first) {
        const std::uint64_t now = detail::coarse_now_ms();
        const time_point steady_after = detail::steady_now();
        REQUIRE(now >= last);
        REQUIRE(steady_after >= steady);
        last = now;
        steady = steady_after;
    }
}

TEST_CASE("deadline_after: it lies that far ahead") {
    const time_point before = detail::steady_now();
    const time_point deadline = detail::deadline_after(5s);
    const time_point after = detail::steady_now();
    CHECK(deadline >= before + 5s);
    CHECK(deadline <= after + 5s);
}

TEST_CASE("deadline_after: no time and less is now") {
    for (const auto limit : {0ns, -1ns, -1'000'000'000ns, std::chrono::nanoseconds::min()}) {
        const time_point before = detail::steady_now();
        const time_point deadline = detail::deadline_after(limit);
        CHECK(deadline >= before);
        CHECK(deadline <= detail::steady_now());
    }
}

TEST_CASE("deadline_after: no limit, and one beyond the clock's end, is never") {
    CHECK(detail::deadline_after(std::chrono::nanoseconds::max()) == time_point::max());
    CHECK(detail::deadline_after(time_point::max() - detail::steady_now() + 1s) == time_point::max());
    CHECK(detail::deadline_after(std::chrono::hours(24 * 365 * 100)) < time_point::max());
}

TEST_CASE("clock: a thread's CPU time is seen by others, grows only while it runs, and is 0 once it has ended") {
    std::atomic<detail::cpu_clock> clock{0};
    std::atomic<int> step{0};
    std::thread other([&] {
        clock = detail::cpu_clock_of_this_thread();
        const auto begin = detail::cpu_time(clock);
        while (detail::cpu_time(clock) - begin < 5ms) {}
        step = 1;
        step.notify_all();
        step.wait(1);
    });
    step.wait(0);
    const auto used = detail::cpu_time(clock);
    CHECK(used >= 5ms);
    std::this_thread::sleep_for(20ms);   // it sleeps as well: asleep it uses none
    CHECK(detail::cpu_time(clock) - used < 15ms);
    step = 2;
    step.notify_all();
    other.join();
    while (detail::cpu_time(clock) != 0ns) std::this_thread::yield();   // it may be on its way out still
    CHECK(detail::cpu_time(detail::cpu_clock_of_this_thread()) > 0ns);
}
