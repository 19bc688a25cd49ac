// What workers take from others: from deques, from the injector, from deques that have grown.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <atomic>

using namespace support;

TEST_CASE("intake: tasks in the deque of a worker that blocks are stolen") {
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

TEST_CASE("intake: ten thousand tasks spawned from inside grow the deque and all run") {
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

TEST_CASE("intake: whoever has taken a batch over shares it while it is stuck in the first") {
    for (const unsigned workers : {2u, 8u}) {
        CAPTURE(workers);
        lastly::pool pool(options(workers));
        gate first;
        std::atomic<int> ran{0};
        {
            blockade all(pool, workers);
            pool.detach([&] { first.pass(); });
            for (int i = 0; i < 60; ++i) pool.detach([&] { ran.fetch_add(1); });
        }
        await([&] { return ran.load() == 60; });
        first.open();
        check_end(pool);
    }
}
