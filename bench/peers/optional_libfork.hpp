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
    // What a branch is handed beside its node: a pointer to this, or nothing where the tree is stateless and there is no cleanup.
    template <class W, class C>
    struct shared {
        const W* w;
        C c;
    };
    template <class W, class C>
    static constexpr bool needs_nothing = stateless_tree<W> && cleanups_a_branch<C> == 0;

    // Of two, without a cleanup: nothing but a node and two sums is kept while others run.
    template <class W>
    struct one_of_two {
        auto operator()(auto self, typename W::node n) const -> lf::task<std::uint64_t> {
            if (W::children_of(n).count() == 0) co_return W::leaf(n);
            std::uint64_t a;
            std::uint64_t b;
            co_await lf::fork(&a, self)(W::children_of(n).at(0));
            co_await lf::call(&b, self)(W::children_of(n).at(1));
            co_await lf::join;
            co_return W::inner + a + b;
        }
    };
    template <class W>
    struct guarded_one_of_two {
        auto operator()(auto self, typename W::node n, const shared<W, cleanup>* of) const -> lf::task<std::uint64_t> {
            const guard<cleanup> at_end(of->c);
            if (of->w->children_of(n).count() == 0) co_return of->w->leaf(n);
            std::uint64_t a;
            std::uint64_t b;
            co_await lf::fork(&a, self)(of->w->children_of(n).at(0), of);
            co_await lf::call(&b, self)(of->w->children_of(n).at(1), of);
            co_await lf::join;
            co_return W::inner + a + b;
        }
    };

    // Of any number; `of`: as `shared` says.
    template <class W, class C>
    struct one_of_many {
        auto operator()(auto self, typename W::node n, auto... of) const -> lf::task<std::uint64_t> {
            [[maybe_unused]] const ending<C> at_end(of...);
            const typename W::children below = children_of<W>(n, of...);
            const std::size_t count = below.count();
            if (count == 0) co_return leaf<W>(n, of...);
            std::array<std::uint64_t, W::arity> sums;
            const std::size_t last = W::is_full ? W::arity - 1 : count - 1;
            for (std::size_t i = 0; i < last; ++i) co_await lf::fork(&sums[i], self)(below.at(i), of...);
            co_await lf::call(&sums[last], self)(below.at(last), of...);
            co_await lf::join;
            std::uint64_t sum = W::inner;
            for (std::size_t i = 0; i <= last; ++i) sum += sums[i];
            co_return sum;
        }
    };
    struct no_ending {
        explicit no_ending(const auto*...) {}
    };
    struct cleaning_ending : guard<cleanup> {
        template <class W>
        explicit cleaning_ending(const shared<W, cleanup>* of) : guard<cleanup>(of->c) {}
    };
    template <class C>
    using ending = std::conditional_t<cleanups_a_branch<C> != 0, cleaning_ending, no_ending>;
    template <class W>
    static auto children_of(const typename W::node& n, const auto*... of) {
        if constexpr (sizeof...(of) == 0) return W::children_of(n);
        else return (of->w->children_of(n), ...);
    }
    template <class W>
    static std::uint64_t leaf(const typename W::node& n, const auto*... of) {
        if constexpr (sizeof...(of) == 0) return W::leaf(n);
        else return (of->w->leaf(n), ...);
    }

    template <class W, class C>
    static auto branch() {
        if constexpr (!W::is_full || W::arity != 2 || (cleanups_a_branch<C> == 0 && !stateless_tree<W>)) return one_of_many<W, C>{};
        else if constexpr (cleanups_a_branch<C> == 0) return one_of_two<W>{};
        else return guarded_one_of_two<W>{};
    }
    // The root is no branch, and has no cleanup.
    template <class W, class C>
    struct root {
        auto operator()(auto, const W* w, C c) const -> lf::task<tree_sum> {
            const auto begin = bench_clock::now();
            const typename W::node n = w->root();
            const typename W::children below = w->children_of(n);
            const shared<W, C> of{w, c};
            const std::size_t count = below.count();
            std::uint64_t sum = count == 0 ? w->leaf(n) : W::inner;
            std::array<std::uint64_t, W::arity> sums{};
            for (std::size_t i = 0; i < count; ++i) {
                if constexpr (needs_nothing<W, C>) co_await lf::fork(&sums[i], branch<W, C>())(below.at(i));
                else co_await lf::fork(&sums[i], branch<W, C>())(below.at(i), &of);
            }
            co_await lf::join;
            for (const std::uint64_t s : sums) sum += s;
            co_return tree_sum{sum, bench_clock::now() - begin};
        }
    };

    Pool pool_;
};

}   // namespace bench
