// The event count: a notification after prepare ends the wait, and none is lost.
#include "core/structures/event_count.hpp"

#include "core/base/clock.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

namespace detail = lastly::detail;
using namespace std::chrono_literals;

namespace {
constexpr auto no_deadline = std::chrono::steady_clock::time_point::max();
}

TEST_CASE("event_count: a notification between prepare and commit ends the wait at once") {
    detail::event_count e;
    const auto key = e.prepare();
    e.notify_all();
    CHECK(e.commit(key, no_deadline));
}

TEST_CASE("event_count: a notification before prepare does not end the wait") {
    detail::event_count e;
    e.notify_all();
    const auto key = e.prepare();
    CHECK_FALSE(e.commit(key, detail::deadline_after(5ms)));
}

TEST_CASE("event_count: a wait ends at its deadline and not before") {
    detail::event_count e;
    const auto deadline = detail::deadline_after(20ms);
    const auto key = e.prepare();
    CHECK_FALSE(e.commit(key, deadline));
    CHECK(detail::steady_now() >= deadline);
}

TEST_CASE("event_count: a deadline in the past does not block") {
    detail::event_count e;
    CHECK_FALSE(e.commit(e.prepare(), detail::steady_now() - 1s));
    CHECK_FALSE(e.commit(e.prepare(), std::chrono::steady_clock::time_point{}));
}

TEST_CASE("event_count: a notification counts even if the deadline has passed") {
    detail::event_count e;
    const auto key = e.prepare();
    e.notify_all();
    CHECK(e.commit(key, detail::steady_now() - 1s));
}

TEST_CASE("event_count: whether a notification is worth it is asked only while somebody waits, and decides") {
    detail::event_count e;
    int asked = 0;
    const auto answer = [&asked](bool worth_it) {
        return [&asked, worth_it] {
            ++asked;
            return worth_it;
        };
    };
    e.notify_all_if(answer(true));
    CHECK(asked == 0);
    const auto key = e.prepare();
    e.notify_all_if(answer(false));
    CHECK(asked == 1);
    CHECK_FALSE(e.commit(key, detail::deadline_after(5ms)));
    const auto next = e.prepare();
    e.notify_all_if(answer(true));
    CHECK(asked == 2);
    CHECK(e.commit(next, no_deadline));
}

TEST_CASE("event_count: notifying moves the epoch only while somebody waits") {
    detail::event_count e;
    const auto first = e.prepare();
    e.cancel();
    e.notify_all();
    const auto second = e.prepare();
    CHECK(first == second);   // nobody waited
    e.notify_all();
    const auto third = e.prepare();
    CHECK(third != second);   // one waited
    e.cancel();
    e.cancel();
    e.notify_all();
    CHECK(e.prepare() == third);
    e.cancel();
}

TEST_CASE("event_count: a wait that ended counts nobody as waiting") {
    detail::event_count e;
    const auto key = e.prepare();
    e.notify_all();
    CHECK(e.commit(key, no_deadline));
    CHECK_FALSE(e.commit(e.prepare(), detail::steady_now()));
    const auto before = e.prepare();
    e.cancel();
    e.notify_all();
    CHECK(e.prepare() == before);
    e.cancel();
}

TEST_CASE("event_count: wait returns what the condition says, looking once more after the deadline") {
    detail::event_count e;
    CHECK(e.wait([] { return true; }));
    CHECK_FALSE(e.wait([] { return false; }, detail::deadline_after(5ms)));
    int looks = 0;
    CHECK(e.wait([&looks] { return ++looks == 2; }, detail::steady_now() - 1s));
    CHECK(looks == 2);
    const auto before = e.prepare();
    e.cancel();
    e.notify_all();
    CHECK(e.prepare() == before);   // nobody was counted any more
    e.cancel();
}

TEST_CASE("event_count: one notification wakes every waiter") {
    constexpr int waiters = 4;
    detail::event_count e;
    bool condition = false;   // plain: the event count must order it
    std::atomic<int> woken{0}, blind{0};
    std::latch prepared(waiters);
    std::vector<std::thread> threads;
    for (int i = 0; i < waiters; ++i) {
        threads.emplace_back([&] {
            const auto key = e.prepare();
            prepared.count_down();
            if (!e.commit(key, no_deadline)) ++blind;
            if (!condition) ++blind;
            ++woken;
        });
    }
    prepared.wait();
    condition = true;
    e.notify_all();
    for (std::thread& t : threads) t.join();
    CHECK(woken.load() == waiters);
    CHECK(blind.load() == 0);
}

TEST_CASE("event_count: no wake is lost however the two sides meet") {
    constexpr std::uint64_t turns = 20'000;
    detail::event_count e;
    std::atomic<std::uint64_t> turn{0};
    const auto await_turn = [&](std::uint64_t wanted) {
        while (turn.load(std::memory_order_seq_cst) < wanted) {
            const auto key = e.prepare();
            if (turn.load(std::memory_order_seq_cst) >= wanted) {
                e.cancel();
                return;
            }
            e.commit(key, no_deadline);
        }
    };
    const auto play = [&](std::uint64_t first) {
        for (std::uint64_t t = first; t < turns; t += 2) {
            await_turn(t);
            turn.store(t + 1, std::memory_order_seq_cst);
            e.notify_all();
        }
    };
    std::thread other([&] { play(1); });
    play(0);
    other.join();
    CHECK(turn.load() == turns);
}
