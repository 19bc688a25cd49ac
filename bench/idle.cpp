// What a pool costs that has nothing to do: CPU time of the whole process while its only other thread sleeps: lastly, and its peers.
// One row a number of workers, `idle/w<workers>/<backend>`. The pool has run tasks before; `settle_cpu_ns` is what its workers still use in
// the first 50 ms, searching before they sleep, `idle_cpu_ns` what they use in the time after that, 2 s; medians of the rounds.
// Options beside Google Benchmark's: --ms=N idle time (default 2000), --rounds=N (default 1).
#include "peers/cleanups.hpp"
#include "peers/floor_no_pool.hpp"
#include "peers/lastly.hpp"
#include "peers/moodycamel_pool.hpp"
#include "rows.hpp"
#include "workloads/idle.hpp"

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
#include <vector>

namespace {

using bench::spelled_out;

struct settings {
    std::size_t ms = 2000;
    std::size_t rounds = 1;
};

template <bench::submit_backend B>
void measure(benchmark::State& state, unsigned workers, std::chrono::milliseconds idle) {
    B pool(workers, 1);
    typename B::producer by(pool);
    std::vector<double> settling;
    std::vector<double> idling;
    for ([[maybe_unused]] auto round : state) {
        const bench::idle_cpu used = bench::idle_after_work(pool, by, workers, idle);
        state.SetIterationTime(used.idle_ns * 1e-9);
        settling.push_back(used.settle_ns);
        idling.push_back(used.idle_ns);
    }
    state.counters["settle_cpu_ns"] = bench::median(settling);
    state.counters["idle_cpu_ns"] = bench::median(idling);
}

template <bench::submit_backend B>
void add(const std::string& row, const char* backend, unsigned workers, const settings& s) {
    bench::add_benchmark(row + "/" + backend, s.rounds, [workers, idle = std::chrono::milliseconds(s.ms)](benchmark::State& state) {
        measure<B>(state, workers, idle);
    });
}

void add_rows(const settings& s) {
    for (const unsigned workers : {1u, 2u, 8u}) {
        const std::string row = "idle/w" + std::to_string(workers);
        add<bench::lastly_pool>(row, "lastly", workers, s);
        add<bench::moodycamel_pool<spelled_out, 16>>(row, "moodycamel_pool", workers, s);
        add<bench::moodycamel_pool<spelled_out, 16, bench::looks_long>>(row, "moodycamel_pool_long", workers, s);
#ifdef LASTLY_BENCH_ASIO
        add<bench::asio_execute<spelled_out>>(row, "asio", workers, s);
#endif
#ifdef LASTLY_BENCH_EIGEN
        add<bench::eigen_pool<spelled_out>>(row, "eigen", workers, s);
#endif
#ifdef LASTLY_BENCH_ONETBB
        add<bench::onetbb_enqueue<spelled_out>>(row, "onetbb_enqueue", workers, s);
        add<bench::onetbb_group<spelled_out>>(row, "onetbb_group", workers, s);
#endif
        add<bench::floor_no_pool>(row, "floor_no_pool", workers, s);
    }
}

}   // namespace

int main(int argc, char** argv) {
    settings s;
    const auto takes = [&s](const char* argument) {
        return bench::read_number(argument, "--ms=", 1, s.ms) || bench::read_number(argument, "--rounds=", 1, s.rounds);
    };
    return bench::run_program(argc, argv, takes, [&] { add_rows(s); });
}
