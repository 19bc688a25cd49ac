// A pool as a whole: many pools at once, one after another, and within one another.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace support;

TEST_CASE("pool: made and destroyed in a loop, empty or with work") {
    with_workers([](unsigned workers) {
        std::atomic<int> chains{0};
        for (int i = 0; i < 100; ++i) {
            lastly::pool pool(options(workers));
            if (i % 2 == 0) pool.detach([] {}, lastly::finally([&] { chains.fetch_add(1); }));
        }
        CHECK(chains == 50);
    });
}

TEST_CASE("pool: a task of one pool submits to and waits for another") {
    with_workers([](unsigned workers) {
        lastly::pool outer(options(workers)), inner(options(workers));
        std::vector<lastly::task_handle<int>> handles;
        for (int i = 0; i < 100; ++i) handles.push_back(outer.submit([&, i] { return inner.run([i] { return i; }) + 1; }));
        int sum = 0;
        for (auto& h : handles) sum += h.get();
        CHECK(sum == 5050);
        check_end(outer);
        check_end(inner);
    });
}

TEST_CASE("pool: an unsubmitted task outlives every pool") {
    lastly::task<int> kept;
    {
        lastly::pool pool(options(1));
        kept = lastly::make_task([] { return 4; });
        check_end(pool);
    }
    lastly::pool later(options(1));
    CHECK(later.submit(std::move(kept)).get() == 4);
    check_end(later);
}
