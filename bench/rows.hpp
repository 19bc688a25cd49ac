// What the programs that compare backends share: a row's registration with Google Benchmark, the median of its rounds, their options.
// The main thread only. A benchmark is named `<row>/<backend>`; it times its rounds itself, a number of them that its options give.
#pragma once

#include "workloads/percentiles.hpp"
#include "workloads/round_times.hpp"

#ifdef LASTLY_BENCH_ONETBB
#include <oneapi/tbb/version.h>
#endif

#include <benchmark/benchmark.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace bench {

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// `measure(state)` sets the time of each iteration, a round.
template <class Measure>
void add_benchmark(const std::string& name, std::size_t rounds, Measure measure) {
    benchmark::RegisterBenchmark(name.c_str(), std::move(measure))
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->Iterations(static_cast<benchmark::IterationCount>(rounds));
}

// Times the benchmark's rounds; the counter is their median. `round()` returns round_times of so many operations.
template <class Round>
void time_rounds(benchmark::State& state, const char* counter, double operations, bool shows_threads, Round round) {
    std::vector<double> took;
    unsigned threads = 0;
    for ([[maybe_unused]] auto iteration : state) {
        const round_times t = round();
        state.SetIterationTime(t.ns * 1e-9 * operations);
        took.push_back(t.ns);
        threads = std::max(threads, t.threads);
    }
    state.counters[counter] = median(std::move(took));
    if (shows_threads) state.counters["threads"] = threads;
}

// One counter a percentile: `<prefix>p50_ns` and so on.
inline void show_percentiles(benchmark::State& state, const std::string& prefix, distribution& of) {
    if (of.empty()) return;
    for (const auto& [name, part] : {std::pair{"p50_ns", 0.5}, {"p90_ns", 0.9}, {"p99_ns", 0.99}, {"p999_ns", 0.999}}) {
        state.counters[prefix + name] = of.at(part);
    }
}

// Whether `argument` is `option` and then a number of at least `least`; `option` ends in '='.
inline bool read_number(std::string_view argument, std::string_view option, std::size_t least, std::size_t& value) {
    if (!argument.starts_with(option)) return false;
    argument.remove_prefix(option.size());
    const auto [rest, error] = std::from_chars(argument.data(), argument.data() + argument.size(), value);
    return error == std::errc() && rest == argument.data() + argument.size() && value >= least;
}

// Among what Google Benchmark prints about the machine. oneTBB's task groups differ from version to version.
inline void show_versions() {
#ifdef LASTLY_BENCH_ONETBB
    benchmark::AddCustomContext("onetbb", std::to_string(TBB_VERSION_MAJOR) + "." + std::to_string(TBB_VERSION_MINOR));
#endif
}

// A program's main. `takes(argument)`: it is one of the program's own options, and right; `add_rows()` follows when all are read.
template <class Takes, class AddRows>
int run_program(int argc, char** argv, Takes takes, AddRows add_rows) {
    benchmark::Initialize(&argc, argv);
    for (int i = 1; i < argc; ++i) {
        if (takes(argv[i])) continue;
        std::fprintf(stderr, "%s: unknown or wrong: %s\n", argv[0], argv[i]);
        return 2;
    }
    show_versions();
    add_rows();
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

}   // namespace bench
