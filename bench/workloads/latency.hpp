// The workload "hand-over": a thread that is no worker gives a task to the pool and waits for its result, one after the other.
// Written once, over a backend (../peers/). ask_all is called by the thread that made the backend. Invariants: 1. The clock runs from the
// submission until the result is there; a pause before it is not counted. 2. Every result is checked.
#pragma once

#include "workloads/percentiles.hpp"
#include "workloads/tally.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace bench {

// A backend is made with a number of workers beside its caller. `ask(x)` has a task compute x + 1 and returns its result.
template <class B>
concept ask_backend = requires(B& in, std::uint64_t x, unsigned workers) {
    B(workers);
    { in.ask(x) } -> std::same_as<std::uint64_t>;
};

// Returns what all of it took in ns, without the pauses.
template <ask_backend B>
double ask_all(B& in, std::size_t times, std::chrono::microseconds pause, distribution& into) {
    using clock = std::chrono::steady_clock;
    double all = 0;
    for (std::size_t i = 0; i < times; ++i) {
        if (pause.count() != 0) std::this_thread::sleep_for(pause);
        const auto begin = clock::now();
        const std::uint64_t answer = in.ask(i);
        const double took = std::chrono::duration<double, std::nano>(clock::now() - begin).count();
        if (answer != i + 1) fail("an answer is wrong");
        into.add(took);
        all += took;
    }
    return all;
}

}   // namespace bench
