// TooManyCooks as a backend of fork-join: branches are coroutines on the heap; of two, one is forked and the other awaited, which costs
// less than a tuple of both; more are spawned at once. Settings that are best here: one priority, tasks that are trivial to move.
// solve: the thread that made the backend; it waits while `workers` threads compute. A branch's cleanup is a guard in its coroutine.
// One source file a program may include this: it compiles the library.
#pragma once

#define TMC_IMPL
#define TMC_PRIORITY_COUNT 1
#define TMC_TRIVIAL_TASK

#include "peers/cleanups.hpp"
#include "workloads/fork_tree.hpp"

#include <tmc/all_headers.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace bench {

class toomanycooks_fork {
public:
    explicit toomanycooks_fork(unsigned workers) { executor_.set_thread_count(workers).init(); }

    template <fork_tree W, class C>
    tree_sum solve(const W& w, const C& c) { return tmc::post_waitable(executor_, root(&w, c)).get(); }

private:
    template <class W, class C>
    static tmc::task<std::uint64_t> branch(const W* w, C c, typename W::node n) {
        using ending = std::conditional_t<cleanups_a_branch<C> != 0, guard<C>, C>;
        [[maybe_unused]] const ending at_end{c};
        const typename W::children below = w->children_of(n);
        const std::size_t count = below.count();
        if (count == 0) co_return w->leaf(n);
        if constexpr (W::is_full && W::arity == 2) {
            auto other = tmc::spawn(branch(w, c, below.at(0))).fork();
            const std::uint64_t mine = co_await branch(w, c, below.at(1));
            const std::uint64_t others = co_await std::move(other);
            co_return W::inner + mine + others;
        } else {
            const std::array<std::uint64_t, W::arity> sums = co_await spawn_all(w, c, below);
            co_return total<W>(sums, count);
        }
    }
    // The root is no branch, and has no cleanup.
    template <class W, class C>
    static tmc::task<tree_sum> root(const W* w, C c) {
        const auto begin = bench_clock::now();
        const typename W::node n = w->root();
        const typename W::children below = w->children_of(n);
        const std::size_t count = below.count();
        if (count == 0) co_return tree_sum{w->leaf(n), bench_clock::now() - begin};
        const std::array<std::uint64_t, W::arity> sums = co_await spawn_all(w, c, below);
        co_return tree_sum{total<W>(sums, count), bench_clock::now() - begin};
    }

    // The children's tasks, one after the other.
    template <class W, class C>
    struct tasks {
        using value_type = tmc::task<std::uint64_t>;
        using difference_type = std::ptrdiff_t;
        const W* w;
        const C* c;
        const typename W::children* below;
        std::size_t i;
        value_type operator*() const { return branch(w, *c, below->at(i)); }
        tasks& operator++() { return ++i, *this; }
        tasks operator++(int) { return {w, c, below, i++}; }
        bool operator==(const tasks& other) const { return i == other.i; }
    };
    template <class W, class C>
    static auto spawn_all(const W* w, const C& c, const typename W::children& below) {
        using each = tasks<W, C>;
        if constexpr (W::is_full) return tmc::spawn_many<W::arity>(each{w, &c, &below, 0});
        else return tmc::spawn_many<W::arity>(each{w, &c, &below, 0}, each{w, &c, &below, below.count()});
    }
    template <class W>
    static std::uint64_t total(const std::array<std::uint64_t, W::arity>& sums, std::size_t count) {
        std::uint64_t sum = W::inner;
        for (std::size_t i = 0; i < count; ++i) sum += sums[i];
        return sum;
    }

    tmc::ex_cpu executor_;
};

}   // namespace bench
