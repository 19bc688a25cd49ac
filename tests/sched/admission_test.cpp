// The way in. Rules A1, A2, A4, A6; A5 in room_test.cpp.
#include "core/structures/slab.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <stdexcept>

#include <pthread.h>

using namespace support;

namespace {

struct throws_when_moved {
    bool armed = true;
    explicit throws_when_moved(bool a) : armed(a) {}
    throws_when_moved(throws_when_moved&& other) : armed(other.armed) { if (armed) throw std::runtime_error("move"); }
    throws_when_moved(const throws_when_moved& other) : armed(other.armed) { if (armed) throw std::runtime_error("copy"); }
};

}   // namespace

TEST_CASE("A1: a rejected submission has run its whole chain on the calling thread, the body never") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        pool.close();
        std::string order;
        bool body = false;
        const auto me = std::this_thread::get_id();
        try {
            pool.detach([&] { body = true; }, lastly::finally([&](const lastly::outcome& o) {
                            order += o.rejected() && !o.started() && o.cause() == lastly::errc::pool_closed ? 'b' : '?';
                        }),
                        lastly::finally([&] { order += std::this_thread::get_id() == me ? 'a' : '?'; }));
            FAIL("accepted");
        } catch (const lastly::task_rejected& e) {
            CHECK(e.code() == lastly::errc::pool_closed);
        }
        CHECK(order == "ab");
        CHECK_FALSE(body);
        check_end(pool);
        CHECK(pool.ledger().rejected == 1);
    });
}

TEST_CASE("A1: without memory for a frame the chain runs from the caller's arguments") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::array<char, 20'000> large{};
        int ran = 0;
        const auto finalizer = lastly::finally([&](const lastly::outcome& o) { ran += o.cause() == std::errc::not_enough_memory ? 1 : 100; });
        lastly::detail::fail_slabs(1);
        CHECK_THROWS_AS(pool.submit([large] { return large[0]; }, finalizer, lastly::finally([&] { ++ran; })).get(), lastly::task_rejected);
        CHECK(ran == 2);
        lastly::detail::fail_slabs(1);
        CHECK_THROWS_AS(static_cast<void>(lastly::make_task([large] { return large[0]; }, finalizer)), lastly::task_rejected);
        CHECK(ran == 3);
        CHECK(pool.ledger().rejected == 1);
        check_end(pool);
    });
}

TEST_CASE("A1: a part that throws when moved in: the chain runs, from the frame or the caller's arguments, and the exception propagates") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::string order;
        const auto note = [&](char c) {
            return lastly::finally([&order, c](const lastly::outcome& o) { order += o.cause() == lastly::errc::construction_failed ? c : '?'; });
        };
        struct late {
            throws_when_moved m;
            std::string* order;
            void operator()() { *order += '2'; }
        };
        lastly::detail::finalizer<late, lastly::detail::when::always> second{{throws_when_moved(false), &order}};
        second.callable.m.armed = true;
        CHECK_THROWS_WITH(pool.detach([] {}, note('1'), std::move(second), note('3')), "move");
        CHECK(order == "321");
        CHECK(pool.ledger().rejected == 1);
        check_end(pool);
    });
}

TEST_CASE("A2: try_submit leaves a refused task intact, and runs nothing") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.capacity = workers;
        lastly::pool pool(o);
        int chain = 0;
        auto task = lastly::make_task([] { return 3; }, lastly::finally([&] { ++chain; }));
        {
            blockade all(pool, workers);
            lastly::task_handle<int> handle;
            CHECK(pool.try_submit(std::move(task), &handle) == lastly::errc::pool_full);
            CHECK(task.valid());
            CHECK_FALSE(handle.valid());
            CHECK(chain == 0);
        }
        pool.wait_idle();
        lastly::task_handle<int> handle;
        CHECK_FALSE(pool.try_submit(std::move(task), &handle));
        CHECK_FALSE(task.valid());
        CHECK(handle.get() == 3);
        CHECK(chain == 1);
        CHECK(pool.ledger().rejected == 1);
        auto late = lastly::make_task([] {});
        pool.close();
        CHECK(pool.try_submit(std::move(late)) == lastly::errc::pool_closed);
        CHECK(late.valid());
        check_end(pool);
    });
}

TEST_CASE("A4: a submission that races a close is accepted and finished, or rejected; never lost") {
    with_workers([](unsigned workers) {
        for (int round = 0; round < 60; ++round) {
            lastly::pool pool(options(workers));
            std::atomic<int> accepted{0}, rejected{0}, chains{0}, bodies{0};
            std::atomic<bool> go{false};
            std::vector<std::thread> submitters;
            for (int t = 0; t < 3; ++t) {
                submitters.emplace_back([&] {
                    await([&] { return go.load(); });
                    for (int i = 0; i < 200; ++i) {
                        try {
                            pool.detach([&] { bodies.fetch_add(1); }, lastly::finally([&] { chains.fetch_add(1); }));
                            accepted.fetch_add(1);
                        } catch (const lastly::task_rejected&) {
                            rejected.fetch_add(1);
                        }
                    }
                });
            }
            go = true;
            await([&] { return accepted.load() >= round; });
            const auto end = pool.shutdown();
            CHECK(end.complete);
            CHECK(end.ledger.balanced());
            for (auto& s : submitters) s.join();
            CHECK(accepted + rejected == 600);
            CHECK(chains == 600);
            CHECK(bodies == accepted);
            CHECK(pool.ledger().balanced());
        }
    });
}

TEST_CASE("A6: tasks and finalizers of a draining pool may submit; after an abrupt end nobody may") {
    with_workers([](unsigned workers) {
        {
            lastly::pool pool(options(workers));
            std::atomic<int> ran{0};
            gate started;
            pool.detach([&] {
                started.pass();
                lastly::this_task::submit([&] { ran.fetch_add(1); }).detach();
            }, lastly::finally([&] { pool.detach([&] { ran.fetch_add(1); }); }));
            started.wait_for_arrivals(1);
            pool.close();
            CHECK_THROWS_AS(pool.detach([] {}), lastly::task_rejected);
            started.open();
            check_end(pool);
            CHECK(ran == 2);
        }
        lastly::pool pool(options(workers));
        std::atomic<bool> refused{false};
        gate started;
        pool.detach([&] {
            started.pass();
            try {
                lastly::this_task::submit([] {}).detach();
            } catch (const lastly::task_rejected& e) {
                refused = e.code() == lastly::errc::pool_closed;
            }
        });
        started.wait_for_arrivals(1);
        pool.shutdown_now(std::chrono::nanoseconds(0));
        started.open();
        check_end(pool);
        CHECK(refused);
    });
}

TEST_CASE("A6: a rejected task's finalizer cannot smuggle a task into a closed pool") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        check_end(pool);
        int inner = 0, refused = 0;
        const auto submit = [&] {
            try {
                pool.detach([] {}, lastly::finally([&](const lastly::outcome& o) { inner += o.rejected() ? 1 : 100; }));
            } catch (const lastly::task_rejected&) {
                ++refused;
            }
        };
        CHECK_THROWS_AS(pool.detach([] {}, lastly::finally(submit)), lastly::task_rejected);
        CHECK(inner == 1);
        CHECK(refused == 1);
        CHECK(pool.ledger().live == 0);
        CHECK(pool.ledger().balanced());
    });
}

TEST_CASE("P4: a finalizer of a refused task leaves the submitter's thread: the rest run, and the books balance") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        pool.close();
        std::string order;
        std::atomic<int> alive{0};
        CHECK(leaves_its_thread([&] {
            pool.detach([kept = canary(alive)] {}, lastly::finally([&] { order += 'a'; }), lastly::finally([&] { order += 'b'; ::pthread_exit(nullptr); }),
                        lastly::finally([&] { order += 'c'; }));
        }));
        CHECK(order == "cba");
        CHECK(alive == 0);
        CHECK(log.count(lastly::report_kind::finalizer_failed) == 1);
        const auto end = pool.shutdown();
        CHECK(end.complete);
        CHECK(end.ledger.balanced());
        CHECK(end.ledger.rejected == 1);
        CHECK(end.ledger.finalizers_run == 3);
        CHECK(end.ledger.finalizers_thrown == 1);
    });
}

TEST_CASE("P4: a body that its submitter runs within a catch leaves the thread: its chain runs, then that of what submitted it") {
    sink_log log;
    lastly::pool_options o = options(1, &log);
    o.capacity = 1;
    o.overflow = lastly::overflow::caller_runs;
    lastly::pool full(o), pool(options(1));
    const auto held = std::make_shared<gate>();
    full.detach([held] { held->pass(); });
    held->wait_for_arrivals(1);
    std::string order;
    const auto body = [&] {
        try {
            throw 1;
        } catch (...) {
            full.detach([] { ::pthread_exit(nullptr); }, lastly::finally([&] { order += '1'; }), lastly::finally([&] { order += '2'; }));
        }
        order += '!';
    };
    CHECK(is_thread_exited([&] { pool.run(body, lastly::finally([&] { order += 'a'; })); }));
    CHECK(order == "21a");
    CHECK(leaves_its_thread(body));   // nor does it matter that the submitter is no worker
    CHECK(order == "21a21");
    CHECK(log.count(lastly::report_kind::failed) == 2);
    held->open();
    CHECK(pool.run([] { return 5; }) == 5);
    check_end(pool);
    check_end(full);
}
