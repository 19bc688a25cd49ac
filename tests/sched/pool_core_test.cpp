// A pool as a whole: many at once, one after another, within one another, and ended by its own tasks. Rule S4.
#include "core/sched/account.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <utility>

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

TEST_CASE("S4: a pool destroyed by one of its own tasks closes, and its last worker frees it") {
    with_workers([](unsigned workers) {
        for (int round = 0; round < 20; ++round) {
            std::atomic<int> left{0};
            std::atomic<int> chains{0}, later{0};
            auto o = options(workers);
            o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
            auto* pool = new lastly::pool(o);
            for (int i = 0; i < 50; ++i) pool->detach([] {}, lastly::finally([&] { chains.fetch_add(1); }));
            pool->detach([&, pool] {
                delete pool;
                lastly::this_task::submit([&] { later.fetch_add(1); }).detach();
            }, lastly::finally([&] { chains.fetch_add(1); }));
            await([&] { return left.load() == static_cast<int>(workers); });
            CHECK(chains == 51);
            CHECK(later == 1);
        }
    });
}

TEST_CASE("S4: a pool that destroyed itself reports what nobody looked at, to its own sink") {
    with_workers([](unsigned workers) {
        sink_log first, second;
        std::atomic<int> left{0};
        lastly::task_handle<void> kept;
        {
            auto o = options(workers, &first);
            o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
            auto* const pool = new lastly::pool(o);
            kept = pool->submit([] { throw std::runtime_error("kept"); });
            kept.wait();
            pool->detach([pool] { delete pool; });
        }
        await([&] { return left.load() == static_cast<int>(workers); });
        await([&] { return first.count(lastly::report_kind::failed) == 1; });
        lastly::pool later(options(workers, &second));
        CHECK(later.ledger().held == 0);
        kept.detach();
        check_end(later);
        CHECK(first.count(lastly::report_kind::failed) == 1);
        CHECK(second.entries().empty());
    });
}

TEST_CASE("S4: a pool destroyed by a rejected task's finalizer, or by a task that its caller runs") {
    with_workers([](unsigned workers) {
        for (const bool closed_before : {false, true}) {
            std::atomic<int> left{0};
            auto o = options(workers);
            o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
            auto* pool = new lastly::pool(o);
            if (closed_before) pool->shutdown();
            else pool->close();
            CHECK_THROWS_AS(pool->detach([] {}, lastly::finally([&pool] { delete std::exchange(pool, nullptr); })), lastly::task_rejected);
            await([&] { return left.load() == static_cast<int>(workers); });
        }
        std::atomic<int> left{0};
        auto o = options(workers);
        o.capacity = workers;
        o.overflow = lastly::overflow::caller_runs;
        o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
        auto* const pool = new lastly::pool(o);
        blockade all(*pool, workers);
        pool->detach([pool] { delete pool; });
        all.open();
        await([&] { return left.load() == static_cast<int>(workers); });
    });
}

TEST_CASE("S4: a pool destroyed by the result of a task that its caller runs") {
    with_workers([](unsigned workers) {
        std::atomic<int> left{0};
        auto o = options(workers);
        o.capacity = workers;
        o.overflow = lastly::overflow::caller_runs;
        o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
        auto pool = std::make_unique<lastly::pool>(o);
        lastly::pool& p = *pool;
        blockade all(p, workers);
        p.detach(lastly::make_task([owner = std::move(pool)]() mutable { return std::move(owner); }));
        all.open();
        await([&] { return left.load() == static_cast<int>(workers); });
    });
}

TEST_CASE("S4: a pool destroyed by a chain that the caller of its abrupt end helps to run") {
    with_workers([](unsigned workers) {
        std::atomic<unsigned> left{0};
        auto o = options(workers);
        o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
        auto* pool = new lastly::pool(o);
        blockade all(*pool, workers);
        pool->detach([] {}, lastly::finally([&] {
            delete std::exchange(pool, nullptr);
            all.open();   // its workers may be gone before the caller looks again
        }));
        CHECK_FALSE(pool->shutdown_now().complete);
        await([&] { return left.load() == workers; });
    });
}

TEST_CASE("S4: a pool destroyed within calls for which there was no memory to tell of them") {
    with_workers([](unsigned workers) {
        for (const bool memory_comes_back : {false, true}) {
            for (const bool ended_before : {false, true}) {
                std::atomic<unsigned> left{0};
                auto o = options(workers);
                o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
                auto* pool = new lastly::pool(o);
                std::atomic<bool> ended{false}, over{false};
                std::thread keeps_its_account([&] {
                    if (ended_before) pool->shutdown();
                    ended = true;
                    await([&] { return over.load(); });
                });
                await([&] { return ended.load(); });
                lastly::detail::fail_accounts(1);
                try {
                    pool->detach([] {}, lastly::finally([&] {
                        if (!memory_comes_back) {
                            delete std::exchange(pool, nullptr);
                            return;
                        }
                        lastly::detail::fail_accounts(0);
                        pool->close();
                        try {
                            pool->detach([] {}, lastly::finally([&] { delete std::exchange(pool, nullptr); }));
                        } catch (const lastly::task_rejected&) {
                        }
                    }));
                    FAIL("there was no memory");
                } catch (const lastly::task_rejected& e) {
                    CHECK(e.code() == std::errc::not_enough_memory);
                }
                lastly::detail::fail_accounts(0);
                await([&] { return left.load() == workers; });
                over = true;
                keeps_its_account.join();
            }
        }
    });
}

TEST_CASE("S4: tasks of a destroyed pool that wait for another one are stood in for, and the stand-ins end") {
    with_workers([](unsigned workers) {
        for (int round = 0; round < 20; ++round) {
            lastly::pool other(options(1));
            gate held;
            auto until_open = other.submit([&] { held.pass(); });
            struct figures {
                std::atomic<unsigned> started{0}, left{0}, ran{0};
            };
            const auto count = std::make_shared<figures>();   // a stand-in may begin late
            auto o = options(workers);
            o.on_worker_start = [count](unsigned) { count->started.fetch_add(1); };
            o.on_worker_exit = [count](unsigned) { count->left.fetch_add(1); };
            auto* const pool = new lastly::pool(o);
            std::latch all_run(workers);
            for (unsigned i = 0; i < workers; ++i) {
                pool->detach([&] {
                    all_run.arrive_and_wait();
                    until_open.wait();
                });
            }
            pool->detach([&, pool] {   // on a stand-in, most of the time
                delete pool;
                lastly::this_task::submit([count] { count->ran.fetch_add(1); }).wait();
                held.open();
            });
            await([&] { return count->left.load() >= workers && count->left.load() == count->started.load(); });
            CHECK(count->ran == 1);
            check_end(other);
        }
    });
}

TEST_CASE("W2: a task destroys another pool while a dropped handle is in that pool's sink, which needs the task's own pool") {
    lastly::pool pool(options(1));
    std::atomic<bool> in_sink{false}, ending{false};
    auto o = options(1);
    o.error_sink = [&](const lastly::error_report&) {
        in_sink = true;
        await([&] { return ending.load(); });
        pool.run([] {});
    };
    auto other = std::make_unique<lastly::pool>(o);
    auto handle = std::make_unique<lastly::task_handle<void>>(other->submit([] { throw std::runtime_error("unread"); }));
    handle->wait();
    std::thread visitor([&] { handle.reset(); });
    await([&] { return in_sink.load(); });
    pool.run([&] {
        ending = true;
        other.reset();
    });
    visitor.join();
    check_end(pool);
}

TEST_CASE("W2: a task destroys another pool whose watchdog is in its sink, which needs the task's own pool") {
    lastly::pool pool(options(1));
    std::atomic<bool> in_sink{false}, ending{false};
    auto o = options(1);
    o.finalizer_budget = std::chrono::milliseconds(1);
    o.error_sink = [&](const lastly::error_report&) {
        in_sink = true;
        await([&] { return ending.load(); });
        pool.run([] {});
    };
    auto other = std::make_unique<lastly::pool>(o);
    other->detach([] {}, lastly::finally([&] { await([&] { return in_sink.load(); }); }));
    await([&] { return in_sink.load(); });
    pool.run([&] {
        ending = true;
        other.reset();
    });
    check_end(pool);
}
