// The workload "fork-join": fib(n) by two branches an invocation, down to n < 2, without a cutoff: nothing but the cost of forking.
// Written once, over a backend (../peers/). run_fib is called by the thread that made the backend. Invariants: 1. The clock runs inside
// the pool, from the first invocation to the last join. 2. The sum is compared with fib(n), and with a cleanup in each branch their number
// with that of the branches; otherwise the program aborts. Without cleanups nothing is counted: a branch costs what its pool takes.
#pragma once

#include "workloads/empty_task.hpp"
#include "workloads/round_times.hpp"
#include "workloads/tally.hpp"

#include <chrono>
#include <cstdint>
#include <utility>

namespace bench {

// A backend is made with the number of threads that compute, its caller included where that takes part. `within(f)` calls f where
// its users fork; `invoke` runs two branches at the same time and returns when both are over; `invoke_cleaning` runs a copy of
// `c` at the end of each.
template <class B>
concept fork_backend = requires(B& in, cleanup c, unsigned workers) {
    B(workers);
    in.within([] {});
    in.invoke([] {}, [] {});
    in.invoke_cleaning(c, [] {}, [] {});
};

inline constexpr unsigned largest_fib = 90;   // that 64 bits hold

// fib(n), and in how many invocations it is computed.
inline std::pair<std::uint64_t, std::uint64_t> known_fib(unsigned n) {
    std::uint64_t is = 0;
    std::uint64_t next = 1;
    for (unsigned i = 0; i < n; ++i) is = std::exchange(next, is + next);
    return {is, next - 1};
}

template <fork_backend B>
std::uint64_t fib(B& in, unsigned n) {
    if (n < 2) return n;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    in.invoke([&] { a = fib(in, n - 1); }, [&] { b = fib(in, n - 2); });
    return a + b;
}

template <fork_backend B>
std::uint64_t fib_cleaning(B& in, const cleanup& c, unsigned n) {
    if (n < 2) return n;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    in.invoke_cleaning(c, [&] { a = fib_cleaning(in, c, n - 1); }, [&] { b = fib_cleaning(in, c, n - 2); });
    return a + b;
}

template <fork_backend B>
round_times run_fib(B& in, unsigned n, bool cleaning) {
    using clock = std::chrono::steady_clock;
    const auto [right, invocations] = known_fib(n);
    tally counted;
    std::uint64_t found = 0;
    clock::duration taken{};
    in.within([&] {
        const auto begin = clock::now();
        found = cleaning ? fib_cleaning(in, cleanup{&counted}, n) : fib(in, n);
        taken = clock::now() - begin;
    });
    if (found != right) fail("a branch was lost, or ran twice, or was waited for too briefly");
    if (!counted.holds(0, cleaning ? 2 * invocations : 0)) fail("cleanups were lost, or ran twice, or were waited for too briefly");
    return {std::chrono::duration<double, std::nano>(taken).count() / static_cast<double>(invocations), counted.threads()};
}

}   // namespace bench
