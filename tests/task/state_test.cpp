// The state word: cancel against run, first cause, claim in place. Rules C2, E2, W1.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace support;

TEST_CASE("C2: cancelling a queued task runs its finalizers on a worker, never on the canceller, and not its body") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<bool> here{false}, ran{false}, body{false};
        const std::thread::id me = std::this_thread::get_id();
        lastly::task_handle<void> handle;
        {
            blockade all(pool, workers);
            handle = pool.submit([&] { body = true; }, lastly::finally([&] {
                                     ran = true;
                                     here = std::this_thread::get_id() == me;
                                 }));
            CHECK(handle.cancel());
            CHECK_FALSE(ran);
        }
        handle.wait();
        CHECK(ran);
        CHECK_FALSE(here);
        CHECK_FALSE(body);
        CHECK(handle.outcome().cause() == lastly::errc::cancelled);
        check_end(pool);
    });
}

TEST_CASE("E2: the first cause wins") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        lastly::task_handle<void> handle;
        {
            blockade all(pool, workers);
            handle = pool.submit([] {});
            CHECK(handle.cancel(std::make_error_code(std::errc::timed_out)));
            CHECK_FALSE(handle.cancel(lastly::errc::cancelled));
        }
        handle.wait();
        CHECK(handle.outcome().cause() == std::errc::timed_out);
        CHECK_FALSE(handle.cancel());
        check_end(pool);
    });
}

TEST_CASE("E2: the pool's abrupt end comes first for a task that is cancelled after it") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate started;
        auto running = pool.submit([&](lastly::task_context& t) {
            started.pass();
            t.throw_if_stopped();
        });
        started.wait_for_arrivals(1);
        CHECK_FALSE(pool.shutdown_now(std::chrono::nanoseconds(0)).complete);
        CHECK_FALSE(running.cancel());
        started.open();
        running.wait();
        CHECK(running.outcome().cause() == lastly::errc::pool_shutdown);
        check_end(pool);
    });
}

TEST_CASE("E2: of many cancellers exactly one wins") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int round = 0; round < 50; ++round) {
            auto handle = pool.submit([](lastly::task_context& t) { while (!t.stop_requested()) std::this_thread::yield(); });
            std::atomic<int> winners{0};
            std::latch start(3);
            std::vector<std::thread> cancellers;
            for (int i = 0; i < 3; ++i) {
                cancellers.emplace_back([&] {
                    start.arrive_and_wait();
                    if (handle.cancel()) winners.fetch_add(1);
                });
            }
            for (auto& c : cancellers) c.join();
            handle.wait();
            CHECK(winners == 1);
        }
        check_end(pool);
    });
}

TEST_CASE("W1: a worker that waits for a queued task runs it itself, once; the husk is thrown away") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> ran{0}, finalized{0}, foreign{0};
        for (int i = 0; i < 100; ++i) {
            const int got = pool.run([&] {
                const auto me = std::this_thread::get_id();
                auto inner = pool.submit(
                    [&] {
                        ran.fetch_add(1);
                        if (std::this_thread::get_id() != me) foreign.fetch_add(1);
                        return 5;
                    },
                    lastly::finally([&] { finalized.fetch_add(1); }));
                pool.detach([] {});   // so that it is not the youngest, and leaves a husk
                return inner.get();
            });
            CHECK(got == 5);
        }
        pool.wait_idle();
        CHECK(ran == 100);
        CHECK(finalized == 100);
        if (workers == 1) CHECK(foreign == 0);
        CHECK(pool.ledger().held == 0);
        check_end(pool);
    });
}

TEST_CASE("W1: nested waits on one worker end, fifty deep") {
    lastly::pool pool(options(1));
    std::function<int(int)> down = [&](int depth) { return depth == 0 ? 0 : 1 + pool.run([&, depth] { return down(depth - 1); }); };
    CHECK(pool.run([&] { return down(50); }) == 50);
    check_end(pool);
}

TEST_CASE("E2: a cancel races the task that asks for its context, and is seen or too late") {
    const std::error_code why(77, std::generic_category());
    with_workers([why](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int round = 0; round < 200; ++round) {
            std::optional<lastly::context> own;
            std::atomic<bool> running{false};
            auto handle = pool.submit([&](lastly::task_context& t) {
                running = true;
                own = t.context();
                t.throw_if_stopped();
            });
            if (round % 2 == 0) await([&] { return running.load(); });
            const bool won = handle.cancel(why);
            handle.wait();
            if (own) CHECK((!own->stop_requested() || own->cause() == why));
            if (handle.outcome().cancelled()) CHECK(won);
            if (own && handle.outcome().cancelled()) CHECK(own->cause() == why);
            if (!own) CHECK(handle.outcome().cancelled());
            handle.detach();
        }
        check_end(pool);
    });
}

TEST_CASE("C1: an empty cause of a cancel stands for errc::cancelled") {
    lastly::pool pool(options(1));
    lastly::task_handle<void> h;
    {
        blockade all(pool, 1);
        h = pool.submit([] {});
        CHECK(h.cancel(std::error_code()));
    }
    h.wait();
    CHECK(h.outcome().cause() == lastly::errc::cancelled);
    check_end(pool);
}
