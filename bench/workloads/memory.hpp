// The workload "queued tasks": empty tasks that wait behind one worker, which is held, and what they add to the resident memory.
// Written once, over a backend (../peers/). measure_queued is called by one thread, in a process that has made no pool before. Invariants:
// 1. Threads and the pool's own structures exist before: a thousand tasks have run. 2. The worker is held before the first figure is taken,
// and let go after the second. 3. Whatever a backend's user would keep of a task, its handle, lies in memory that was resident before.
// 4. All tasks and cleanups have run at the end, or the program aborts.
#pragma once

#include "workloads/empty_task.hpp"
#include "workloads/submit.hpp"
#include "workloads/tally.hpp"

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>

namespace bench {

// A backend is made with the number of tasks of which handles are kept. `producer` as in a submit_backend, which `wait` is as well.
// `keep(body, cleanups...)` submits a task and keeps its handle. `let_go()` waits for all that is kept, and drops it.
template <class B>
concept queue_backend = requires(B& in, task_body body, cleanup c, std::size_t tasks) {
    B(tasks);
    in.producer().submit(body);
    in.producer().submit_any([] {});
    in.keep(body, c, c, c);
    in.let_go();
    in.wait([] { return true; });
};

inline std::size_t resident_bytes() {
    std::FILE* const file = std::fopen("/proc/self/statm", "re");
    unsigned long all = 0;
    unsigned long resident = 0;
    if (file == nullptr || std::fscanf(file, "%lu %lu", &all, &resident) != 2) fail("/proc/self/statm cannot be read");
    std::fclose(file);
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

struct queued_bytes {
    double a_task;
    double took_s;   // to submit all
};

template <queue_backend B>
queued_bytes measure_queued(std::size_t tasks, bool with_handle) {
    using clock = std::chrono::steady_clock;
    constexpr std::size_t few = 1000;
    B in(tasks);
    tally counted;
    const task_body body{&counted, 1};
    const cleanup c{&counted};
    const std::size_t each = with_handle ? 3 : 0;
    const auto submit = [&](std::size_t count) {
        in.producer().within([&] {
            for (std::size_t i = 0; i < count; ++i) {
                if (with_handle) in.keep(body, c, c, c);
                else in.producer().submit(body);
            }
        });
    };
    const auto end = [&](std::size_t count) {
        in.let_go();
        in.wait([&] { return counted.holds(count, each * count); });
        if (!counted.holds(count, each * count)) fail("tasks or cleanups were lost, or ran twice, or were waited for too briefly");
    };
    submit(few);
    end(few);
    gate held;
    held.hold(in.producer(), 1);
    const std::size_t before = resident_bytes();
    const auto begin = clock::now();
    submit(tasks);
    const double took_s = std::chrono::duration<double>(clock::now() - begin).count();
    const std::size_t after = resident_bytes();
    held.open();
    end(few + tasks);
    held.wait();
    return {(static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(tasks), took_s};
}

}   // namespace bench
