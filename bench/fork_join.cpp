// Fork-join workloads, a finalizer in each branch or none: lastly and every peer that was found.
// One row a shape, `<fib|skynet|nqueens|matmul|tree_search>/<plain|chain>/w<workers>/<backend>`. Each benchmark has a pool of its own,
// warms it with one round and then times rounds; `branch_ns` is their median, in ns a branch: a round's time divided by the number of
// branches in it, which is the workload's alone.
// Options beside Google Benchmark's: --fib=N (default 30), --leaves=N of skynet, a power of ten (10000000), --queens=N (13),
// --matrix=N (1024), --depth=N of tree_search (10), --rounds=N timed rounds (default 5).
#include "fork_join_backends.hpp"
#include "rows.hpp"
#include "workloads/fib.hpp"
#include "workloads/matmul.hpp"
#include "workloads/nqueens.hpp"
#include "workloads/skynet.hpp"
#include "workloads/tree_search.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace {

struct settings {
    std::size_t fib = 30;
    std::size_t leaves = 10'000'000;
    std::size_t queens = 13;
    std::size_t matrix = 1024;
    std::size_t depth = bench::tree_search::default_depth;
    std::size_t rounds = 5;

    bool read(std::string_view argument) {
        using bench::read_number;
        return (read_number(argument, "--fib=", 2, fib) && fib <= bench::fib::largest) ||
               (read_number(argument, "--leaves=", 10, leaves) && bench::skynet::is_size(leaves)) ||
               (read_number(argument, "--queens=", 1, queens) && queens <= bench::nqueens::largest) ||
               (read_number(argument, "--matrix=", bench::matmul::block + 1, matrix) && matrix <= bench::matmul::largest) ||
               (read_number(argument, "--depth=", 1, depth) && depth <= bench::tree_search::largest) ||
               read_number(argument, "--rounds=", 1, rounds);
    }
};

template <class B, bench::fork_tree W>
void measure(benchmark::State& state, unsigned workers, std::size_t n, bool cleaning) {
    W w(n);
    const std::uint64_t branches = bench::count_branches(w);
    B pool(workers);
    const auto round = [&] { return bench::run_tree(pool, w, cleaning, branches, branches); };
    round();
    bench::time_rounds(state, "branch_ns", static_cast<double>(branches), cleaning, round);
}

template <bench::fork_tree W>
void add_rows(const char* workload, std::size_t n, std::size_t rounds) {
    for (const bool cleaning : {false, true}) {
        for (const unsigned workers : {1u, 2u}) {
            const std::string row = std::string(workload) + (cleaning ? "/chain/w" : "/plain/w") + std::to_string(workers) + "/";
            bench::for_each_fork_backend<W>([&]<class B>(const char* backend) {
                const char* const peer = workers == 1 && bench::calls_alone<B> ? "unlike_" : "";
                bench::add_benchmark(row + peer + backend, rounds, [=](benchmark::State& state) { measure<B, W>(state, workers, n, cleaning); });
            });
        }
    }
}

}   // namespace

int main(int argc, char** argv) {
    settings s;
    const auto takes = [&s](const char* argument) {
        return s.read(argument);
    };
    return bench::run_program(argc, argv, takes, [&] {
        add_rows<bench::fib>("fib", s.fib, s.rounds);
        add_rows<bench::skynet>("skynet", s.leaves, s.rounds);
        add_rows<bench::nqueens>("nqueens", s.queens, s.rounds);
        add_rows<bench::matmul>("matmul", s.matrix, s.rounds);
        add_rows<bench::tree_search>("tree_search", s.depth, s.rounds);
    });
}
