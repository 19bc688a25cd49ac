// The worker's loop: fairness, stealing, overflow of every queue. Rule O7.
#include "core/base/thread.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

using namespace support;

TEST_CASE("O7: a task from outside runs although tasks keep submitting tasks without end") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<bool> stop{false};
        std::function<void()> again = [&] {
            if (!stop) lastly::this_task::submit(again).detach();
        };
        for (unsigned i = 0; i < 2 * workers; ++i) pool.detach(again);
        std::atomic<bool> ran{false};
        pool.detach([&] { ran = true; });
        await([&] { return ran.load(); });
        // The oldest of a worker's own tasks gets its turn too.
        std::atomic<bool> old_ran{false};
        pool.detach([&] {
            lastly::this_task::submit([&] { old_ran = true; }).detach();
            for (int i = 0; i < 3; ++i) lastly::this_task::submit(again).detach();
        });
        await([&] { return old_ran.load(); });
        stop = true;
        check_end(pool);
    });
}

TEST_CASE("O7: submissions from outside start in the order in which they came, on one worker") {
    lastly::pool pool(options(1));
    std::vector<int> order;
    {
        blockade all(pool, 1);
        for (int i = 0; i < 1000; ++i) pool.detach([&order, i] { order.push_back(i); });
    }
    pool.wait_idle();
    REQUIRE(order.size() == 1000);
    for (int i = 0; i < 1000; ++i) CHECK(std::abs(order[static_cast<std::size_t>(i)] / 122 - i / 122) <= 1);
    check_end(pool);
}

TEST_CASE("worker: tasks in the deque of a worker that blocks are stolen") {
    for (const unsigned workers : {2u, 8u}) {
        CAPTURE(workers);
        lastly::pool pool(options(workers));
        std::atomic<int> ran{0};
        pool.run([&] {
            for (int i = 0; i < 100; ++i) lastly::this_task::submit([&] { ran.fetch_add(1); }).detach();
            await([&] { return ran.load() == 100; });   // this worker does nothing else meanwhile
        });
        CHECK(ran == 100);
        check_end(pool);
    }
}

TEST_CASE("worker: a burst after an idle spell is never slept through") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.tuning.spin_rounds = 1;
        lastly::pool pool(o);
        std::atomic<int> ran{0};
        for (int round = 0; round < 7'000; ++round) {   // see "Under the thread sanitizer" in core/structures/README.md
            // One task, handed in while the worker is on its way to sleep: nobody comes after it to wake the worker.
            for (int pause = 0; pause < round % 16; ++pause) lastly::detail::pause_cpu();
            pool.detach([&] { ran.fetch_add(1); });
            await([&] { return ran.load() == round + 1; });
        }
        check_end(pool);
    });
}

TEST_CASE("worker: ten thousand tasks spawned from inside grow the deque and all run") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> ran{0};
        pool.run([&] {
            for (int i = 0; i < 10'000; ++i) pool.detach([&] { ran.fetch_add(1, std::memory_order_relaxed); });
        });
        pool.wait_idle();
        CHECK(ran == 10'000);
        check_end(pool);
    });
}
