// Fork-join workloads: what is computed is a tree, whose inner nodes fork a branch a child and add up what these return.
// A workload (fib.hpp, skynet.hpp, ...) says what its nodes are; it is walked here over backends that fork (../peers/), and by a backend
// itself if its branches are coroutines. run_tree: the thread that made the backend. Invariants: 1. The clock runs inside the pool, from
// the root to its sum. 2. Each round is checked by the workload, and with a cleanup in each branch their number is compared with that of
// the branches; otherwise the program aborts. Without cleanups nothing is counted: a branch costs what its pool takes, and one that ran
// twice goes unseen.
#pragma once

#include "workloads/empty_task.hpp"
#include "workloads/round_times.hpp"
#include "workloads/tally.hpp"

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace bench {

// `arity`: the most children that a node has; a node has as many or none if `is_full`. `inner`: what a node with children adds to their
// sum. A node without children is a `leaf`, and does its work there. `children_of` may refer to its node.
// check(sum) aborts if that is not the root's. clear(), if there is one, prepares a round.
template <class W>
concept fork_tree = requires(W& w, const W& given, const typename W::node& n, const typename W::children& below, std::size_t i) {
    requires std::same_as<decltype(W::arity), const std::size_t> && std::same_as<decltype(W::is_full), const bool>;
    { W::inner } -> std::convertible_to<std::uint64_t>;
    { given.root() } -> std::same_as<typename W::node>;
    { given.children_of(n) } -> std::same_as<typename W::children>;
    { below.count() } -> std::same_as<std::size_t>;
    { below.at(i) } -> std::same_as<typename W::node>;
    { given.leaf(n) } -> std::same_as<std::uint64_t>;
    given.check(std::uint64_t{});
};

// What its nodes are follows from them alone: a branch need not know the tree.
template <class W>
concept stateless_tree = fork_tree<W> && requires(const typename W::node& n) {
    W::children_of(n);
    W::leaf(n);
};

struct no_cleanup {};   // where a `cleanup` may stand
template <class C>
inline constexpr unsigned cleanups_a_branch = std::same_as<C, cleanup> ? 1 : 0;

// A backend is made with the number of threads that compute, its caller included where that takes part. `within(f)` calls f where
// its users fork; `fork` runs f(0) to f(Count - 1) at the same time and returns when all are over; a copy of the cleanup runs at the end
// of each. fork_some: the same where the count, 1 or more, is known when it runs.
template <class B>
concept fork_backend = requires(B& in, cleanup c, unsigned workers) {
    B(workers);
    in.within([] {});
    in.template fork<2>(c, [](std::size_t) {});
    in.template fork<2>(no_cleanup{}, [](std::size_t) {});
};
template <class B>
concept some_fork_backend = fork_backend<B> && requires(B& in, cleanup c, std::size_t count) {
    in.fork_some(c, count, [](std::size_t) {});
    in.fork_some(no_cleanup{}, count, [](std::size_t) {});
};

using bench_clock = std::chrono::steady_clock;

struct tree_sum {
    std::uint64_t sum;
    bench_clock::duration taken;
};

// Backends with branches of another kind walk the tree themselves: `solve(w, c)`.
template <class B, class W>
concept solves = requires(B& in, const W& w) {
    { in.solve(w, no_cleanup{}) } -> std::same_as<tree_sum>;
    { in.solve(w, cleanup{}) } -> std::same_as<tree_sum>;
};
template <class B, class W>
concept tree_backend = std::constructible_from<B, unsigned> && (solves<B, W> || some_fork_backend<B> || (fork_backend<B> && W::is_full));

template <class B, fork_tree W, class C>
std::uint64_t visit(B& in, const W& w, const C& c, const typename W::node& n) {
    const typename W::children below = w.children_of(n);
    const std::size_t count = below.count();
    if (count == 0) return w.leaf(n);
    std::array<std::uint64_t, W::arity> sums;
    const auto child = [&](std::size_t i) { sums[i] = visit(in, w, c, below.at(i)); };
    std::uint64_t sum = W::inner;
    if constexpr (W::is_full) {
        in.template fork<W::arity>(c, child);
        for (const std::uint64_t s : sums) sum += s;
    } else {
        in.fork_some(c, count, child);
        for (std::size_t i = 0; i < count; ++i) sum += sums[i];
    }
    return sum;
}

template <class B, fork_tree W, class C>
    requires tree_backend<B, W>
tree_sum solve_tree(B& in, const W& w, const C& c) {
    if constexpr (solves<B, W>) {
        return in.solve(w, c);
    } else {
        tree_sum found{};
        in.within([&] {
            const auto begin = bench_clock::now();
            found.sum = visit(in, w, c, w.root());
            found.taken = bench_clock::now() - begin;
        });
        return found;
    }
}

template <fork_tree W>
std::uint64_t branches_below(const W& w, const typename W::node& n) {
    const typename W::children below = w.children_of(n);
    std::uint64_t branches = below.count();
    for (std::size_t i = 0; i < below.count(); ++i) branches += branches_below(w, below.at(i));
    return branches;
}
template <fork_tree W>
std::uint64_t count_branches(const W& w) { return branches_below(w, w.root()); }

inline void check_cleanups(const tally& counted, std::uint64_t right) {
    if (!counted.holds(0, right)) fail("cleanups were lost, or ran twice, or were waited for too briefly");
}

// `operations`: what the round's time is divided by.
template <class B, fork_tree W>
    requires tree_backend<B, W>
round_times run_tree(B& in, W& w, bool cleaning, std::uint64_t branches, std::uint64_t operations) {
    if constexpr (requires { w.clear(); }) w.clear();
    tally counted;
    const tree_sum found = cleaning ? solve_tree(in, w, cleanup{&counted}) : solve_tree(in, w, no_cleanup{});
    w.check(found.sum);
    check_cleanups(counted, cleaning ? branches : 0);
    return {std::chrono::duration<double, std::nano>(found.taken).count() / static_cast<double>(operations), counted.threads()};
}

}   // namespace bench
