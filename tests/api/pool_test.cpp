// The pool's compiled half: what its constructor takes and refuses, and what its members return.
#include "lastly/pool.hpp"

#include "../lastly/check_pool.hpp"
#include "core/base/thread.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <pthread.h>
#include <string>
#include <system_error>

TEST_CASE("pool: a constructor that cannot start every worker ends those it started, and says so") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        for (unsigned failing = 1; failing <= workers; failing += workers > 2 ? 3 : 1) {
            CAPTURE(failing);
            std::atomic<unsigned> started{0}, ended{0};
            lastly::pool_options o;
            o.workers = workers;
            o.name = "short";
            o.on_worker_start = [&](unsigned) { ++started; };
            o.on_worker_exit = [&](unsigned) { ++ended; };
            lastly::detail::fail_thread_start(failing);
            try {
                const lastly::pool p(o);
                FAIL("a worker is missing");
            } catch (const std::system_error& e) {
                CHECK(e.code() == std::errc::resource_unavailable_try_again);
                CHECK(contains(e.what(), "worker " + std::to_string(failing - 1) + " of pool short cannot be started"));
            }
            lastly::detail::fail_thread_start(0);
            CHECK(started.load() == failing - 1);
            CHECK(ended.load() == failing - 1);
        }
    }
}

TEST_CASE("pool: a watchdog that cannot be started is told, and no worker is left behind") {
    lastly::pool_options o;
    o.workers = 2;
    o.finalizer_budget = std::chrono::seconds(1);
    lastly::detail::fail_thread_start(1);
    CHECK_THROWS_AS(lastly::pool{o}, std::system_error);
    lastly::detail::fail_thread_start(0);
    checked_pool pool(2, o);
    CHECK(pool->run([] { return 3; }) == 3);
}

TEST_CASE("pool: its workers carry its name and their number") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        lastly::pool_options o;
        o.name = "a-rather-long-name";
        checked_pool pool(workers, o);
        const std::string name = pool->run([] {
            char text[32] = {};
            ::pthread_getname_np(::pthread_self(), text, sizeof text);
            return std::string(text);
        });
        CHECK(name.rfind("a-rather-lo/", 0) == 0);
        CHECK(std::stoul(name.substr(12)) < workers);
    }
}

TEST_CASE("pool: several live side by side, and tasks of one submit to another") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool first(workers), second(workers);
        CHECK(first->run([&] { return second->submit([] { return 5; }).get() + 1; }) == 6);
        first->wait_idle();
        second->wait_idle();
        CHECK(first->ledger().accepted == 1);
        CHECK(second->ledger().accepted == 1);
    }
}

TEST_CASE("pool: after a shutdown its books stay as they were") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        for (int i = 0; i < 25; ++i) pool->detach([] {}, lastly::finally([] {}));
        const lastly::shutdown_report r = pool->shutdown();
        CHECK(r.complete);
        CHECK(r.ledger.succeeded == 25);
        CHECK(pool->ledger().finalizers_returned == 25);
        CHECK(pool->workers() == workers);
        CHECK_NOTHROW(pool->wait_idle());
    }
}

TEST_CASE("pool: many come and go, each with a few tasks") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        std::atomic<int> ran{0};
        for (int n = 0; n < 40; ++n) {
            checked_pool pool(workers);
            for (int i = 0; i < n % 4; ++i) pool->detach([&] { ++ran; });
        }
        CHECK(ran.load() == 60);
    }
}
