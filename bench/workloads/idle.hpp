// The workload "nothing to do": a pool that has worked, and then the CPU time that the process uses while its caller sleeps.
// Written once, over a backend of `submit`. Called by the pool's only producer; nobody else may use CPU time in the process meanwhile.
#pragma once

#include "workloads/submit.hpp"

#include <time.h>

#include <chrono>
#include <thread>

namespace bench {

struct idle_cpu {
    double settle_ns;   // of the first 50 ms
    double idle_ns;     // of the time after these
};

inline double process_cpu_ns() {
    timespec t{};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0) fail("the process's CPU time cannot be read");
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

template <submit_backend B>
idle_cpu idle_after_work(B& pool, typename B::producer& by, unsigned workers, std::chrono::milliseconds idle) {
    {
        producers<B> none(pool, 0);
        run_round(pool, by, none, {.workers = workers, .producers = 1, .tasks = 100'000, .kind = submit_kind::plain, .gated = false});
    }
    const double over = process_cpu_ns();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const double settled = process_cpu_ns();
    std::this_thread::sleep_for(idle);
    return {settled - over, process_cpu_ns() - settled};
}

}   // namespace bench
