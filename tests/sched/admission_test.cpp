// The way in. Rules A1, A2, A4, A5, A6.
#include "core/structures/slab.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <stdexcept>

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

TEST_CASE("A5: whoever was told that a task is over finds room") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.capacity = 1;
        lastly::pool pool(o);
        for (int i = 0; i < 2000; ++i) CHECK_NOTHROW(pool.run([] {}));
        check_end(pool);
    });
}

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
