// One run: order, outcomes, stops. Rules O1, O3, E1, C1, C4.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>

using namespace support;

TEST_CASE("O1: the result is stored before the first finalizer runs") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> seen{0};
        CHECK(pool.run([](lastly::task_context&) { return 41; },
                       lastly::finally([&](lastly::result<int>& r) { seen = r.succeeded() ? r.value() : -1; })) == 41);
        CHECK(seen == 41);
        auto failing = pool.submit([]() -> int { throw std::runtime_error("stored"); },
                                   lastly::finally([&](const lastly::outcome& o) { seen = o.failed() && o.error() ? 7 : -1; }));
        CHECK_THROWS_WITH(failing.get(), "stored");
        CHECK(seen == 7);
        check_end(pool);
    });
}

TEST_CASE("O3: captures die after the chain and before the waiter is told") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int i = 0; i < 200; ++i) {
            std::atomic<int> alive{0}, alive_in_chain{-1};
            auto task = lastly::make_task([c = canary(alive)](lastly::task_context& t) { t.defer([d = c] {}); },
                                          lastly::finally([&, c = canary(alive)] { alive_in_chain = alive.load(); }));
            auto handle = pool.submit(std::move(task));   // the temporaries it was made of are gone: none of them is counted
            handle.wait();
            CHECK(alive == 0);
            CHECK(alive_in_chain == 3);
        }
        check_end(pool);
    });
}

TEST_CASE("O3: finalizers registered by destructors of captures run too") {
    struct defers_when_destroyed {
        std::atomic<int>* ran;
        explicit defers_when_destroyed(std::atomic<int>& r) : ran(&r) {}
        defers_when_destroyed(defers_when_destroyed&& other) noexcept : ran(std::exchange(other.ran, nullptr)) {}
        ~defers_when_destroyed() {
            if (ran != nullptr) lastly::this_task::defer([r = ran] { r->fetch_add(1); });
        }
    };
    with_workers([&](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> ran{0};
        pool.submit([d = defers_when_destroyed(ran)] {}, lastly::finally([d = defers_when_destroyed(ran)] {})).wait();
        CHECK(ran == 2);
        CHECK(pool.ledger().finalizers_attached == 3);
        check_end(pool);
    });
}

TEST_CASE("E1: a body that returns has succeeded, even if a stop was requested") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate started;
        auto handle = pool.submit([&] { started.pass(); });
        started.wait_for_arrivals(1);
        CHECK(handle.cancel());
        started.open();
        handle.wait();
        CHECK(handle.outcome().succeeded());
        check_end(pool);
    });
}

TEST_CASE("E1: task_cancelled after a requested stop is a cancellation with its cause, without one a failure") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        gate started;
        auto stopped = pool.submit([&](lastly::task_context& t) {
            started.pass();
            t.throw_if_stopped();
        });
        started.wait_for_arrivals(1);
        CHECK(stopped.cancel(std::make_error_code(std::errc::timed_out)));
        started.open();
        stopped.wait();
        CHECK(stopped.outcome().cancelled());
        CHECK(stopped.outcome().started());
        CHECK(stopped.outcome().cause() == std::errc::timed_out);
        CHECK_THROWS_AS(stopped.get(), lastly::task_cancelled);

        auto pretending = pool.submit([] { throw lastly::task_cancelled(lastly::errc::cancelled); });
        pretending.wait();
        CHECK(pretending.outcome().failed());
        check_end(pool);
    });
}

TEST_CASE("C1: a running body sees the stop; a queued one does not start") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate started;
        std::atomic<bool> saw_before{true}, saw_after{false}, began{false};
        auto running = pool.submit([&](lastly::task_context& t) {
            saw_before = t.stop_requested() || lastly::this_task::stop_requested();
            started.pass();
            saw_after = t.stop_requested() && lastly::this_task::stop_requested();
        });
        started.wait_for_arrivals(1);
        std::vector<lastly::task_handle<void>> queued;
        {
            blockade others(pool, workers - 1);
            queued.push_back(pool.submit([&] { began = true; }));
            CHECK(queued.back().cancel());
            CHECK(running.cancel());
        }
        started.open();
        running.wait();
        queued.back().wait();
        CHECK_FALSE(saw_before);
        CHECK(saw_after);
        CHECK_FALSE(began);
        CHECK(queued.back().outcome().cancelled());
        CHECK_FALSE(queued.back().outcome().started());
        check_end(pool);
    });
}

TEST_CASE("C4: a finalizer sees no stop and is never interrupted by one") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate started;
        std::atomic<int> shielded{0};
        const auto look = [&](lastly::task_context* t) {
            lastly::this_task::throw_if_stopped();
            if (t != nullptr && t->stop_requested()) return;
            if (!lastly::this_task::stop_requested() && lastly::this_task::finalizing()) shielded.fetch_add(1);
        };
        auto handle = pool.submit(
            [&](lastly::task_context& t) {
                t.defer([&look] { look(nullptr); });
                started.pass();
                t.throw_if_stopped();
            },
            lastly::finally([&] { look(nullptr); }), lastly::on_cancelled([&] { look(nullptr); }));
        started.wait_for_arrivals(1);
        handle.cancel();
        started.open();
        handle.wait();
        CHECK(handle.outcome().cancelled());
        CHECK(shielded == 3);
        check_end(pool);
    });
}

TEST_CASE("run: this_task knows whether, what, and in which phase") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        CHECK_FALSE(lastly::this_task::inside());
        CHECK(std::string(lastly::this_task::name()) == "");
        std::atomic<int> right{0};
        pool.run(
            [&] {
                if (lastly::this_task::inside() && !lastly::this_task::finalizing()) right.fetch_add(1);
                if (std::string(lastly::this_task::name()) == "known") right.fetch_add(1);
            },
            lastly::named("known"), lastly::finally([&] {
                if (lastly::this_task::inside() && lastly::this_task::finalizing()) right.fetch_add(1);
                if (std::string(lastly::this_task::name()) == "known") right.fetch_add(1);
            }));
        CHECK(right == 4);
        CHECK_THROWS_AS(lastly::this_task::defer([] {}), std::logic_error);
        check_end(pool);
    });
}

TEST_CASE("C4: a finalizer's context shows no stop, one obtained before tells the truth") {
    const std::error_code why(77, std::generic_category());
    with_workers([why](unsigned workers) {
        lastly::pool pool(options(workers));
        gate running;
        std::optional<lastly::context> before, inside;
        auto handle = pool.submit(
            [&](lastly::task_context& t) {
                before = t.context();
                running.pass();
            },
            lastly::finally([&] {
                inside = lastly::this_task::context();
                CHECK(before->cause() == why);
                CHECK_FALSE(inside->stop_requested());
                CHECK(inside->sleep_for(std::chrono::microseconds(1)));
            }));
        running.wait_for_arrivals(1);
        CHECK(handle.cancel(why));
        running.open();
        handle.get();
        CHECK_FALSE(*inside == *before);
        check_end(pool);
    });
}

TEST_CASE("E1: another thread that a body lends its task_context to is told the cause, too") {
    lastly::pool pool(options(1));
    std::error_code told;
    const auto ask_elsewhere = [&](const lastly::task_context& t) {
        std::thread([&] {
            try {
                t.throw_if_stopped();
            } catch (const lastly::task_cancelled& e) {
                told = e.code();
            }
        }).join();
    };
    std::atomic<bool> begun{false};
    auto handle = pool.submit([&](lastly::task_context& t) {
        begun = true;
        await([&] { return t.stop_requested(); });
        ask_elsewhere(t);
    });
    await([&] { return begun.load(); });
    CHECK(handle.cancel(std::make_error_code(std::errc::timed_out)));
    handle.wait();
    CHECK(told == std::errc::timed_out);
    auto source = lastly::with_cancel();
    pool.submit([&](lastly::task_context& t) {
        source.cancel(std::make_error_code(std::errc::broken_pipe));   // the body itself has not asked yet
        ask_elsewhere(t);
    }, source.context()).wait();
    CHECK(told == std::errc::broken_pipe);
    check_end(pool);
}
