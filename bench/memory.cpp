// Memory of a queued task: resident bytes that a task adds while it waits behind workers that are held: lastly, and its peers.
// One row a shape, `memory/<plain|handle_f3>/<backend>`: a body with a 16-byte capture alone, or with three cleanups of 8 bytes and a handle
// that tells its end. The handles themselves lie in memory that was there before. `task_bytes` is the rounds' median.
// Each round is measured in a child of its own: what an earlier one freed would be reused and hide the next one's memory.
// Options beside Google Benchmark's: --tasks=N (default 1000000), --rounds=N (default 1).
#include "peers/cleanups.hpp"
#include "peers/lastly_queued.hpp"
#include "peers/moodycamel_pool.hpp"
#include "peers/queued.hpp"
#include "rows.hpp"
#include "workloads/in_child.hpp"
#include "workloads/memory.hpp"

#ifdef LASTLY_BENCH_ASIO
#include "peers/asio.hpp"
#endif
#ifdef LASTLY_BENCH_ONETBB
#include "peers/onetbb.hpp"
#endif

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace {

using bench::boxed;
using bench::queued;
using bench::spelled_out;

struct settings {
    std::size_t tasks = 1'000'000;
    std::size_t rounds = 1;
};

template <bench::queue_backend B>
void measure(benchmark::State& state, std::size_t tasks, bool with_handle) {
    std::vector<double> bytes;
    for ([[maybe_unused]] auto round : state) {
        const bench::queued_bytes q = bench::in_child<bench::queued_bytes>([&] { return bench::measure_queued<B>(tasks, with_handle); });
        state.SetIterationTime(q.took_s);
        bytes.push_back(q.a_task);
    }
    state.counters["task_bytes"] = bench::median(bytes);
}

template <bench::queue_backend B>
void add(const std::string& row, const std::string& backend, bool with_handle, const settings& s) {
    bench::add_benchmark(row + "/" + backend, s.rounds,
                         [tasks = s.tasks, with_handle](benchmark::State& state) { measure<B>(state, tasks, with_handle); });
}

// `Room`: for what a task of the pool over moodycamel's queue holds, not a byte more: a body of 16, or a pointer to a task, of 16.
template <class Cleanups>
void add_by_hand(const std::string& row, const std::string& suffix, bool with_handle, const settings& s) {
    add<queued<bench::moodycamel_pool<Cleanups, 16>, Cleanups>>(row, "moodycamel_pool" + suffix, with_handle, s);
#ifdef LASTLY_BENCH_ASIO
    add<queued<bench::asio_execute<Cleanups>, Cleanups>>(row, "asio" + suffix, with_handle, s);
    add<queued<bench::asio_strand<Cleanups>, Cleanups>>(row, "asio_strand" + suffix, with_handle, s);
#endif
#ifdef LASTLY_BENCH_ONETBB
    add<queued<bench::onetbb_enqueue<Cleanups>, Cleanups>>(row, "onetbb_enqueue" + suffix, with_handle, s);
    add<queued<bench::onetbb_group<Cleanups>, Cleanups>>(row, "onetbb_group" + suffix, with_handle, s);
#endif
}

void add_rows(const settings& s) {
    for (const bool with_handle : {false, true}) {
        const std::string row = std::string("memory/") + (with_handle ? "handle_f3" : "plain");
        add<bench::lastly_queued>(row, "lastly", with_handle, s);
        add_by_hand<boxed>(row, "", with_handle, s);
        if (with_handle) add_by_hand<spelled_out>(row, "_inline", with_handle, s);
    }
}

}   // namespace

int main(int argc, char** argv) {
    settings s;
    const auto takes = [&s](const char* argument) {
        return bench::read_number(argument, "--tasks=", 1000, s.tasks) || bench::read_number(argument, "--rounds=", 1, s.rounds);
    };
    return bench::run_program(argc, argv, takes, [&] { add_rows(s); });
}
