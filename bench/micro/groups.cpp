// What a group of many members costs: empty tasks with one finalizer each, spawned by a worker of the pool or by threads outside.
// One measurement a process, so that its peak of memory is its own: lastly_bench_groups FROM BACKEND [WORKERS] [TASKS]
//   FROM     worker: one task spawns all and waits for them. threads: eight threads spawn an eighth each, then the group is waited for.
//   BACKEND  lastly; onetbb: its task_group, where the cleanup is the last thing that the body does.
// Prints one plain line. The clock runs from the first spawn until the wait returns; the counts must equal what was spawned.
#include "micro/peak.hpp"
#include "workloads/tally.hpp"

#include <lastly/lastly.hpp>

#ifdef LASTLY_BENCH_ONETBB
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#endif

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
constexpr unsigned outside_threads = 8;

struct shape {
    bool from_a_worker;
    unsigned workers;
    std::size_t tasks;
};

// Calls `spawn_share(count)` on eight threads that stand at a line until all are there.
template <class Share>
void from_threads(std::size_t tasks, clock_type::time_point& begin, Share&& spawn_share) {
    std::atomic<unsigned> ready{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < outside_threads; ++t) {
        threads.emplace_back([&] {
            ready.fetch_add(1);
            go.wait(false);
            spawn_share(tasks / outside_threads);
        });
    }
    bench::spin_until([&] { return ready.load() == outside_threads; });
    begin = clock_type::now();
    go.store(true);
    go.notify_all();
    for (std::thread& t : threads) t.join();
}

clock_type::duration run_lastly(const shape& s, bench::tally& counted) {
    lastly::pool pool({.workers = s.workers});
    lastly::task_group group(pool);
    const auto spawn = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            group.spawn([&counted] { counted.mine().add_tasks(1); }, lastly::finally([&counted] { counted.mine().add_cleanups(1); }));
        }
    };
    clock_type::time_point begin;
    if (s.from_a_worker) {
        pool.run([&] {
            begin = clock_type::now();
            spawn(s.tasks);
            group.wait();
        });
    } else {
        from_threads(s.tasks, begin, spawn);
        group.wait();
    }
    return clock_type::now() - begin;
}

#ifdef LASTLY_BENCH_ONETBB
// As many workers as the other backend has; a thread that spawns or waits inside the arena has a slot besides.
clock_type::duration run_onetbb(const shape& s, bench::tally& counted) {
    const unsigned callers = s.from_a_worker ? 1 : outside_threads;
    const unsigned slots = s.from_a_worker ? s.workers : s.workers + callers;
    const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, slots);
    oneapi::tbb::task_arena arena(static_cast<int>(slots), callers);
    oneapi::tbb::task_group group;
    const auto spawn = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            group.run([&counted] {
                counted.mine().add_tasks(1);
                counted.mine().add_cleanups(1);
            });
        }
    };
    clock_type::time_point begin;
    if (s.from_a_worker) {
        arena.execute([&] {
            begin = clock_type::now();
            spawn(s.tasks);
            group.wait();
        });
    } else {
        from_threads(s.tasks, begin, [&](std::size_t count) { arena.execute([&] { spawn(count); }); });
        arena.execute([&] { group.wait(); });
    }
    return clock_type::now() - begin;
}
#endif

}   // namespace

int main(int argc, char** argv) {
    const std::string from = argc > 1 ? argv[1] : "", backend = argc > 2 ? argv[2] : "";
    const bool known = from == "worker" || from == "threads";
    shape s{from == "worker", argc > 3 ? static_cast<unsigned>(std::atoi(argv[3])) : 2, 1'000'000};
    if (argc > 4) s.tasks = static_cast<std::size_t>(std::atoll(argv[4])) / outside_threads * outside_threads;
    bench::tally counted;
    clock_type::duration taken{};
    const long before_kib = bench::peak_kib();
    if (known && backend == "lastly") taken = run_lastly(s, counted);
#ifdef LASTLY_BENCH_ONETBB
    else if (known && backend == "onetbb") taken = run_onetbb(s, counted);
#endif
    else {
        std::fputs("usage: lastly_bench_groups worker|threads lastly|onetbb [WORKERS] [TASKS]\n", stderr);
        return 2;
    }
    if (!counted.holds(s.tasks, s.tasks)) bench::fail("tasks or finalizers were lost, or ran twice, or were waited for too briefly");
    const double ns = std::chrono::duration<double, std::nano>(taken).count();
    std::printf("%s %s: %zu tasks, %zu finalizers, %u workers: %.1f ms, %.1f ns a task, peak %.1f MiB above %.1f\n", from.c_str(), backend.c_str(),
                s.tasks, s.tasks, s.workers, ns / 1e6, ns / static_cast<double>(s.tasks), static_cast<double>(bench::peak_kib() - before_kib) / 1024,
                static_cast<double>(before_kib) / 1024);
    return 0;
}
