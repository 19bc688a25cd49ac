// Fork-join: fib(n) by parallel_invoke, a finalizer in each branch or none: lastly and oneTBB.
// One row a shape, `fork/<plain|chain>/w<workers>/<backend>`. Each benchmark has a pool of its own, warms it with one round and then
// times rounds; `invoke_ns` is their median, in ns an invocation, of which fib(n) has fib(n+1) - 1.
// Options beside Google Benchmark's: --n=N (default 30), --rounds=N timed rounds (default 5), --once=NAME: only computes fib(n), one time,
// cold, in the benchmark of that name and prints a line: for tools that count instructions.
#include "peers/lastly_inside.hpp"
#include "rows.hpp"
#include "workloads/fib.hpp"

#ifdef LASTLY_BENCH_ONETBB
#include "peers/onetbb_inside.hpp"
#endif

#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>
#include <string_view>

namespace {

struct settings {
    std::size_t n = 30;
    std::size_t rounds = 5;
    std::string once;   // empty: all benchmarks
    bool found = false;
};

template <bench::tree_backend<bench::fib> B>
void measure(benchmark::State& state, unsigned workers, unsigned n, bool cleaning) {
    B pool(workers);
    bench::run_fib(pool, n, cleaning);
    const double invocations = static_cast<double>(bench::known_fib(n).second);
    bench::time_rounds(state, "invoke_ns", invocations, cleaning, [&] { return bench::run_fib(pool, n, cleaning); });
}

template <bench::tree_backend<bench::fib> B>
void add(const std::string& row, const char* backend, unsigned workers, bool cleaning, settings& s) {
    const std::string name = row + "/" + backend;
    const unsigned n = static_cast<unsigned>(s.n);
    if (s.once.empty()) {
        bench::add_benchmark(name, s.rounds, [=](benchmark::State& state) { measure<B>(state, workers, n, cleaning); });
    } else if (s.once == name) {
        B pool(workers);
        bench::run_fib(pool, n, cleaning);
        std::printf("%s: fib(%u), %llu invocations\n", name.c_str(), n, static_cast<unsigned long long>(bench::known_fib(n).second));
        s.found = true;
    }
}

void add_rows(settings& s) {
    for (const bool cleaning : {false, true}) {
        for (const unsigned workers : {1u, 2u}) {
            const std::string row = std::string("fork/") + (cleaning ? "chain" : "plain") + "/w" + std::to_string(workers);
            add<bench::lastly_inside>(row, "lastly", workers, cleaning, s);
#ifdef LASTLY_BENCH_ONETBB
            add<bench::onetbb_fork<bench::onetbb_invoke>>(row, "onetbb_invoke", workers, cleaning, s);
            add<bench::onetbb_fork<bench::onetbb_invoke_shared>>(row, "onetbb_invoke_shared", workers, cleaning, s);
            add<bench::onetbb_fork<bench::onetbb_group_fork>>(row, "onetbb_group", workers, cleaning, s);
#endif
        }
    }
}

bool read_once(std::string_view argument, std::string& name) {
    constexpr std::string_view option = "--once=";
    if (!argument.starts_with(option) || argument.size() == option.size()) return false;
    name = argument.substr(option.size());
    return true;
}

}   // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    settings s;
    for (int i = 1; i < argc; ++i) {
        if (bench::read_number(argv[i], "--n=", 2, s.n) && s.n <= bench::fib::largest) continue;
        if (bench::read_number(argv[i], "--rounds=", 1, s.rounds) || read_once(argv[i], s.once)) continue;
        std::fprintf(stderr, "%s: unknown or wrong: %s\n", argv[0], argv[i]);
        return 2;
    }
    add_rows(s);
    if (!s.once.empty()) {
        if (!s.found) std::fprintf(stderr, "%s: no benchmark is called %s\n", argv[0], s.once.c_str());
        return s.found ? 0 : 2;
    }
    bench::show_versions();
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
