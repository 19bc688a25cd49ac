// Spawning from inside: one task spawns empty tasks into a group and waits, with finalizers or without: lastly, and its peers.
// One row a shape, `spawn/<f0|a1|a3|d1|d3>/w<workers>/<backend>`: no finalizer, attached ones, deferred ones. Each benchmark has a pool
// of its own, warms it with one round and then times rounds; `task_ns` is their median, in ns a task.
// Options beside Google Benchmark's: --tasks=N (default 1000000), --rounds=N timed rounds (default 5).
#include "peers/cleanups.hpp"
#include "peers/lastly_inside.hpp"
#include "peers/moodycamel_spawn.hpp"
#include "rows.hpp"
#include "workloads/spawn.hpp"

#ifdef LASTLY_BENCH_ONETBB
#include "peers/onetbb_inside.hpp"
#endif

#include <benchmark/benchmark.h>

#include <string>
#include <utility>

namespace {

using bench::spawn_kind;

struct settings {
    std::size_t tasks = 1'000'000;
    std::size_t rounds = 5;
};

template <bench::spawn_backend B>
void measure(benchmark::State& state, unsigned workers, std::size_t tasks, spawn_kind kind) {
    B pool(workers);
    bench::run_spawn(pool, tasks, kind);
    bench::time_rounds(state, "task_ns", static_cast<double>(tasks), true, [&] { return bench::run_spawn(pool, tasks, kind); });
}

template <bench::spawn_backend B>
void add(const std::string& row, const std::string& backend, unsigned workers, spawn_kind kind, const settings& s) {
    const std::size_t tasks = s.tasks;
    bench::add_benchmark(row + "/" + backend, s.rounds, [=](benchmark::State& state) { measure<B>(state, workers, tasks, kind); });
}

// `Room`: for the group, a body of 16 bytes and its attached cleanups: of 8 bytes, or std::function of 32.
template <class Cleanups, std::size_t Room>
void add_moodycamel(const std::string& row, const std::string& suffix, unsigned workers, spawn_kind kind, const settings& s) {
    add<bench::moodycamel_spawn<Cleanups, Room, bench::looks_eagerly>>(row, "moodycamel_pool" + suffix, workers, kind, s);
    if (workers == 1) return;   // the caller alone: nobody searches
    add<bench::moodycamel_spawn<Cleanups, Room, bench::looks_patiently>>(row, "moodycamel_pool_patient" + suffix, workers, kind, s);
}
void add_moodycamel(const std::string& row, unsigned workers, spawn_kind kind, const settings& s) {
    using bench::boxed;
    using bench::spelled_out;
    switch (kind) {
        case spawn_kind::plain: return add_moodycamel<boxed, 24>(row, "", workers, kind, s);
        case spawn_kind::one_attached:
            add_moodycamel<boxed, 56>(row, "", workers, kind, s);
            return add_moodycamel<spelled_out, 32>(row, "_inline", workers, kind, s);
        case spawn_kind::three_attached:
            add_moodycamel<boxed, 120>(row, "", workers, kind, s);
            return add_moodycamel<spelled_out, 48>(row, "_inline", workers, kind, s);
        case spawn_kind::one_deferred:
        case spawn_kind::three_deferred:
            add_moodycamel<boxed, 24>(row, "", workers, kind, s);
            return add_moodycamel<spelled_out, 24>(row, "_inline", workers, kind, s);
    }
}

#ifdef LASTLY_BENCH_ONETBB
template <class Cleanups>
void add_onetbb(const std::string& row, const std::string& suffix, unsigned workers, spawn_kind kind, const settings& s) {
    add<bench::onetbb_spawn<Cleanups>>(row, "onetbb_group" + suffix, workers, kind, s);
    add<bench::onetbb_spawn<Cleanups, bench::onetbb_groups>>(row, "onetbb_groups" + suffix, workers, kind, s);
}
#endif

void add_rows(const settings& s) {
    constexpr std::pair<const char*, spawn_kind> kinds[] = {{"f0", spawn_kind::plain},
                                                            {"a1", spawn_kind::one_attached},
                                                            {"a3", spawn_kind::three_attached},
                                                            {"d1", spawn_kind::one_deferred},
                                                            {"d3", spawn_kind::three_deferred}};
    for (const auto& [shown, kind] : kinds) {
        for (const unsigned workers : {1u, 2u}) {
            const std::string row = std::string("spawn/") + shown + "/w" + std::to_string(workers);
            add<bench::lastly_inside>(row, "lastly", workers, kind, s);
            add_moodycamel(row, workers, kind, s);
#ifdef LASTLY_BENCH_ONETBB
            add_onetbb<bench::boxed>(row, "", workers, kind, s);
            if (kind != spawn_kind::plain) add_onetbb<bench::spelled_out>(row, "_inline", workers, kind, s);
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
