// Seats, searchers, sleepers: the protocol on its own, without a pool.
#include "core/sched/idle.hpp"

#include "lastly/detail/thread_block.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

using namespace lastly::detail;

TEST_CASE("idle: a waker takes a sleeper's seat and counts it as the one searcher") {
    idle_workers idle(2);
    for (unsigned i = 0; i < 2; ++i) {
        CHECK_FALSE(idle.start_search());
        CHECK_FALSE(idle.prepare(i));
    }
    idle.notify();      // one is woken
    idle.notify();      // it still searches: nobody else is
    idle.commit(0);     // returns at once: seat 0 was taken
    CHECK(idle.stop_search());   // the last searcher, and worker 1 sleeps
    idle.notify();
    idle.commit(1);
    CHECK_FALSE(idle.stop_search());
}

TEST_CASE("idle: cancelling a seat leaves the worker searching, whether or not a waker was faster") {
    idle_workers idle(1);
    idle.start_search();
    idle.prepare(0);
    idle.cancel(0);
    CHECK_FALSE(idle.stop_search());
    idle.start_search();
    idle.prepare(0);
    idle.notify();
    idle.cancel(0);
    CHECK_FALSE(idle.stop_search());
    idle.notify();   // nobody sleeps: nothing to do
    idle.start_search();
    idle.prepare(0);
    idle.wake_all();
    idle.commit(0);
    CHECK_FALSE(idle.stop_search());
}

TEST_CASE("idle: whoever searches or prepares while somebody watches is told so") {
    idle_workers idle(1);
    CHECK_FALSE(idle.has_watchers());
    idle.add_watcher();
    CHECK(idle.start_search());
    CHECK(idle.prepare(0));
    CHECK(idle.has_watchers());
    idle.remove_watcher();
    idle.cancel(0);
    CHECK_FALSE(idle.has_watchers());
}

TEST_CASE("idle: no wake is lost between producers and sleepers") {
    for (const unsigned sleepers : {1u, 2u, 8u}) {
        CAPTURE(sleepers);
        idle_workers idle(sleepers);
        atomic<int> work{0};
        std::atomic<int> done{0};
        std::atomic<bool> stop{false};
        constexpr int total = 3000;
        const auto take = [&] {
            int now = work.load(seq_cst);
            while (now > 0) {
                if (work.compare_exchange_weak(now, now - 1, seq_cst, seq_cst)) return true;
            }
            return false;
        };
        std::vector<std::thread> threads;
        for (unsigned w = 0; w < sleepers; ++w) {
            threads.emplace_back([&, w] {
                idle.start_search();
                while (!stop) {
                    if (take()) {
                        if (idle.stop_search() && work.load(seq_cst) != 0) idle.notify();
                        done.fetch_add(1);
                        idle.start_search();
                        continue;
                    }
                    idle.prepare(w);
                    if (work.load(seq_cst) != 0 || stop) idle.cancel(w);
                    else idle.commit(w);
                }
            });
        }
        for (int i = 0; i < total; ++i) {
            work.fetch_add(1, seq_cst);
            idle.notify();
            if (i % 3 == 0) while (done.load() <= i) std::this_thread::yield();   // let them fall asleep
        }
        while (done.load() != total) std::this_thread::yield();
        stop = true;
        idle.wake_all();
        for (unsigned i = 0; i < 2000; ++i) {
            idle.wake_all();
            std::this_thread::yield();
        }
        for (auto& t : threads) t.join();
        CHECK(done == total);
    }
}

TEST_CASE("idle: a stand-in whose place is reclaimed while it looks for work stays down") {
    idle_workers idle(1, 1);
    idle.reserve(1);
    CHECK_FALSE(idle.lend(1));      // nobody's yet
    idle.lend_reserved(1);
    idle.notify();
    idle.commit(1);                 // woken: a searcher
    CHECK_FALSE(idle.prepare(1));
    CHECK(idle.reclaim(1));
    CHECK_FALSE(idle.cancel(1));
    CHECK_FALSE(idle.reclaim(1));   // it is not there to be woken
    CHECK(idle.lend(1));
    CHECK(idle.cancel(1));          // lent again before it slept: it may search on
    CHECK_FALSE(idle.stop_search());   // it was the one searcher, and nobody sleeps
    idle.lie_down(1);
    idle.stay_down(1, [](void*) { return true; }, nullptr);   // the pool's end: up at once, and a searcher
    CHECK_FALSE(idle.stop_search());
    CHECK_FALSE(idle.lend(1));
}

TEST_CASE("idle: a thread that has woken a worker knows it") {
    idle_workers idle(1);
    this_thread.has_woken = false;
    idle.notify();
    CHECK_FALSE(this_thread.has_woken);   // nobody slept
    idle.start_search();
    idle.prepare(0);
    idle.notify();
    CHECK(std::exchange(this_thread.has_woken, false));
    idle.commit(0);   // it is not on its seat any more
}

TEST_CASE("idle: whoever waits for a task forgets that it has woken somebody") {
    lastly::pool pool(support::options(1));
    std::atomic<bool> go{false};
    auto handle = pool.submit([&go] { support::await([&go] { return go.load(); }); });
    this_thread.has_woken = true;
    CHECK_FALSE(handle.wait_for(std::chrono::milliseconds(1)));
    CHECK_FALSE(this_thread.has_woken);
    go = true;
    handle.wait();
    support::check_end(pool);
}

TEST_CASE("idle: one searcher naps, and counts as a searcher that is not awake") {
    idle_workers idle(3);
    for (unsigned i = 0; i < 3; ++i) idle.start_search();
    CHECK(idle.awake() == 3);
    CHECK(idle.begin_nap());
    CHECK_FALSE(idle.begin_nap());
    CHECK(idle.awake() == 2);
    CHECK_FALSE(idle.has_watchers());
    const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    idle.nap_until(soon);   // nobody ends it
    CHECK(std::chrono::steady_clock::now() >= soon);
    CHECK_FALSE(idle.stop_search());
    CHECK(idle.prepare_unlooked(1).search);   // the one that naps will look
    idle.end_nap();
    CHECK(idle.awake() == 2);
    CHECK(idle.sleeps(1));
    CHECK(idle.stop_search());
}

TEST_CASE("idle: the last searcher is told that nobody else will look") {
    idle_workers idle(2);
    idle.start_search();
    idle.start_search();
    const auto first = idle.prepare_unlooked(0);
    CHECK(first.search);
    CHECK_FALSE(first.watch);
    idle.add_watcher();
    const auto last = idle.prepare_unlooked(1);
    CHECK_FALSE(last.search);
    CHECK(last.watch);
    idle.remove_watcher();
    CHECK(idle.cancel(1));
    CHECK(idle.stop_search());
}

TEST_CASE("idle: a nap ends when a worker goes to sleep, when a place is lent, and with the pool") {
    constexpr auto for_ever = std::chrono::hours(1);
    for (int way = 0; way < 4; ++way) {
        CAPTURE(way);
        idle_workers idle(2, 1);
        if (way == 1) idle.reserve(2);
        if (way == 2) idle.lie_down(2);
        idle.start_search();
        idle.start_search();
        REQUIRE(idle.begin_nap());
        std::atomic<bool> over{false};
        std::thread napper([&] {
            idle.nap_until(std::chrono::steady_clock::now() + for_ever);
            over = true;
        });
        while (!over) {   // it may not have fallen asleep yet
            if (way == 0) {
                idle.prepare(1);
                idle.cancel(1);
            } else if (way == 3) {
                idle.wake_all();
            } else if (way == 1) {
                idle.lend_reserved(2);
                idle.reclaim(2);
                idle.reserve(2);
            } else {
                idle.lend(2);
                idle.reclaim(2);
            }
            std::this_thread::yield();
        }
        napper.join();
        idle.end_nap();
    }
}
