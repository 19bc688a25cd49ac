// A bounded pool: what becomes of a submission that finds no room. Rule A5.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace support;

namespace {

// A pool with room for what its blockade holds, and no more.
lastly::pool_options full_with(unsigned workers, lastly::overflow policy) {
    auto o = options(workers);
    o.capacity = workers;
    o.overflow = policy;
    return o;
}
template <class Call>
std::error_code refusal_of(Call&& call) {
    try {
        call();
    } catch (const lastly::task_rejected& e) {
        return e.code();
    }
    return {};
}

}   // namespace

TEST_CASE("A5: a full pool rejects, workers of the same pool like others") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.capacity = workers;
        lastly::pool pool(o);
        {
            blockade all(pool, workers);
            CHECK_THROWS_AS(pool.detach([] {}), lastly::task_rejected);
        }
        pool.wait_idle();
        std::atomic<int> full{0};
        gate all_here;
        for (unsigned i = 0; i < workers; ++i) {
            pool.detach([&] {
                all_here.pass();
                try {
                    lastly::this_task::submit([] {}).detach();
                } catch (const lastly::task_rejected& e) {
                    if (e.code() == lastly::errc::pool_full) full.fetch_add(1);
                }
                all_here.pass();
            });
        }
        all_here.wait_for_arrivals(static_cast<int>(workers));
        all_here.open();
        pool.wait_idle();
        CHECK(full >= 1);
        check_end(pool);
    });
}

TEST_CASE("A5: a blocked caller waits for room, workers exceed it; a close wakes and rejects the caller") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.capacity = workers;
        o.overflow = lastly::overflow::block;
        lastly::pool pool(o);
        std::atomic<int> ran{0};
        std::thread outside;
        {
            blockade all(pool, workers);
            outside = std::thread([&] { pool.detach([&] { ran.fetch_add(1); }); });
            CHECK(ran == 0);
        }
        outside.join();
        pool.run([&] {
            for (int i = 0; i < 20; ++i) lastly::this_task::submit([&] { ran.fetch_add(1); }).detach();
        });
        pool.wait_idle();
        CHECK(ran == 21);
        std::atomic<bool> rejected{false};
        std::optional<blockade> all(std::in_place, pool, workers);
        outside = std::thread([&] {
            try {
                pool.detach([] {});
            } catch (const lastly::task_rejected& e) {
                rejected = e.code() == lastly::errc::pool_closed;
            }
        });
        pool.close();
        outside.join();
        CHECK(rejected);
        all->open();
        check_end(pool);
    });
}

TEST_CASE("A5: a blocked caller wakes when its context stops, and is rejected with that cause") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.capacity = workers;
        o.overflow = lastly::overflow::block;
        lastly::pool pool(o);
        auto attached = lastly::with_cancel();
        const auto timed = lastly::with_timeout(attached.context(), std::chrono::milliseconds(2));
        std::optional<blockade> all(std::in_place, pool, workers);
        std::atomic<bool> body{false};
        const auto rejected_by = [&](const lastly::context& c) {
            std::error_code of_chain, thrown;
            std::thread::id ran;
            try {
                pool.detach([&] { body = true; }, c, lastly::finally([&](const lastly::outcome& out) {
                                of_chain = out.rejected() ? out.cause() : std::error_code();
                                ran = std::this_thread::get_id();
                            }));
            } catch (const lastly::task_rejected& e) {
                thrown = e.code();
            }
            CHECK(of_chain == thrown);
            CHECK(ran == std::this_thread::get_id());
            return thrown;
        };
        CHECK(rejected_by(timed.context()) == lastly::errc::deadline_exceeded);   // while it waits, most probably
        CHECK(rejected_by(timed.context()) == lastly::errc::deadline_exceeded);   // it had stopped before
        std::error_code outside, inside_task;
        std::thread other([&] { outside = rejected_by(attached.context()); });
        lastly::pool second(options(1));
        std::atomic<bool> about_to{false};
        auto task = second.submit([&] {
            about_to = true;
            inside_task = rejected_by(lastly::context());   // it waits as a task that its handle stops
        });
        await([&] { return about_to.load(); });
        const std::error_code why(77, std::generic_category());
        CHECK(attached.cancel(why));
        other.join();
        CHECK(outside == why);
        CHECK(task.cancel(why));
        task.get();
        CHECK(inside_task == why);
        CHECK_FALSE(body);
        all->open();
        check_end(second);
        check_end(pool);
    });
}

TEST_CASE("A5: caller_runs runs the task on the caller") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.capacity = workers;
        o.overflow = lastly::overflow::caller_runs;
        lastly::pool pool(o);
        {
            blockade all(pool, workers);
            std::thread::id where;
            auto handle = pool.submit([&] { where = std::this_thread::get_id(); return 8; });
            CHECK(handle.ready());
            CHECK(handle.get() == 8);
            CHECK(where == std::this_thread::get_id());
        }
        check_end(pool);
    });
}

TEST_CASE("A5: whoever was told that a task is over finds room") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.capacity = 1;
        lastly::pool pool(o);
        for (int i = 0; i < 2000; ++i) CHECK_NOTHROW(pool.run([] {}));
        check_end(pool);
    });
}

TEST_CASE("A5: a worker of another pool is rejected, blocked with a stand-in in its place, or runs the task itself") {
    with_workers([](unsigned workers) {
        for (const auto policy : {lastly::overflow::reject, lastly::overflow::block, lastly::overflow::caller_runs}) {
            lastly::pool pool(full_with(workers, policy)), other(options(1));
            std::optional<blockade> all(std::in_place, pool, workers);
            std::error_code refused;
            std::thread::id caller, runner;
            auto submits = other.submit([&] {
                caller = std::this_thread::get_id();
                refused = refusal_of([&] { pool.submit([&] { runner = std::this_thread::get_id(); }).wait(); });
            });
            if (policy == lastly::overflow::block) other.submit([&] { all->open(); }).wait();   // the other pool's only worker is blocked
            submits.wait();
            CHECK(refused == (policy == lastly::overflow::reject ? make_error_code(lastly::errc::pool_full) : std::error_code{}));
            CHECK((runner == caller) == (policy == lastly::overflow::caller_runs));
            all.reset();
            for (lastly::pool* const p : {&pool, &other}) check_end(*p);
        }
    });
}

TEST_CASE("A5: members spawned by a worker of the full pool exceed it, are rejected, or run where they are spawned") {
    with_workers([](unsigned workers) {
        for (const auto policy : {lastly::overflow::reject, lastly::overflow::block, lastly::overflow::caller_runs}) {
            lastly::pool pool(full_with(workers, policy));
            blockade others(pool, workers - 1);
            std::atomic<int> ran{0}, rejected{0};
            pool.run([&] {
                const std::thread::id here = std::this_thread::get_id();
                lastly::task_group group(pool);
                for (int i = 0; i < 100; ++i) {
                    const auto refused = refusal_of([&] { group.spawn([&] { ran += std::this_thread::get_id() == here ? 1 : 1000; }); });
                    rejected += refused == lastly::errc::pool_full ? 1 : 0;
                    if (policy == lastly::overflow::caller_runs) CHECK(ran == i + 1);
                }
                group.wait();
            });
            CHECK(ran == (policy == lastly::overflow::reject ? 0 : 100));
            CHECK(rejected == (policy == lastly::overflow::reject ? 100 : 0));
            others.open();
            check_end(pool);
        }
    });
}

TEST_CASE("A5: a blocked spawn is woken by its group's cancel, by a close, by its task's own context, and counts nowhere") {
    with_workers([](unsigned workers) {
        for (const int way : {0, 1, 2}) {
            for (const bool from_a_worker : {false, true}) {
                CAPTURE(way);
                lastly::pool pool(full_with(workers, lastly::overflow::block)), other(options(1));
                blockade all(pool, workers);
                lastly::task_group group(pool);
                auto own = lastly::with_cancel();
                std::error_code refused;
                gate about_to;
                about_to.open();
                int chains = 0;
                const auto spawn = [&] {
                    about_to.pass();
                    refused = refusal_of([&] { group.spawn([] {}, own.context(), lastly::finally([&] { ++chains; })); });
                };
                std::optional<std::thread> outside;
                lastly::task_handle<void> inside;
                from_a_worker ? void(inside = other.submit(spawn)) : void(outside.emplace(spawn));
                about_to.wait_for_arrivals(1);
                if (way == 0) group.cancel(lastly::errc::discarded);
                else if (way == 1) pool.close();
                else own.cancel(lastly::errc::deadline_exceeded);
                outside ? outside->join() : inside.wait();
                CHECK(refused == (way == 0 ? lastly::errc::discarded : way == 1 ? lastly::errc::pool_closed : lastly::errc::deadline_exceeded));
                CHECK(chains == 1);
                all.open();
                group.wait();   // nobody is under way
                check_end(pool);
                check_end(other);
            }
        }
    });
}

TEST_CASE("A5: whoever waits for room is told before the result of the task that gave it back is destroyed") {
    struct until {
        std::atomic<bool>* through;
        explicit until(std::atomic<bool>& t) : through(&t) {}
        until(until&& other) noexcept : through(std::exchange(other.through, nullptr)) {}
        until& operator=(until&&) = delete;
        ~until() {
            if (through != nullptr) await([&] { return through->load(); });
        }
    };
    for (const unsigned workers : {1u, 2u, 8u}) {
        auto o = options(workers);
        o.capacity = 1;
        o.overflow = lastly::overflow::block;
        lastly::pool pool(o);
        std::atomic<bool> through{false};
        gate held;
        pool.submit([&] {
            held.pass();
            return until(through);
        }).detach();
        held.wait_for_arrivals(1);
        std::thread blocked([&] {
            pool.detach([] {});
            through = true;
        });
        held.open();
        blocked.join();
        check_end(pool);
    }
}
