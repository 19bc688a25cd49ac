// Dropping queued tasks: from the call of shutdown_now until every finalizer has run: lastly, and its peers.
// One row a shape, `drop/<f0|f3>/w<workers>/<backend>`: finalizers a task, workers beside the caller, which helps. Each round has a pool
// of its own, since lastly's has ended then; the first is not timed. `task_ns` is the rounds' median, in ns a dropped task.
// Options beside Google Benchmark's: --tasks=N (default 1000000), --rounds=N timed rounds (default 5).
#include "peers/cleanups.hpp"
#include "peers/lastly_drop.hpp"
#include "peers/moodycamel_drop.hpp"
#include "rows.hpp"
#include "workloads/drop.hpp"

#ifdef LASTLY_BENCH_ASIO
#include "peers/asio_drop.hpp"
#endif
#ifdef LASTLY_BENCH_ONETBB
#include "peers/onetbb_drop.hpp"
#endif

#include <benchmark/benchmark.h>

#include <string>

namespace {

using bench::drop_shape;

struct settings {
    std::size_t tasks = 1'000'000;
    std::size_t rounds = 5;
};

template <bench::drop_backend B>
void measure(benchmark::State& state, const drop_shape& shape) {
    bench::run_drop<B>(shape);
    bench::time_rounds(state, "task_ns", static_cast<double>(shape.tasks), shape.three_cleanups, [&] { return bench::run_drop<B>(shape); });
}

template <bench::drop_backend B>
void add(const std::string& row, const std::string& backend, const drop_shape& shape, const settings& s) {
    bench::add_benchmark(row + "/" + backend, s.rounds, [shape](benchmark::State& state) { measure<B>(state, shape); });
}

// `Room`: for a body of 16 bytes, three cleanups, of 8 bytes or std::function of 32, and who owns them.
template <bool ByDestructor>
void add_moodycamel(const std::string& row, const std::string& backend, const drop_shape& shape, const settings& s) {
    if (shape.three_cleanups) {
        add<bench::moodycamel_drop<bench::boxed, 120, ByDestructor>>(row, backend, shape, s);
        add<bench::moodycamel_drop<bench::spelled_out, 48, ByDestructor>>(row, backend + "_inline", shape, s);
    } else {
        add<bench::moodycamel_drop<bench::boxed, 16, ByDestructor>>(row, backend, shape, s);
    }
}

void add_rows(const settings& s) {
    for (const bool three_cleanups : {false, true}) {
        for (const unsigned workers : {1u, 2u}) {
            const drop_shape shape{workers, s.tasks, three_cleanups};
            const std::string row = std::string("drop/") + (three_cleanups ? "f3" : "f0") + "/w" + std::to_string(workers);
            add<bench::lastly_drop>(row, "lastly", shape, s);
            add_moodycamel<false>(row, "moodycamel_pool", shape, s);
            add_moodycamel<true>(row, "moodycamel_destroyed", shape, s);
#ifdef LASTLY_BENCH_ASIO
            add<bench::asio_drop<bench::boxed>>(row, "asio", shape, s);
            if (three_cleanups) add<bench::asio_drop<bench::spelled_out>>(row, "asio_inline", shape, s);
#endif
#ifdef LASTLY_BENCH_ONETBB
            add<bench::onetbb_drop<bench::boxed>>(row, "onetbb_group", shape, s);
            add<bench::onetbb_drop<bench::boxed, bench::onetbb_groups>>(row, "onetbb_groups", shape, s);
            if (three_cleanups) {
                add<bench::onetbb_drop<bench::spelled_out>>(row, "onetbb_group_inline", shape, s);
                add<bench::onetbb_drop<bench::spelled_out, bench::onetbb_groups>>(row, "onetbb_groups_inline", shape, s);
            }
#endif
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
