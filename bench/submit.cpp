// External submission of empty tasks: lastly, oneTBB, and a plain pool over moodycamel::ConcurrentQueue.
// One row a shape, `submit/<ungated|gated>/f<cleanups>/p<producers>/w<workers>/<backend>`. Each benchmark has a pool of its own,
// warms it with one round and then times rounds; its counters are medians of those, in ns a task.
// Options beside Google Benchmark's: --tasks=N (default 500000), --rounds=N timed rounds (default 5).
#include "peers/cleanups.hpp"
#include "peers/lastly.hpp"
#include "peers/moodycamel_pool.hpp"
#include "rows.hpp"
#include "workloads/submit.hpp"

#ifdef LASTLY_BENCH_ONETBB
#include "peers/onetbb.hpp"
#endif

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using bench::boxed;
using bench::median;
using bench::read_number;
using bench::spelled_out;
using bench::submit_shape;

struct settings {
    std::size_t tasks = 500'000;
    std::size_t rounds = 5;
};

template <bench::submit_backend B>
void measure(benchmark::State& state, const submit_shape& shape) {
    B pool(shape.workers);
    typename B::producer by(pool);
    bench::producers<B> others(pool, shape.producers - 1);
    bench::run_round(pool, by, others, shape);
    std::vector<double> submit;
    std::vector<double> drain;
    std::vector<double> whole;
    unsigned threads = 0;
    for ([[maybe_unused]] auto round : state) {
        const bench::submit_times t = bench::run_round(pool, by, others, shape);
        state.SetIterationTime((t.submit_ns + t.drain_ns) * 1e-9 * static_cast<double>(shape.tasks));
        submit.push_back(t.submit_ns);
        drain.push_back(t.drain_ns);
        whole.push_back(t.submit_ns + t.drain_ns);
        threads = std::max(threads, t.threads);
    }
    state.counters["task_ns"] = median(whole);
    if (shape.gated) {
        state.counters["submit_ns"] = median(submit);
        state.counters["drain_ns"] = median(drain);
    }
    state.counters["threads"] = threads;
}

template <bench::submit_backend B>
void add(const std::string& row, const char* backend, const submit_shape& shape, const settings& s) {
    bench::add_benchmark(row + "/" + backend, s.rounds, [shape](benchmark::State& state) { measure<B>(state, shape); });
}

void add_row(const submit_shape& shape, const settings& s) {
    const std::string row = std::string("submit/") + (shape.gated ? "gated" : "ungated") + (shape.three_cleanups ? "/f3" : "/f0") + "/p" +
                            std::to_string(shape.producers) + "/w" + std::to_string(shape.workers);
    // Room for a body of 16 bytes and three cleanups of 8, or three std::function of 32.
    using plain_pool = bench::moodycamel_pool<spelled_out, 48>;
    using plain_pool_boxed = bench::moodycamel_pool<boxed, 112>;
    add<bench::lastly_pool>(row, "lastly", shape, s);
    if (!shape.three_cleanups) {
        add<plain_pool>(row, "moodycamel_pool", shape, s);
    } else {
        add<plain_pool_boxed>(row, "moodycamel_pool", shape, s);
        add<plain_pool>(row, "moodycamel_pool_inline", shape, s);
    }
#ifdef LASTLY_BENCH_ONETBB
    add<bench::onetbb_enqueue<boxed>>(row, "onetbb_enqueue", shape, s);
    add<bench::onetbb_group<boxed>>(row, "onetbb_group", shape, s);
    if (shape.three_cleanups) {
        add<bench::onetbb_enqueue<spelled_out>>(row, "onetbb_enqueue_inline", shape, s);
        add<bench::onetbb_group<spelled_out>>(row, "onetbb_group_inline", shape, s);
    }
#endif
}

void add_rows(const settings& s) {
    for (const bool gated : {false, true}) {
        for (const bool three_cleanups : {false, true}) {
            for (const unsigned producers : {1u, 2u}) {
                for (const unsigned workers : {1u, 2u}) add_row({workers, producers, s.tasks, three_cleanups, gated}, s);
            }
        }
    }
}

}   // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    settings s;
    for (int i = 1; i < argc; ++i) {
        if (read_number(argv[i], "--tasks=", 2, s.tasks) || read_number(argv[i], "--rounds=", 1, s.rounds)) continue;
        std::fprintf(stderr, "%s: unknown or wrong: %s\n", argv[0], argv[i]);
        return 2;
    }
    s.tasks -= s.tasks % 2;   // shared evenly by two producers
    add_rows(s);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
