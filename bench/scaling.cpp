// More workers than CPUs: the same work with 1 to 64 of them, spawned from inside, submitted from outside, forked: lastly, and its peers.
// One row a shape, `scaling/<spawn|submit|fork>/w<workers>/<backend>`: three attached finalizers a task, none in `fork`. The counters are ns a task, or
// a branch's invocation; where they rise with the number of workers, workers are in each other's way.
// Options beside Google Benchmark's: --tasks=N (default 300000), --n=N of fib (default 30), --rounds=N timed rounds (default 5).
#include "peers/cleanups.hpp"
#include "peers/lastly.hpp"
#include "peers/lastly_inside.hpp"
#include "peers/moodycamel_pool.hpp"
#include "peers/moodycamel_spawn.hpp"
#include "rows.hpp"
#include "workloads/fib.hpp"
#include "workloads/spawn.hpp"
#include "workloads/submit.hpp"

#ifdef LASTLY_BENCH_ONETBB
#include "peers/onetbb.hpp"
#include "peers/onetbb_inside.hpp"
#endif

#include <benchmark/benchmark.h>

#include <string>

namespace {

using bench::spelled_out;

struct settings {
    std::size_t tasks = 300'000;
    std::size_t n = 30;   // some 10 ms: with less it is the waking that counts
    std::size_t rounds = 5;
};

template <bench::spawn_backend B>
void add_spawn(const std::string& of, const char* backend, unsigned workers, const settings& s) {
    const std::size_t tasks = s.tasks;
    bench::add_benchmark(std::string("scaling/spawn/") + of + "/" + backend, s.rounds, [=](benchmark::State& state) {
        B pool(workers);
        const auto round = [&] { return bench::run_spawn(pool, tasks, bench::spawn_kind::three_attached); };
        round();
        bench::time_rounds(state, "task_ns", static_cast<double>(tasks), true, round);
    });
}

template <bench::tree_backend<bench::fib> B>
void add_fork(const std::string& of, const char* backend, unsigned workers, const settings& s) {
    const auto n = static_cast<unsigned>(s.n);
    bench::add_benchmark(std::string("scaling/fork/") + of + "/" + backend, s.rounds, [=](benchmark::State& state) {
        B pool(workers);
        const auto round = [&] { return bench::run_fib(pool, n, false); };
        round();
        bench::time_rounds(state, "invoke_ns", static_cast<double>(bench::known_fib(n).second), false, round);
    });
}

template <bench::submit_backend B>
void add_submit(const std::string& of, const char* backend, unsigned workers, const settings& s) {
    const std::size_t tasks = s.tasks;
    bench::add_benchmark(std::string("scaling/submit/") + of + "/" + backend, s.rounds, [=](benchmark::State& state) {
        const bench::submit_shape shape{workers, 1, tasks, bench::submit_kind::three_attached, false};
        B pool(workers, 1);
        typename B::producer by(pool);
        bench::producers<B> others(pool, 0);
        const auto round = [&] {
            const bench::submit_times t = bench::run_round(pool, by, others, shape);
            return bench::round_times{t.submit_ns + t.drain_ns, t.threads};
        };
        round();
        bench::time_rounds(state, "task_ns", static_cast<double>(tasks), true, round);
    });
}

void add_rows(const settings& s) {
    for (const unsigned workers : {1u, 2u, 4u, 8u, 16u, 32u, 64u}) {
        const std::string of = std::string("w") + std::to_string(workers);
        add_spawn<bench::lastly_inside>(of, "lastly", workers, s);
        add_submit<bench::lastly_pool>(of, "lastly", workers, s);
        add_fork<bench::lastly_inside>(of, "lastly", workers, s);
        add_spawn<bench::moodycamel_spawn<spelled_out, 48, bench::looks_patiently>>(of, "moodycamel_pool_patient_inline", workers, s);
        add_submit<bench::moodycamel_pool<spelled_out, 40, bench::looks_patiently>>(of, "moodycamel_pool_patient_inline", workers, s);
#ifdef LASTLY_BENCH_ONETBB
        add_spawn<bench::onetbb_spawn<spelled_out>>(of, "onetbb_group_inline", workers, s);
        add_submit<bench::onetbb_group<spelled_out>>(of, "onetbb_group_inline", workers, s);
        add_fork<bench::onetbb_fork<bench::onetbb_invoke_shared>>(of, "onetbb_invoke_shared", workers, s);
#endif
    }
}

}   // namespace

int main(int argc, char** argv) {
    settings s;
    const auto takes = [&s](const char* argument) {
        return bench::read_number(argument, "--tasks=", 1, s.tasks) || bench::read_number(argument, "--n=", 2, s.n) || bench::read_number(argument, "--rounds=", 1, s.rounds);
    };
    return bench::run_program(argc, argv, takes, [&] { add_rows(s); });
}
