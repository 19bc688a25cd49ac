// Starting and ending workers, their hooks, and threads that are left. Rules S5, W2, P4.
#include "core/base/thread.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <set>
#include <system_error>

#include <pthread.h>

using namespace support;
using lastly::errc;
using lastly::finally;
using lastly::outcome;
using lastly::report_kind;
using lastly::task_context;
namespace this_task = lastly::this_task;

namespace {

int threads_of_process() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("Threads:", 0) == 0) return std::stoi(line.substr(8));
    }
    return -1;
}

// A thread that was joined is the kernel's for a moment more. False: there are others than so many, for good.
bool threads_return_to(int count) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (threads_of_process() != count && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    return threads_of_process() == count;
}

std::string name_of_this_thread() {
    std::ifstream comm("/proc/thread-self/comm");
    std::string name;
    std::getline(comm, name);
    return name;
}

// All workers are at work at the same time.
void check_crew(lastly::pool& pool, unsigned workers) {
    std::latch together(static_cast<std::ptrdiff_t>(workers));
    lastly::task_group group(pool);
    for (unsigned i = 0; i < workers; ++i) group.spawn([&] { together.arrive_and_wait(); });
    group.wait();
}

}   // namespace

TEST_CASE("S5: if a worker cannot be started, those that were are joined and the constructor throws") {
    const int before = threads_of_process();
    with_workers([&](unsigned workers) {
        for (unsigned nth = 1; nth <= workers; ++nth) {
            lastly::detail::fail_thread_start(nth);
            CHECK_THROWS_AS(lastly::pool{options(workers)}, std::system_error);
            CHECK(threads_return_to(before));
        }
        lastly::detail::fail_thread_start(0);
        lastly::pool pool(options(workers));
        CHECK(pool.run([] { return 1; }) == 1);
        check_end(pool);
    });
    CHECK(threads_return_to(before));
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

TEST_CASE("W2: hooks whose refused tasks wait make no stand-ins, each with a hook of its own") {
    lastly::pool other(options(1));
    std::atomic<unsigned> left{0};
    std::atomic<lastly::pool*> made{nullptr};
    auto o = options(1);
    o.on_worker_exit = [&](unsigned) {
        left.fetch_add(1);
        try {
            made.load()->detach([] {}, lastly::finally([&] { other.run([] {}); }));
        } catch (const lastly::task_rejected&) {
        }
    };
    {
        lastly::pool pool(o);
        made = &pool;
        check_end(pool);
    }
    CHECK(left == 1);
    check_end(other);
}

TEST_CASE("W2: a group is complete when its last member was run in a hook that goes on") {
    std::atomic<lastly::task_handle<void>*> member{nullptr};
    std::atomic<bool> complete{false};
    auto o = options(1);
    o.on_worker_start = [&](unsigned) {
        await([&] { return member.load() != nullptr; });
        member.load()->wait();
        await([&] { return complete.load(); });
    };
    lastly::pool pool(o);
    lastly::task_group group(pool);
    auto handle = group.submit([] {});
    member = &handle;
    group.wait();
    complete = true;
    check_end(pool);
}

TEST_CASE("W2: a task ends another pool whose exit hook waits for the task's own pool") {
    for (const bool destroys : {false, true}) {
        lastly::pool pool(options(1));
        auto o = options(1);
        o.on_worker_exit = [&](unsigned) { pool.run([] {}); };
        pool.run([&] {
            lastly::pool other(o);
            if (!destroys) CHECK(other.shutdown().complete);
        });
        check_end(pool);
    }
}

TEST_CASE("W2: a waiter that helps with anything stops before its stack ends") {
    lastly::pool other(options(1));
    gate held;
    auto until_open = other.submit([&] { held.pass(); });
    auto o = options(1);
    o.tuning.max_stand_ins = 0;
    o.error_sink = [](const lastly::error_report&) {};
    lastly::pool pool(o);
    std::atomic<int> begun{0};
    for (int i = 0; i < 1000; ++i) {
        pool.detach([&] {
            volatile char large[64 * 1024];
            large[0] = 1;
            begun.fetch_add(1);
            until_open.wait();
            static_cast<void>(large[0]);
        });
    }
    await([&] { return begun.load() >= 30; });
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();   // the stack would end at 128
    held.open();
    pool.wait_idle();
    CHECK(begun == 1000);
    check_end(pool);
    check_end(other);
}

TEST_CASE("P4: a body that leaves its thread has failed with thread_exited, and its worker is replaced") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int i = 0; i < 5; ++i) {
            std::atomic<int> alive{0};
            std::string order;
            auto h = pool.submit([&](task_context& t) {
                const canary local(alive);
                t.defer([&](const outcome& o) { order += o.failed() ? '1' : '?'; });
                lastly::defer_frame frame(t);
                frame.defer([&] { order += 'f'; });
                ::pthread_exit(nullptr);
            }, finally([&] { order += 'a'; }));
            CHECK(is_thread_exited([&] { h.get(); }));
            CHECK(order == "f1a");
            CHECK(alive == 0);
            check_crew(pool, workers);
        }
        CHECK(pool.ledger().failed == 5);
        check_end(pool);
    });
}

TEST_CASE("P4: a member that leaves its thread while its group is waited for beneath it takes the waiting body along") {
    for (const unsigned workers : {1u, 4u}) {
        lastly::pool pool(options(workers));
        std::atomic<int> ran{0};
        auto h = pool.submit([&] {
            this_task::defer([&] { ++ran; });
            lastly::task_group group(pool, lastly::group_policy::collect);
            group.spawn([&] { ::pthread_exit(nullptr); }, finally([&] { ++ran; }));
            group.wait();   // here or on another worker
        });
        CHECK(is_thread_exited([&] { h.get(); }));
        CHECK(ran == 2);
        check_crew(pool, workers);
        check_end(pool);
    }
}

TEST_CASE("P4: a body that its submitter runs takes the submitter along") {
    lastly::pool_options o = options(1);
    o.capacity = 1;
    o.overflow = lastly::overflow::caller_runs;
    lastly::pool full(o), pool(options(1));
    const auto held = std::make_shared<gate>();
    full.detach([held] { held->pass(); });
    held->wait_for_arrivals(1);
    int ran = 0;
    CHECK(is_thread_exited([&] {
        pool.run([&] { full.detach([] { ::pthread_exit(nullptr); }, finally([&] { ++ran; })); }, finally([&] { ++ran; }));
    }));
    CHECK(ran == 2);
    held->open();
    check_crew(pool, 1);
    check_end(pool);
    check_end(full);
}

TEST_CASE("P4: a detached body that leaves its thread is told to the sink") {
    sink_log log;
    lastly::pool pool(options(2, &log));
    pool.detach([] { ::pthread_exit(nullptr); });
    pool.wait_idle();
    CHECK(log.count(report_kind::failed) == 1);
    check_crew(pool, 2);
    check_end(pool);
}

TEST_CASE("P4: hooks run for each thread, and a stand-in is replaced as well") {
    std::atomic<int> started{0}, ended{0};
    lastly::pool_options o = options(1);
    o.on_worker_start = [&](unsigned) { ++started; };
    o.on_worker_exit = [&](unsigned) { ++ended; };
    {
        lastly::pool pool(o);
        CHECK(is_thread_exited([&] { pool.run([] { ::pthread_exit(nullptr); }); }));
        pool.run([] {});
        CHECK(started == 2);
        lastly::pool other(options(1));
        pool.run([&] {
            other.run([&] {
                CHECK(is_thread_exited([&] { pool.run([] { ::pthread_exit(nullptr); }); }));   // on the stand-in
                pool.run([] {});
            });
        });
        check_end(pool);
        check_end(other);
    }
    CHECK(started == ended);
}

TEST_CASE("P4: where no thread can be started the worker is reported lost, and the others go on") {
    sink_log log;
    lastly::pool pool(options(2, &log));
    pool.run([] {});
    lastly::detail::fail_thread_start(1);
    CHECK(is_thread_exited([&] { pool.run([] { ::pthread_exit(nullptr); }); }));
    await([&] { return log.count(report_kind::worker_lost) == 1; });
    for (int i = 0; i < 100; ++i) pool.run([] {});
    check_end(pool);
}
