// The fork-join workloads as whole runs, each plain and, as `<workload>_chain`, with a finalizer in each branch.
// The main thread only.
#pragma once

#include "fork_join_backends.hpp"
#include "whole.hpp"
#include "workloads/fib.hpp"
#include "workloads/matmul.hpp"
#include "workloads/nqueens.hpp"
#include "workloads/skynet.hpp"
#include "workloads/tree_search.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>

namespace bench {

template <class B, fork_tree W>
whole_result run_whole_tree(unsigned threads, std::size_t n, bool cleaning) {
    W w(n);
    if constexpr (requires { w.clear(); }) w.clear();
    tally counted;
    std::uint64_t sum = 0;
    const double wall_ms = time_whole([&] {
        B pool(threads);
        sum = cleaning ? solve_tree(pool, w, cleanup{&counted}).sum : solve_tree(pool, w, no_cleanup{}).sum;
    });
    w.check(sum);
    check_cleanups(counted, cleaning ? count_branches(w) : 0);
    return {wall_ms, sum};
}

template <fork_tree W>
void add_whole_tree(whole_table& table, const std::string& workload, std::size_t n, bool (*can_be)(std::size_t)) {
    for (const bool cleaning : {false, true}) {
        for_each_fork_backend<W>([&]<class B>(const char* backend) {
            table.push_back({workload + (cleaning ? "_chain" : ""), backend, n, can_be,
                             [cleaning](unsigned threads, std::size_t size) { return run_whole_tree<B, W>(threads, size, cleaning); }});
        });
    }
}

inline void add_whole_fork_join(whole_table& table) {
    add_whole_tree<fib>(table, "fib", 36, [](std::size_t n) { return n <= fib::largest; });
    add_whole_tree<skynet>(table, "skynet", 10'000'000, skynet::is_size);
    add_whole_tree<nqueens>(table, "nqueens", 13, [](std::size_t n) { return n <= nqueens::largest; });
    add_whole_tree<matmul>(table, "matmul", 1024, [](std::size_t n) { return n <= matmul::largest; });
    add_whole_tree<tree_search>(table, "tree_search", tree_search::default_depth, [](std::size_t n) { return n <= tree_search::largest; });
}

}   // namespace bench
