// lastly as a backend of what begins inside the pool: fork-join, and spawning into a group. Every option at its default.
// within: the thread that made the pool; its callable runs on a worker, so that `workers` threads compute in all. fork, fork_some,
// a group: inside `within`. Finalizers are attached, or deferred through the body's or the branch's task_context. fork_some: by halves,
// a parallel_invoke each, which costs less than a parallel_for by single indices.
#pragma once

#include "workloads/fork_tree.hpp"

#include <lastly/lastly.hpp>

#include <cstddef>
#include <utility>

namespace bench {

class lastly_inside {
public:
    explicit lastly_inside(unsigned workers) : pool_({.workers = workers}) {}

    template <class F>
    void within(F&& f) { pool_.run(std::forward<F>(f)); }

    template <std::size_t Count, class C, class F>
    void fork(const C& c, const F& f) { fork_each(c, f, std::make_index_sequence<Count>{}); }
    template <class C, class F>
    void fork_some(const C& c, std::size_t count, const F& f) {
        if (count > 1) fork_halves(c, f, 0, count);
        else lastly::parallel_invoke(pool_, branch(c, [&f] { f(0); }));
    }

    class group {
    public:
        explicit group(lastly_inside& in) : members_(in.pool_) {}
        template <class Body>
        void spawn(Body body) { members_.spawn(body); }
        template <class Body, class C>
        void spawn_attached(Body body, C a) { members_.spawn(body, lastly::finally(a)); }
        template <class Body, class C>
        void spawn_attached(Body body, C a, C b, C c) { members_.spawn(body, lastly::finally(a), lastly::finally(b), lastly::finally(c)); }
        template <unsigned Count, class Body>
        void spawn_deferring(Body body) {
            members_.spawn([body](lastly::task_context& t) {
                for (unsigned i = 0; i < Count; ++i) t.defer(body.own_cleanup());
                body();
            });
        }
        void wait() { members_.wait(); }

    private:
        lastly::task_group members_;
    };

private:
    // One branch, with its finalizer if it has one, from what it does.
    template <class C, class F>
    static auto branch(const C& c, F f) {
        if constexpr (cleanups_a_branch<C> == 0) {
            return f;
        } else {
            return [&c, f](lastly::task_context& here) {
                here.defer(c);
                f();
            };
        }
    }
    template <class C, class F, std::size_t... I>
    void fork_each(const C& c, const F& f, std::index_sequence<I...>) {
        lastly::parallel_invoke(pool_, branch(c, [&f] { f(I); })...);
    }
    // Branches first to last - 1, two at least.
    template <class C, class F>
    void fork_halves(const C& c, const F& f, std::size_t first, std::size_t last) {
        const auto one = [&](std::size_t i) { return branch(c, [&f, i] { f(i); }); };
        const auto more = [&](std::size_t from, std::size_t to) { return [&, from, to] { fork_halves(c, f, from, to); }; };
        const std::size_t middle = first + (last - first) / 2;
        if (last - first > 3) lastly::parallel_invoke(pool_, more(first, middle), more(middle, last));
        else if (last - first > 2) lastly::parallel_invoke(pool_, one(first), more(middle, last));
        else lastly::parallel_invoke(pool_, one(first), one(middle));
    }

    lastly::pool pool_;
};

}   // namespace bench
