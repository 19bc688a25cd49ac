// External submission of empty tasks: lastly, and its peers.
// One row a shape, `submit/<ungated|gated>/<f|d><cleanups>/p<producers>/w<workers>/<backend>`; f: attached, d: deferred by the body.
// Each benchmark has a pool of its own, warms it with one round and then times rounds; its counters are medians of those, in ns a task.
// std_async gets a hundredth of the tasks: it makes a thread for each.
// Options beside Google Benchmark's: --tasks=N (default 500000), --rounds=N timed rounds (default 5).
#include "peers/cleanups.hpp"
#include "peers/lastly.hpp"
#include "peers/moodycamel_pool.hpp"
#include "peers/std_async.hpp"
#include "rows.hpp"
#include "workloads/submit.hpp"

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
    B pool(shape.workers, shape.producers);
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
void add(const std::string& row, const std::string& backend, const submit_shape& shape, const settings& s) {
    bench::add_benchmark(row + "/" + backend, s.rounds, [shape](benchmark::State& state) { measure<B>(state, shape); });
}

// Backends whose cleanups are written by hand in one of the two ways of cleanups.hpp; `suffix` tells which. `Room`: for what a task holds.
template <class Cleanups, std::size_t Room>
void add_by_hand(const std::string& row, const std::string& suffix, const submit_shape& shape, const settings& s) {
    add<bench::moodycamel_pool<Cleanups, Room>>(row, "moodycamel_pool" + suffix, shape, s);
    add<bench::moodycamel_pool<Cleanups, Room, bench::looks_patiently>>(row, "moodycamel_pool_patient" + suffix, shape, s);
#ifdef LASTLY_BENCH_ASIO
    add<bench::asio_execute<Cleanups>>(row, "asio" + suffix, shape, s);
    add<bench::asio_strand<Cleanups>>(row, "asio_strand" + suffix, shape, s);
#endif
#ifdef LASTLY_BENCH_ONETBB
    add<bench::onetbb_enqueue<Cleanups>>(row, "onetbb_enqueue" + suffix, shape, s);
    add<bench::onetbb_group<Cleanups>>(row, "onetbb_group" + suffix, shape, s);
    add<bench::onetbb_group<Cleanups, bench::onetbb_groups>>(row, "onetbb_groups" + suffix, shape, s);
#endif
    if (shape.gated) return;
#ifdef LASTLY_BENCH_EIGEN
    add<bench::eigen_pool<Cleanups>>(row, "unlike_eigen" + suffix, shape, s);
#endif
    submit_shape few = shape;
    few.tasks = std::max<std::size_t>(shape.tasks / 100, shape.producers);
    add<bench::std_async<Cleanups>>(row, "std_async" + suffix, few, s);
}

void add_row(const submit_shape& shape, const settings& s) {
    const unsigned cleanups = bench::cleanups_of(shape.kind);
    const bool deferred = bench::is_deferred(shape.kind);
    const std::string row = std::string("submit/") + (shape.gated ? "gated/" : "ungated/") + (deferred ? "d" : "f") + std::to_string(cleanups) +
                            "/p" + std::to_string(shape.producers) + "/w" + std::to_string(shape.workers);
    add<bench::lastly_pool>(row, "lastly", shape, s);
    // Room for a body of 16 bytes and its attached cleanups: of 8 bytes, or std::function of 32.
    if (deferred || cleanups == 0) {
        add_by_hand<boxed, 16>(row, "", shape, s);
        if (deferred) add_by_hand<spelled_out, 16>(row, "_inline", shape, s);
    } else if (cleanups == 1) {
        add_by_hand<boxed, 48>(row, "", shape, s);
        add_by_hand<spelled_out, 24>(row, "_inline", shape, s);
    } else if (cleanups <= 3) {
        add_by_hand<boxed, 112>(row, "", shape, s);
        add_by_hand<spelled_out, 40>(row, "_inline", shape, s);
    } else {
        add_by_hand<boxed, 336>(row, "", shape, s);
        add_by_hand<spelled_out, 96>(row, "_inline", shape, s);
    }
}

void add_rows(const settings& s) {
    for (const bool gated : {false, true}) {
        for (const bench::submit_kind kind : bench::submit_kinds) {
            for (const unsigned producers : {1u, 2u, 8u}) {
                for (const unsigned workers : {1u, 2u}) add_row({workers, producers, s.tasks, kind, gated}, s);
            }
        }
    }
}

}   // namespace

int main(int argc, char** argv) {
    settings s;
    const auto takes = [&s](const char* argument) {
        return read_number(argument, "--tasks=", 8, s.tasks) || read_number(argument, "--rounds=", 1, s.rounds);
    };
    return bench::run_program(argc, argv, takes, [&] {
        s.tasks -= s.tasks % 8;   // shared evenly by the producers
        add_rows(s);
    });
}
