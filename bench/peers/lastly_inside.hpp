// lastly as a backend of what begins inside the pool: fork-join, and spawning into a group. Every option at its default.
// within: the thread that made the pool; its callable runs on a worker, so that `workers` threads compute in all. fork, fork_some,
// a group: inside `within`. Finalizers are attached, or deferred through the body's or the branch's task_context.
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
        if constexpr (cleanups_a_branch<C> == 0) lastly::parallel_for(pool_, std::size_t{0}, count, f, 1);
        else lastly::parallel_for(pool_, std::size_t{0}, count, [&](std::size_t i, lastly::task_context& branch) { run_deferring(branch, c, f, i); }, 1);
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
    template <class C, class F>
    static void run_deferring(lastly::task_context& branch, const C& c, const F& f, std::size_t i) {
        branch.defer(c);
        f(i);
    }
    template <class C, class F, std::size_t... I>
    void fork_each(const C& c, const F& f, std::index_sequence<I...>) {
        if constexpr (cleanups_a_branch<C> == 0) lastly::parallel_invoke(pool_, [&] { f(I); }...);
        else lastly::parallel_invoke(pool_, [&](lastly::task_context& branch) { run_deferring(branch, c, f, I); }...);
    }

    lastly::pool pool_;
};

}   // namespace bench
