// A mixed load as a service has it: requests of 2 and 200 µs that arrive by themselves, with deadlines, failures and a bounded pool: lastly,
// and its peers, to which the rest is added by hand. One row a shape, `service/<half|over>/w<workers>/<backend>`: arriving work of 50% or
// 150% of what the workers can do. Each benchmark has a pool of its own and warms it with one round; percentiles, in ns from arrival to
// the last cleanup, are those of all rounds' served requests together; `..._count` are means a round. `late_p99_ns`: how late the arrivals
// were themselves; where that is no small part of `p99_ns`, the machine was too busy for the figures to mean anything.
// Options beside Google Benchmark's: --requests=N a round (default 20000), --rounds=N timed rounds (default 5).
#include "peers/cleanups.hpp"
#include "peers/lastly_service.hpp"
#include "peers/moodycamel_pool.hpp"
#include "peers/service_by_hand.hpp"
#include "rows.hpp"
#include "workloads/service.hpp"

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

#include <string>

namespace {

using bench::service_by_hand;
using bench::service_end;
using bench::service_shape;
using bench::spelled_out;

struct settings {
    std::size_t requests = 20'000;
    std::size_t rounds = 5;
};

template <bench::service_backend B>
void measure(benchmark::State& state, const service_shape& shape) {
    B pool(shape.workers, bench::service::capacity_a_worker * shape.workers);
    bench::service_times times;
    bench::serve_all(pool, shape, times);
    times = {};
    for ([[maybe_unused]] auto round : state) state.SetIterationTime(bench::serve_all(pool, shape, times));
    bench::show_percentiles(state, "", times.served);
    state.counters["late_p99_ns"] = times.late.at(0.99);
    const auto a_round = [&](service_end how) {
        return static_cast<double>(times.ended[static_cast<std::size_t>(how)]) / static_cast<double>(state.iterations());
    };
    state.counters["served_count"] = a_round(service_end::succeeded) + a_round(service_end::failed);
    state.counters["expired_count"] = a_round(service_end::expired);
    state.counters["rejected_count"] = a_round(service_end::rejected);
}

template <bench::service_backend B>
void add(const std::string& row, const char* backend, const service_shape& shape, const settings& s) {
    bench::add_benchmark(row + "/" + backend, s.rounds, [shape](benchmark::State& state) { measure<B>(state, shape); });
}

void add_rows(const settings& s) {
    for (const bool over : {false, true}) {
        for (const unsigned workers : {1u, 2u}) {
            const service_shape shape{workers, over ? 1.5 : 0.5, s.requests};
            const std::string row = std::string("service/") + (over ? "over" : "half") + "/w" + std::to_string(workers);
            add<bench::lastly_service>(row, "lastly", shape, s);
            // One at a time: in a batch short requests would wait for a long one while another worker has nothing to do.
            add<service_by_hand<bench::moodycamel_pool<spelled_out, 16, bench::looks_eagerly, 1>>>(row, "moodycamel_pool", shape, s);
            add<service_by_hand<bench::moodycamel_pool<spelled_out, 16, bench::looks_long, 1>>>(row, "moodycamel_pool_long", shape, s);
#ifdef LASTLY_BENCH_ASIO
            add<service_by_hand<bench::asio_execute<spelled_out>>>(row, "asio", shape, s);
#endif
#ifdef LASTLY_BENCH_EIGEN
            add<service_by_hand<bench::eigen_pool<spelled_out>>>(row, "eigen", shape, s);
#endif
#ifdef LASTLY_BENCH_ONETBB
            add<service_by_hand<bench::onetbb_enqueue<spelled_out>>>(row, "onetbb_enqueue", shape, s);
#endif
        }
    }
}

}   // namespace

int main(int argc, char** argv) {
    settings s;
    const auto takes = [&s](const char* argument) {
        return bench::read_number(argument, "--requests=", 1, s.requests) || bench::read_number(argument, "--rounds=", 1, s.rounds);
    };
    return bench::run_program(argc, argv, takes, [&] { add_rows(s); });
}
