// task_group as its users see it: members, failures, stops, reuse, destruction.
#include <lastly/task_group.hpp>

#include "check_pool.hpp"
#include "core/task/context.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using lastly::group_policy;
using lastly::task_context;
using lastly::task_group;
namespace this_task = lastly::this_task;

static_assert(!std::is_copy_constructible_v<task_group> && !std::is_move_constructible_v<task_group>);

TEST_CASE("task_group: wait returns when every member and all that members spawned is over") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::atomic<int> bodies{0}, chains{0}, alive{0};
        task_group group(*pool);
        for (int round = 1; round <= 3; ++round) {
            for (int i = 0; i < 100; ++i) {
                group.spawn([&, c = support::canary(alive)] {
                    ++bodies;
                    for (int k = 0; k < 3; ++k) group.spawn([&] { ++bodies; }, lastly::finally([&] { ++chains; }));
                }, lastly::finally([&] { ++chains; }));
            }
            group.wait();
            CHECK(bodies == 400 * round);
            CHECK(chains == 400 * round);
            CHECK(alive == 0);
        }
    }
}

TEST_CASE("task_group: an empty one is complete at once, also again and again") {
    checked_pool pool(1);
    task_group group(*pool);
    group.wait();
    group.wait();
    CHECK(group.failures().empty());
}

TEST_CASE("task_group: members come from many threads and from workers at once") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_group group(*pool);
        std::atomic<int> ran{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                for (int i = 0; i < 2'000; ++i) group.spawn([&] { if (++ran % 2 == 0) group.spawn([&] { ++ran; }); });
            });
        }
        for (auto& t : threads) t.join();
        group.wait();
        CHECK(ran.load() >= 8'000);
        const int after = ran.load();
        group.wait();
        CHECK(ran.load() == after);
    }
}

TEST_CASE("task_group: the first failure stops the siblings and comes out of wait") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_group group(*pool);
        std::atomic<int> cancelled{0}, chains{0};
        {
            const occupied_workers all(*pool);
            group.spawn([] { throw std::runtime_error("first"); }, lastly::finally([&] { ++chains; }));
            for (int i = 0; i < 200; ++i) {
                group.spawn([](task_context& t) { while (!t.stop_requested()) std::this_thread::yield(); t.throw_if_stopped(); },
                            lastly::finally([&](const lastly::outcome& o) {
                                ++chains;
                                if (o.cancelled() && o.cause() == lastly::errc::sibling_failed) ++cancelled;
                            }));
            }
        }
        CHECK(message_of<std::runtime_error>([&] { group.wait(); }) == "first");
        CHECK(group.failures().size() == 1);
        CHECK(cancelled == 200);
        CHECK(chains == 201);
        std::atomic<bool> fresh{false};
        group.spawn([&](task_context& t) { fresh = !t.stop_requested(); });   // a fresh context
        group.wait();
        CHECK(fresh);
        CHECK(group.failures().empty());
        CHECK(pool.reports().empty());
    }
}

TEST_CASE("task_group: collect lets every member run and keeps all failures") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_group group(*pool, group_policy::collect);
        std::atomic<int> ran{0};
        for (int i = 0; i < 30; ++i) group.spawn([&, i] { ++ran; if (i % 3 == 0) throw std::runtime_error(std::to_string(i)); });
        CHECK_THROWS_AS(group.wait(), std::runtime_error);
        CHECK(ran == 30);
        CHECK(group.failures().size() == 10);
        CHECK(pool.reports().empty());
    }
}

TEST_CASE("task_group: a submitted member's failure is its handle's and the group's, and nobody else's") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_group group(*pool, group_policy::collect);
        auto good = group.submit([] { return 5; });
        auto bad = group.submit([]() -> int { throw std::runtime_error("both"); });
        (void)group.submit([]() -> int { throw std::runtime_error("dropped"); });
        CHECK_THROWS_AS(group.wait(), std::runtime_error);
        CHECK(group.failures().size() == 2);
        CHECK(good.get() == 5);
        CHECK(message_of<std::runtime_error>([&] { bad.get(); }) == "both");
        CHECK(pool.reports().empty());
    }
}

TEST_CASE("task_group: its own cancel is no error of wait, and is counted only") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_group group(*pool);
        std::atomic<int> bodies{0}, chains{0};
        lastly::task_handle<void> one;
        {
            const occupied_workers all(*pool);
            for (int i = 0; i < 50; ++i) group.spawn([&] { ++bodies; }, lastly::finally([&] { ++chains; }));
            one = group.submit([&] { ++bodies; });
            group.cancel(lastly::errc::cancelled);
            group.cancel(lastly::errc::deadline_exceeded);   // the first cause stays
        }
        group.wait();
        CHECK(bodies == 0);
        CHECK(chains == 50);
        CHECK(one.outcome().cause() == lastly::errc::cancelled);
        one.detach();
        CHECK(pool.reports().empty());
        CHECK(pool->ledger().cancelled == 51);
    }
}

TEST_CASE("task_group: what stops its parent stops it, and wait says so") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        auto owner = lastly::with_cancel();
        task_group group(*pool, owner.context());
        std::atomic<int> bodies{0};
        {
            const occupied_workers all(*pool);
            for (int i = 0; i < 20; ++i) group.spawn([&] { ++bodies; });
            owner.cancel(std::make_error_code(std::errc::interrupted));
        }
        try {
            group.wait();
            FAIL("its parent was stopped");
        } catch (const lastly::task_cancelled& e) {
            CHECK(e.code() == std::errc::interrupted);
        }
        CHECK(bodies == 0);
        group.spawn([&] { ++bodies; });   // below a stopped parent for ever
        CHECK_THROWS_AS(group.wait(), lastly::task_cancelled);
        CHECK(bodies == 0);
    }
}

TEST_CASE("task_group: dropped by the pool's abrupt end, wait does not pretend that all went well") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        lastly::pool pool(support::options(workers));
        task_group group(pool);
        std::atomic<int> chains{0};
        {
            support::blockade all(pool, workers);
            for (int i = 0; i < 20; ++i) group.spawn([] {}, lastly::finally([&] { ++chains; }));
            std::thread closer([&] { pool.shutdown_now(); });
            support::await([&] { return pool.context().stop_requested(); });
            all.open();
            closer.join();
        }
        CHECK(chains == 20);
        try {
            group.wait();
            FAIL("its members were dropped");
        } catch (const lastly::task_cancelled& e) {
            CHECK(e.code() == lastly::errc::pool_shutdown);
        }
        CHECK_THROWS_AS(group.spawn([] {}, lastly::finally([&] { ++chains; })), lastly::task_rejected);
        CHECK(chains == 21);
        group.wait();   // the rejected one is no member
    }
}

TEST_CASE("task_group: destroyed without a wait it cancels, waits, and its errors go to the sink") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::atomic<int> chains{0};
        std::atomic<bool> running{false};
        {
            task_group group(*pool, group_policy::collect);
            group.spawn([] { throw std::runtime_error("untaken"); }, lastly::named("thrower"), lastly::finally([&] { ++chains; }));
            group.spawn([&](task_context& t) {
                running = true;
                while (!t.stop_requested()) std::this_thread::yield();
            }, lastly::finally([&] { ++chains; }));
            support::await([&] { return running.load() && chains.load() == 1; });
            for (int i = 0; i < 10; ++i) group.spawn([] {}, lastly::finally([&] { ++chains; }));
        }
        CHECK(chains == 12);
        REQUIRE(pool.reports().size() == 1);
        CHECK(pool.reports()[0].name == "thrower");
        CHECK(pool.reports()[0].what == "untaken");
    }
}

TEST_CASE("task_group: groups nest in tasks, each task waits for its own, on a single worker, too") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        struct tree {
            lastly::pool& pool;
            std::atomic<int> leaves{0};
            void grow(int depth) {
                if (depth == 0) {
                    ++leaves;
                    return;
                }
                task_group group(pool);
                for (int i = 0; i < 3; ++i) group.spawn([this, depth] { grow(depth - 1); });
                group.wait();
            }
        } t{*pool};
        pool->run([&] { t.grow(7); });
        CHECK(t.leaves == 2187);
        t.grow(5);   // from outside
        CHECK(t.leaves == 2187 + 243);
    }
}

TEST_CASE("task_group: a task that was made before can be a member, and a chain may spawn") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_group group(*pool);
        std::atomic<int> ran{0};
        group.spawn(lastly::make_task([&] { ++ran; return 1; }, lastly::finally([&] { group.spawn([&] { ++ran; }); })));
        group.wait();
        CHECK(ran == 2);
    }
}

TEST_CASE("task_group: its errors outlive its pool, if all its members are over") {
    std::optional<task_group> group;
    {
        lastly::pool pool(support::options(2));
        group.emplace(pool);
        group->spawn([] { throw std::runtime_error("kept"); });
        support::check_end(pool);
    }
    CHECK_THROWS_WITH(group->wait(), "kept");
    CHECK(group->failures().size() == 1);
    group.reset();
}

TEST_CASE("task_group: a member that a finalizer recovers has not failed, one that a finalizer spoils has") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_group group(*pool);
        group.spawn([] { throw std::runtime_error("recovered"); }, lastly::finally([](lastly::result<void>& r) { r.set_value(); }));
        auto value = group.submit([]() -> int { throw std::runtime_error("too"); }, lastly::finally([](lastly::result<int>& r) { r.set_value(3); }));
        group.wait();
        CHECK(value.get() == 3);
        group.spawn([] {}, lastly::finally([] { throw std::runtime_error("spoilt"); }));
        CHECK(message_of<std::runtime_error>([&] { group.wait(); }) == "spoilt");
        CHECK(pool.reports().size() == 1);   // E4: the finalizer's exception went there when it escaped
    }
}

TEST_CASE("task_group: a parent's deadline stops it with that cause") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        auto parent = lastly::with_timeout(lastly::context::background(), std::chrono::milliseconds(20));
        task_group group(*pool, parent.context());
        std::atomic<int> stopped{0};
        for (int i = 0; i < 20; ++i) {
            group.spawn([](task_context& t) { while (!t.stop_requested()) std::this_thread::yield(); t.throw_if_stopped(); },
                        lastly::finally([&](const lastly::outcome& o) { stopped += o.cause() == lastly::errc::deadline_exceeded ? 1 : 0; }));
        }
        try {
            group.wait();
            FAIL("its deadline has passed");
        } catch (const lastly::task_cancelled& e) {
            CHECK(e.code() == lastly::errc::deadline_exceeded);
        }
        CHECK(stopped == 20);
        CHECK(pool.reports().empty());
    }
}

TEST_CASE("task_group: used a thousand times, it fails and stops as often as it is told to") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_group group(*pool);
        std::atomic<int> chains{0};
        int failed = 0;
        for (int i = 0; i < 1'000; ++i) {
            for (int k = 0; k < 5; ++k) {
                group.spawn([i, k](task_context& t) { if (i % 4 == 1 && k == 2) throw std::runtime_error("x"); t.throw_if_stopped(); },
                            lastly::finally([&] { ++chains; }));
            }
            if (i % 4 == 2) group.cancel();
            try {
                group.wait();
            } catch (const std::runtime_error& e) {
                failed += e.what() == std::string("x") ? 1 : 1000;
            }
            CHECK(chains == 5 * (i + 1));
        }
        CHECK(failed == 250);
        CHECK(pool.reports().empty());
    }
}

TEST_CASE("task_group: a hundred thousand members of one worker, and of eight threads, each finalizer once") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        constexpr std::size_t count = 100'000;
        for (const std::size_t threads : {std::size_t{0}, std::size_t{8}}) {
            const auto runs = std::make_unique<std::atomic<int>[]>(count);
            task_group group(*pool);
            const auto spawn_share = [&](std::size_t from, std::size_t to) {
                for (std::size_t i = from; i < to; ++i) group.spawn([] {}, lastly::finally([mine = &runs[i]] { ++*mine; }));
            };
            if (threads == 0) {
                pool->run([&] {
                    spawn_share(0, count);
                    group.wait();
                });
            } else {
                std::vector<std::thread> spawners;
                for (std::size_t t = 0; t < threads; ++t) {
                    spawners.emplace_back([&, t] { spawn_share(count / threads * t, count / threads * (t + 1)); });
                }
                for (auto& t : spawners) t.join();
                group.wait();
            }
            std::size_t wrong = 0;
            for (std::size_t i = 0; i < count; ++i) wrong += runs[i] == 1 ? 0u : 1u;
            CHECK(wrong == 0);
        }
        CHECK(pool->ledger().succeeded == 2 * count + 1);
    }
}

TEST_CASE("task_group: members spawn while another thread waits for it") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_group group(*pool);
        std::atomic<int> ran{0};
        struct line {
            task_group& group;
            std::atomic<int>& ran;
            void next(int left) {
                ++ran;
                if (left != 0) group.spawn([this, left] { next(left - 1); });
            }
        } l{group, ran};
        for (int i = 0; i < 4; ++i) group.spawn([&] { l.next(999); });
        group.wait();
        CHECK(ran == 4'000);
    }
}
