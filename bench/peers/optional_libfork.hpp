// libfork as a backend of fork-join: branches are coroutines on segmented stacks, all but the last forked, that one called.
// solve: the thread that made the backend; it waits while `workers` threads compute. `Pool`: lf::lazy_pool, whose threads sleep when
// there is nothing to do, or lf::busy_pool, whose threads search all the time. A branch's cleanup is a guard in its coroutine.
#pragma once

#include "peers/cleanups.hpp"
#include "workloads/fork_tree.hpp"

#include <libfork.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace bench {

template <class Pool>
class libfork_fork {
public:
    explicit libfork_fork(unsigned workers) : pool_(workers) {}

    template <fork_tree W, class C>
    tree_sum solve(const W& w, const C& c) { return lf::sync_wait(pool_, root<W, C>{}, &w, c); }

private:
    template <class W, class C>
    struct branch {
        auto operator()(auto self, const W* w, C c, typename W::node n) const -> lf::task<std::uint64_t> {
            using ending = std::conditional_t<cleanups_a_branch<C> != 0, guard<C>, C>;
            [[maybe_unused]] const ending at_end{c};
            const typename W::children below = w->children_of(n);
            const std::size_t count = below.count();
            if (count == 0) co_return w->leaf(n);
            std::array<std::uint64_t, W::arity> sums;
            const std::size_t last = W::is_full ? W::arity - 1 : count - 1;
            for (std::size_t i = 0; i < last; ++i) co_await lf::fork(&sums[i], self)(w, c, below.at(i));
            co_await lf::call(&sums[last], self)(w, c, below.at(last));
            co_await lf::join;
            std::uint64_t sum = W::inner;
            for (std::size_t i = 0; i <= last; ++i) sum += sums[i];
            co_return sum;
        }
    };
    // The root is no branch, and has no cleanup.
    template <class W, class C>
    struct root {
        auto operator()(auto, const W* w, C c) const -> lf::task<tree_sum> {
            const auto begin = bench_clock::now();
            const typename W::node n = w->root();
            const typename W::children below = w->children_of(n);
            const std::size_t count = below.count();
            std::uint64_t sum = count == 0 ? w->leaf(n) : W::inner;
            std::array<std::uint64_t, W::arity> sums{};
            for (std::size_t i = 0; i < count; ++i) co_await lf::fork(&sums[i], branch<W, C>{})(w, c, below.at(i));
            co_await lf::join;
            for (const std::uint64_t s : sums) sum += s;
            co_return tree_sum{sum, bench_clock::now() - begin};
        }
    };

    Pool pool_;
};

}   // namespace bench
