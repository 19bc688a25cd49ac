// Completion: what waiters see, which errors are told to whom. Rules O4, E5, W3, W4, S6.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <memory>

#include <stdexcept>

using namespace support;

TEST_CASE("O4: whoever was waiting may free everything that the task touched") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int i = 0; i < 500; ++i) {
            auto touched = std::make_unique<int>(0);
            int* const p = touched.get();
            auto handle = pool.submit([p](lastly::task_context& t) { t.defer([p] { std::this_thread::yield(); *p += 1; }); },
                                      lastly::finally([p] { *p += 10; }));
            handle.wait();
            CHECK(handle.ready());
            CHECK(*touched == 11);
            touched.reset();
        }
        check_end(pool);
    });
}

TEST_CASE("O4: the ledger has counted a task whose waiter was told") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (std::uint64_t i = 1; i <= 200; ++i) {
            pool.run([] {}, lastly::finally([] {}));
            const auto now = pool.ledger();
            CHECK(now.succeeded == i);
            CHECK(now.finalizers_run == i);
        }
        check_end(pool);
    });
}

TEST_CASE("E5: errors that nobody takes reach the sink once: detached, dropped before, dropped after, outlived") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::task_handle<void> outliving;
        {
            lastly::pool pool(options(workers, &log));
            const auto fail = [] { throw std::runtime_error("lost"); };
            pool.detach(fail, lastly::named("detached"));
            pool.wait_idle();
            CHECK(log.count(lastly::report_kind::failed) == 1);
            {
                blockade all(pool, workers);
                pool.submit(fail, lastly::named("dropped before")).detach();
            }
            pool.wait_idle();
            CHECK(log.count(lastly::report_kind::failed) == 2);
            auto finished = pool.submit(fail, lastly::named("dropped after"));
            finished.wait();
            CHECK(log.count(lastly::report_kind::failed) == 2);
            finished.detach();
            CHECK(log.count(lastly::report_kind::failed) == 3);
            auto taken = pool.submit(fail);
            CHECK_THROWS(taken.get());
            auto looked_at = pool.submit(fail);
            looked_at.wait();
            CHECK(looked_at.outcome().failed());
            looked_at.detach();
            CHECK(log.count(lastly::report_kind::failed) == 3);
            outliving = pool.submit(fail, lastly::named("outliving"));
            outliving.wait();
            check_end(pool);
        }
        REQUIRE(log.count(lastly::report_kind::failed) == 4);
        CHECK(log.entries().back().name == "outliving");
        CHECK_THROWS_WITH(outliving.get(), "lost");
        CHECK(log.count(lastly::report_kind::failed) == 4);
    });
}

TEST_CASE("E5: a dropped cancellation is told as cancelled; one in bulk is counted only") {
    with_workers([](unsigned workers) {
        sink_log log;
        {
            lastly::pool pool(options(workers, &log));
            std::vector<lastly::task_handle<void>> in_bulk;
            {
                blockade all(pool, workers);
                auto one = pool.submit([] {}, lastly::named("one"));
                one.cancel();
                one.detach();
                for (int i = 0; i < 20; ++i) in_bulk.push_back(pool.submit([] {}));
                pool.shutdown_now(std::chrono::nanoseconds(0));
            }
            check_end(pool);
        }
        CHECK(log.count(lastly::report_kind::cancelled) == 1);
        CHECK(log.entries().size() == 1);
        CHECK(log.entries()[0].name == "one");
        CHECK(log.entries()[0].cause == lastly::errc::cancelled);
    });
}

TEST_CASE("E5: the sink may submit, and may throw") {
    with_workers([](unsigned workers) {
        std::atomic<int> second{0};
        lastly::pool* self = nullptr;
        auto o = options(workers);
        o.error_sink = [&](const lastly::error_report&) {
            self->detach([&] { second.fetch_add(1); });
            throw std::runtime_error("the sink itself");
        };
        lastly::pool pool(o);
        self = &pool;
        pool.detach([] { throw std::runtime_error("expected on stderr: a sink that throws falls back to it"); });
        pool.wait_idle();
        CHECK(second == 1);
        check_end(pool);
    });
}

TEST_CASE("W3: wait_for returns in time and runs no task") {
    lastly::pool pool(options(1));
    bool ran_meanwhile = true;
    pool.run([&] {
        std::atomic<bool> began{false};
        auto inner = pool.submit([&] { began = true; });
        CHECK_FALSE(inner.wait_for(std::chrono::milliseconds(1)));
        ran_meanwhile = began;
        inner.wait();
        CHECK(inner.wait_for(std::chrono::nanoseconds(0)));
    });
    CHECK_FALSE(ran_meanwhile);
    check_end(pool);
}

TEST_CASE("W4: waiting for oneself says so") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> refused{0};
        const auto expect_deadlock = [&](auto wait) {
            try {
                wait();
            } catch (const std::system_error& e) {
                if (e.code() == std::errc::resource_deadlock_would_occur) refused.fetch_add(1);
            }
        };
        gate ready;
        std::shared_ptr<lastly::task_handle<void>> handle = std::make_shared<lastly::task_handle<void>>();
        *handle = pool.submit([&, handle] {
            ready.pass();
            expect_deadlock([&] { handle->wait_for(std::chrono::milliseconds(1)); });
            expect_deadlock([&] { handle->wait(); });
            expect_deadlock([&] { pool.wait_idle(); });
        });
        ready.wait_for_arrivals(1);
        ready.open();
        pool.wait_idle();
        CHECK(refused == 3);
        handle->detach();
        check_end(pool);
    });
}

TEST_CASE("S6: a handle outlives its pool and still gives the result") {
    with_workers([](unsigned workers) {
        lastly::task_handle<std::string> handle;
        {
            lastly::pool pool(options(workers));
            handle = pool.submit([] { return std::string("kept beyond the end of its pool"); });
            check_end(pool);
        }
        REQUIRE(handle.ready());
        CHECK_FALSE(handle.cancel());
        CHECK(handle.get() == "kept beyond the end of its pool");
    });
}

TEST_CASE("S6: handles dropped while their pool ends destroy each result once") {
    with_workers([](unsigned workers) {
        for (int round = 0; round < 20; ++round) {
            std::atomic<int> alive{0};
            std::vector<lastly::task_handle<canary>> handles;
            auto pool = std::make_unique<lastly::pool>(options(workers));
            for (int i = 0; i < 500; ++i) handles.push_back(pool->submit([c = canary(alive)] { return c; }));
            pool->shutdown();
            std::atomic<bool> go{false};
            std::thread dropper([&] {
                await([&] { return go.load(); });
                handles.clear();
            });
            go = true;
            pool.reset();
            dropper.join();
            CHECK(alive == 0);
        }
    });
}
