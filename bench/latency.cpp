// Hand-over latency: a thread from outside submits a task and waits for its result: lastly, and its peers.
// One row a shape, `latency/<hot|idle>/w<workers>/<backend>`: back to back, or each after 5 ms in which nothing was done. Each benchmark has a
// pool of its own and warms it with one round; its counters are percentiles of all rounds' hand-overs together, in ns.
// Options beside Google Benchmark's: --hot=N hand-overs a round (default 4000), --idle=N (default 200), --rounds=N timed rounds (default 5).
#include "peers/by_flag.hpp"
#include "peers/cleanups.hpp"
#include "peers/floor_thread.hpp"
#include "peers/futex_serial.hpp"
#include "peers/lastly_result.hpp"
#include "peers/moodycamel_pool.hpp"
#include "peers/std_async_result.hpp"
#include "rows.hpp"
#include "workloads/latency.hpp"

#ifdef LASTLY_BENCH_ASIO
#include "peers/asio.hpp"
#endif
#ifdef LASTLY_BENCH_EIGEN
#include "peers/eigen.hpp"
#endif
#ifdef LASTLY_BENCH_ONETBB
#include "peers/onetbb.hpp"
#include "peers/onetbb_result.hpp"
#endif

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

namespace {

using bench::spelled_out;

struct settings {
    std::size_t hot = 4000;
    std::size_t idle = 200;
    std::size_t rounds = 5;
};

struct shape {
    unsigned workers;
    std::size_t times;
    std::chrono::microseconds pause;
};

template <bench::ask_backend B>
void measure(benchmark::State& state, const shape& of) {
    B pool(of.workers);
    bench::distribution times;
    bench::ask_all(pool, of.times, std::chrono::microseconds(0), times);
    times = {};
    for ([[maybe_unused]] auto round : state) state.SetIterationTime(bench::ask_all(pool, of.times, of.pause, times) * 1e-9);
    bench::show_percentiles(state, "", times);
}

template <bench::ask_backend B>
void add(const std::string& row, const char* backend, const shape& of, const settings& s) {
    bench::add_benchmark(row + "/" + backend, s.rounds, [of](benchmark::State& state) { measure<B>(state, of); });
}

// `Looks`: of the peers' waiter and the floor's, before they sleep.
template <unsigned Looks>
void add_row(const std::string& row, const shape& of, const settings& s) {
    using bench::by_flag;
    using bench::moodycamel_pool;
    const bool hot = of.pause.count() == 0;
    add<bench::lastly_result>(row, "lastly", of, s);
    add<by_flag<moodycamel_pool<spelled_out, 16>, spelled_out, Looks>>(row, "moodycamel_pool", of, s);
    if (hot) {   // in a pause all of them sleep, however they look
        add<by_flag<moodycamel_pool<spelled_out, 16, bench::looks_patiently>, spelled_out, Looks>>(row, "moodycamel_pool_patient", of, s);
        add<by_flag<moodycamel_pool<spelled_out, 16, bench::looks_long>, spelled_out, Looks>>(row, "moodycamel_pool_long", of, s);
    }
#ifdef LASTLY_BENCH_ASIO
    add<by_flag<bench::asio_execute<spelled_out>, spelled_out, Looks>>(row, "asio", of, s);
#endif
#ifdef LASTLY_BENCH_EIGEN
    add<by_flag<bench::eigen_pool<spelled_out>, spelled_out, Looks>>(row, "eigen", of, s);
#endif
#ifdef LASTLY_BENCH_ONETBB
    add<by_flag<bench::onetbb_enqueue<spelled_out>, spelled_out, Looks>>(row, "onetbb_enqueue", of, s);
    add<bench::onetbb_group_result>(row, "unlike_onetbb_group", of, s);
#endif
    add<bench::std_async_result<spelled_out>>(row, "std_async", of, s);
    add<bench::floor_thread<bench::futex_serial<Looks>>>(row, "floor_futex", of, s);
    // In a pause it would only tell how the kernel treats a thread that never sleeps.
    if (hot) add<bench::floor_thread<bench::looked_at_serial>>(row, "floor_looking", of, s);
}

void add_rows(const settings& s) {
    for (const unsigned workers : {1u, 2u}) {
        const std::string w = "/w" + std::to_string(workers);
        add_row<64>("latency/hot" + w, {workers, s.hot, std::chrono::microseconds(0)}, s);
        add_row<0>("latency/idle" + w, {workers, s.idle, std::chrono::milliseconds(5)}, s);
    }
}

}   // namespace

int main(int argc, char** argv) {
    settings s;
    const auto takes = [&s](const char* argument) {
        return bench::read_number(argument, "--hot=", 1, s.hot) || bench::read_number(argument, "--idle=", 1, s.idle) || bench::read_number(argument, "--rounds=", 1, s.rounds);
    };
    return bench::run_program(argc, argv, takes, [&] { add_rows(s); });
}
