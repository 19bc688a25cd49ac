// The workload "fib": fib(n) by two branches an invocation, down to n < 2, without a cutoff: nothing but the cost of forking.
// A tree for fork_tree.hpp; a value, which any thread may read. Invariant: the sum is compared with fib(n).
#pragma once

#include "workloads/fork_tree.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace bench {

// fib(n), and in how many invocations it is computed.
inline std::pair<std::uint64_t, std::uint64_t> known_fib(unsigned n) {
    std::uint64_t is = 0;
    std::uint64_t next = 1;
    for (unsigned i = 0; i < n; ++i) is = std::exchange(next, is + next);
    return {is, next - 1};
}

class fib {
public:
    static constexpr std::size_t largest = 90;   // that 64 bits hold
    static constexpr std::size_t arity = 2;
    static constexpr bool is_full = true;
    static constexpr std::uint64_t inner = 0;
    using node = unsigned;
    struct children {
        unsigned n;
        std::size_t count() const noexcept { return n < 2 ? 0 : 2; }
        node at(std::size_t i) const noexcept { return n - 1 - static_cast<unsigned>(i); }
    };

    explicit fib(std::size_t n) : n_(static_cast<unsigned>(n)) {}
    node root() const noexcept { return n_; }
    static children children_of(node n) noexcept { return {n}; }
    static std::uint64_t leaf(node n) noexcept { return n; }
    void check(std::uint64_t sum) const {
        if (sum != known_fib(n_).first) fail("a branch was lost, or was waited for too briefly");
    }

private:
    unsigned n_;
};

// `ns` of what it returns: an invocation's.
template <class B>
round_times run_fib(B& in, unsigned n, bool cleaning) {
    fib w(n);
    const std::uint64_t invocations = known_fib(n).second;
    return run_tree(in, w, cleaning, 2 * invocations, invocations);
}

}   // namespace bench
