// Workloads that are run once, in a process of their own: what a program that lists and runs them knows of each.
// A workload adds its lines, one a backend, to the table. Invariants: 1. `run` makes the backend, computes, ends the backend, and times
// that alone: what is prepared before, and the check after it, are not in it. 2. A wrong result aborts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

struct whole_result {
    double wall_ms;
    std::uint64_t check;   // the workload's result, which `run` has checked
};

struct whole_run {
    std::string workload;
    std::string backend;
    std::size_t default_n;
    bool (*can_be)(std::size_t n);
    std::function<whole_result(unsigned threads, std::size_t n)> run;
};
using whole_table = std::vector<whole_run>;

template <class F>
double time_whole(F&& run) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}   // namespace bench
