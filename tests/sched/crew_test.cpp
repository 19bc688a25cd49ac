// Starting and ending workers, and pools that end themselves. Rules S4, S5.
#include "core/base/thread.hpp"
#include "core/sched/account.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <system_error>

using namespace support;

namespace {

int threads_of_process() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("Threads:", 0) == 0) return std::stoi(line.substr(8));
    }
    return -1;
}

std::string name_of_this_thread() {
    std::ifstream comm("/proc/thread-self/comm");
    std::string name;
    std::getline(comm, name);
    return name;
}

}   // namespace

TEST_CASE("S5: if a worker cannot be started, those that were are joined and the constructor throws") {
    const int before = threads_of_process();
    with_workers([&](unsigned workers) {
        for (unsigned nth = 1; nth <= workers; ++nth) {
            lastly::detail::fail_thread_start(nth);
            CHECK_THROWS_AS(lastly::pool{options(workers)}, std::system_error);
            CHECK(threads_of_process() == before);
        }
        lastly::detail::fail_thread_start(0);
        lastly::pool pool(options(workers));
        CHECK(pool.run([] { return 1; }) == 1);
        check_end(pool);
    });
    CHECK(threads_of_process() == before);
}

TEST_CASE("crew: workers carry the pool's name and their number, and run the user's hooks") {
    with_workers([](unsigned workers) {
        std::mutex mutex;
        std::set<unsigned> started, ended;
        std::set<std::string> names;
        auto o = options(workers);
        o.name = "a-long-name-that-is-cut";
        o.on_worker_start = [&](unsigned w) {
            const std::lock_guard lock(mutex);
            started.insert(w);
            names.insert(name_of_this_thread());
        };
        o.on_worker_exit = [&](unsigned w) {
            const std::lock_guard lock(mutex);
            ended.insert(w);
        };
        lastly::pool pool(o);
        check_end(pool);
        CHECK(started.size() == workers);
        CHECK(ended.size() == workers);
        CHECK(names.size() == workers);
        CHECK(names.count("a-long-name/0") == 1);
    });
}

TEST_CASE("crew: a hook that throws goes to the error sink and the worker works on") {
    with_workers([](unsigned workers) {
        sink_log log;
        auto o = options(workers, &log);
        o.on_worker_start = [](unsigned) { throw std::runtime_error("hook"); };
        lastly::pool pool(o);
        CHECK(pool.run([] { return 2; }) == 2);
        check_end(pool);
        CHECK(log.count(lastly::report_kind::failed) == workers);
    });
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

TEST_CASE("W2: a worker that waits in its hook for another pool is not stood in for, and its pool ends") {
    with_workers([](unsigned workers) {
        lastly::pool other(options(1));
        std::atomic<unsigned> started{0}, left{0};
        auto o = options(workers);
        o.on_worker_start = [&](unsigned) {
            other.run([] {});
            started.fetch_add(1);
        };
        o.on_worker_exit = [&](unsigned) {
            left.fetch_add(1);
            other.run([] {});
        };
        {
            lastly::pool pool(o);
            pool.run([] {});
            check_end(pool);
        }
        CHECK(started == left);
        CHECK(left == workers);
        check_end(other);
    });
}

TEST_CASE("W2: while a stand-in is in its start hook the other workers are woken as ever") {
    for (int tasks_before = 0; tasks_before < 4; ++tasks_before) {   // where the next waker begins to look
        lastly::pool other(options(1));
        gate held;
        auto until_open = other.submit([&] { held.pass(); });
        std::atomic<bool> in_hook{false}, go{false};
        std::atomic<int> ran{0};
        auto o = options(2);
        o.tuning.spin_rounds = 1;
        o.on_worker_start = [&](unsigned worker) {
            if (worker < 2) return;
            in_hook = true;
            await([&] { return go.load(); });
        };
        lastly::pool pool(o);
        for (int i = 0; i < tasks_before; ++i) {
            pool.detach([] {});
            pool.wait_idle();
        }
        pool.detach([&] { until_open.wait(); });
        await([&] { return in_hook.load(); });
        for (int i = 1; i <= 20; ++i) {
            pool.detach([&] { ran.fetch_add(1); });
            await([&] { return ran.load() == i; });   // hangs if nobody is woken
        }
        go = true;
        held.open();
        check_end(pool);
        check_end(other);
    }
}

TEST_CASE("W2: a worker that waits in its hook for its own pool helps with anything, and quiescence is seen") {
    with_workers([](unsigned workers) {
        for (const std::uint32_t help_depth : {0u, 64u}) {
            std::atomic<lastly::pool*> made{nullptr};
            std::atomic<unsigned> ran{0}, through{0};
            std::atomic<bool> idle{false};
            auto o = options(workers);
            o.tuning.help_depth = help_depth;
            o.on_worker_start = [&](unsigned) {
                await([&] { return made.load() != nullptr; });
                lastly::pool& pool = *made;
                lastly::task_group group(pool);
                pool.detach([&] { ran.fetch_add(1); });
                group.spawn([&] { ran.fetch_add(1); });
                pool.detach([&] { ran.fetch_add(1); });
                group.wait();
                pool.submit([&] { ran.fetch_add(1); }).wait();
                through.fetch_add(1);
                await([&] { return idle.load(); });
            };
            lastly::pool pool(o);
            made = &pool;
            await([&] { return through.load() == workers; });
            idle = true;
            pool.wait_idle();
            CHECK(ran == 4 * workers);
            check_end(pool);
        }
    });
}

TEST_CASE("W5: whoever waits for quiescence hears of a task that ended inside a hook") {
    std::atomic<lastly::pool*> made{nullptr};
    std::atomic<bool> submitted{false}, go{false}, idle{false};
    auto o = options(1);
    o.on_worker_start = [&](unsigned) {
        await([&] { return made.load() != nullptr; });
        made.load()->submit([&] {
            submitted = true;
            await([&] { return go.load(); });
        }).wait();
        await([&] { return idle.load(); });   // the hook goes on
    };
    lastly::pool pool(o);
    made = &pool;
    await([&] { return submitted.load(); });
    std::thread opener([&] { go = true; });
    pool.wait_idle();
    idle = true;
    opener.join();
    check_end(pool);
}
