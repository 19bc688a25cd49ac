// The workload "drop": tasks from outside lie behind workers that are held, and then all of them are dropped, their cleanups run.
// Written once, over a backend (../peers/). run_drop is called by any thread, the one that submits and drops. Invariants: 1. Every worker
// is held by a task of its own before the first task is submitted, and is let go by the drop itself. 2. The clock runs from the call that
// drops until it returns, when every cleanup has run. 3. No body may have begun, every cleanup has run once: otherwise the program aborts.
#pragma once

#include "workloads/empty_task.hpp"
#include "workloads/round_times.hpp"
#include "workloads/tally.hpp"

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <thread>

namespace bench {

// A backend is made with a number of workers beside its caller, for one drop. `within(f)` calls f where its users submit. Inside:
// `hold(arrived)` submits a task that calls `arrived()` and then blocks its worker; `submit`; `drop(count)` says whether `count` tasks
// were dropped, as far as the pool tells.
template <class B>
concept drop_backend = requires(B& pool, task_body body, cleanup c, unsigned workers, std::size_t count) {
    B(workers);
    pool.within([] {});
    pool.hold([] {});
    pool.submit(body);
    pool.submit(body, c, c, c);
    { pool.drop(count) } -> std::same_as<bool>;
};

struct drop_shape {
    unsigned workers;
    std::size_t tasks;
    bool three_cleanups;
};

// One after the other: a pool may hand several tasks to one worker at once.
template <drop_backend B>
void hold_all(B& pool, std::atomic<unsigned>& arrived, unsigned workers) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (unsigned i = 0; i < workers; ++i) {
        pool.hold([&arrived] { arrived.fetch_add(1); });
        while (arrived.load() != i + 1) {
            if (std::chrono::steady_clock::now() > limit) fail("a worker did not come to be held");
            std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
    }
}

template <drop_backend B>
round_times run_drop(const drop_shape& shape) {
    using clock = std::chrono::steady_clock;
    tally counted;
    std::atomic<unsigned> arrived{0};
    clock::duration taken{};
    bool dropped = false;
    B pool(shape.workers);
    pool.within([&] {
        hold_all(pool, arrived, shape.workers);
        const task_body body{&counted, 1};
        const cleanup c{&counted};
        if (shape.three_cleanups) {
            for (std::size_t i = 0; i < shape.tasks; ++i) pool.submit(body, c, c, c);
        } else {
            for (std::size_t i = 0; i < shape.tasks; ++i) pool.submit(body);
        }
        const auto begin = clock::now();
        dropped = pool.drop(shape.tasks);
        taken = clock::now() - begin;
    });
    if (!dropped || !counted.holds(0, shape.three_cleanups ? 3 * shape.tasks : 0)) fail("a dropped task has run, or its cleanups are missing");
    return {std::chrono::duration<double, std::nano>(taken).count() / static_cast<double>(shape.tasks), counted.threads()};
}

}   // namespace bench
