// The end of a task: body's end to the last cleanup's, and from there until the waiter goes on: lastly, and its peers.
// One row a shape, `completion/<short|long>/f<cleanups>/w<workers>/<backend>`: bodies of 2 µs, in which most waiters still search, or of
// 100 µs, so that they sleep. Each benchmark has a pool of its own and warms it with one round; its counters are percentiles of all
// rounds' tasks together, in ns: `cleanups_p...` and `release_p...`. Peers call cleanups of known types, the cheapest.
// Options beside Google Benchmark's: --tasks=N a round (default 1000), --rounds=N timed rounds (default 5).
#include "peers/by_flag.hpp"
#include "peers/cleanups.hpp"
#include "peers/lastly_result.hpp"
#include "peers/moodycamel_pool.hpp"
#include "peers/std_async_result.hpp"
#include "rows.hpp"
#include "workloads/completion.hpp"

#ifdef LASTLY_BENCH_ASIO
#include "peers/asio.hpp"
#endif
#ifdef LASTLY_BENCH_EIGEN
#include "peers/eigen.hpp"
#endif
#ifdef LASTLY_BENCH_ONETBB
#include "peers/onetbb.hpp"
#endif

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

namespace {

using bench::end_shape;
using bench::spelled_out;

struct settings {
    std::size_t tasks = 1000;
    std::size_t rounds = 5;
};

template <bench::end_backend B>
void measure(benchmark::State& state, const end_shape& shape) {
    B pool(shape.workers);
    bench::end_times times;
    bench::end_all(pool, shape, times);
    times = {};
    for ([[maybe_unused]] auto round : state) state.SetIterationTime(bench::end_all(pool, shape, times) * 1e-9);
    bench::show_percentiles(state, "cleanups_", times.cleanups);
    bench::show_percentiles(state, "release_", times.release);
}

template <bench::end_backend B>
void add(const std::string& row, const char* backend, const end_shape& shape, const settings& s) {
    bench::add_benchmark(row + "/" + backend, s.rounds, [shape](benchmark::State& state) { measure<B>(state, shape); });
}

// `Looks`: of the peers' waiter, before it sleeps.
template <unsigned Looks>
void add_row(const std::string& row, const end_shape& shape, const settings& s) {
    using bench::by_flag;
    using bench::moodycamel_pool;
    add<bench::lastly_result>(row, "lastly", shape, s);
    add<by_flag<moodycamel_pool<spelled_out, 48>, spelled_out, Looks>>(row, "moodycamel_pool_inline", shape, s);
    add<by_flag<moodycamel_pool<spelled_out, 48, bench::looks_patiently>, spelled_out, Looks>>(row, "moodycamel_pool_patient_inline", shape, s);
    add<by_flag<moodycamel_pool<spelled_out, 48, bench::looks_long>, spelled_out, Looks>>(row, "moodycamel_pool_long_inline", shape, s);
#ifdef LASTLY_BENCH_ASIO
    add<by_flag<bench::asio_execute<spelled_out>, spelled_out, Looks>>(row, "asio_inline", shape, s);
#endif
#ifdef LASTLY_BENCH_EIGEN
    add<by_flag<bench::eigen_pool<spelled_out>, spelled_out, Looks>>(row, "eigen_inline", shape, s);
#endif
#ifdef LASTLY_BENCH_ONETBB
    add<by_flag<bench::onetbb_enqueue<spelled_out>, spelled_out, Looks>>(row, "onetbb_enqueue_inline", shape, s);
#endif
    add<bench::std_async_result<spelled_out>>(row, "std_async_inline", shape, s);
}

void add_rows(const settings& s) {
    for (const bool is_long : {false, true}) {
        for (const bool three_cleanups : {false, true}) {
            for (const unsigned workers : {1u, 2u}) {
                const std::string row = std::string("completion/") + (is_long ? "long" : "short") + (three_cleanups ? "/f3" : "/f1") + "/w" +
                                        std::to_string(workers);
                const end_shape shape{workers, three_cleanups, std::chrono::microseconds(is_long ? 100 : 2), s.tasks};
                if (is_long) add_row<0>(row, shape, s);
                else add_row<128>(row, shape, s);   // 3 to 4 µs
            }
        }
    }
}

}   // namespace

int main(int argc, char** argv) {
    settings s;
    const auto takes = [&s](const char* argument) {
        return bench::read_number(argument, "--tasks=", 1, s.tasks) || bench::read_number(argument, "--rounds=", 1, s.rounds);
    };
    return bench::run_program(argc, argv, takes, [&] { add_rows(s); });
}
