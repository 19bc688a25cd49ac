// The process's own pool: one for all threads, there until the end. In a forked child: tests/process/fork_test.cpp.
#include "core/base/cpus.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>
#include <lastly/lastly.hpp>

#include <thread>
#include <vector>

TEST_CASE("default_pool: all threads get the same one, also when they are the first") {
    std::vector<lastly::pool*> seen(8);
    std::vector<std::thread> threads;
    for (auto& place : seen) threads.emplace_back([&place] { place = &lastly::default_pool(); });
    for (auto& t : threads) t.join();
    for (lastly::pool* const p : seen) CHECK(p == &lastly::default_pool());
}

TEST_CASE("default_pool: it runs tasks, with as many workers as there are CPUs to use") {
    CHECK(lastly::default_pool().run([] { return 7; }) == 7);
    CHECK(lastly::default_pool().workers() == lastly::detail::usable_cpus());
    lastly::default_pool().wait_idle();
    CHECK(lastly::default_pool().ledger().balanced());
}
