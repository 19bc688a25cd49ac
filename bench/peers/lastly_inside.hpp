// lastly as a backend of what begins inside the pool: fork-join, and spawning into a group. Every option at its default.
// within: the thread that made the pool; its callable runs on a worker, so that `workers` threads compute in all. invoke,
// invoke_cleaning, a group: inside `within`. Finalizers are attached, or deferred through the body's or the branch's task_context.
#pragma once

#include <lastly/lastly.hpp>

#include <utility>

namespace bench {

class lastly_inside {
public:
    explicit lastly_inside(unsigned workers) : pool_({.workers = workers}) {}

    template <class F>
    void within(F&& f) { pool_.run(std::forward<F>(f)); }

    template <class F, class G>
    void invoke(const F& first, const G& second) { lastly::parallel_invoke(pool_, first, second); }
    template <class C, class F, class G>
    void invoke_cleaning(const C& c, const F& first, const G& second) {
        lastly::parallel_invoke(
            pool_,
            [&](lastly::task_context& branch) {
                branch.defer(c);
                first();
            },
            [&](lastly::task_context& branch) {
                branch.defer(c);
                second();
            });
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
    lastly::pool pool_;
};

}   // namespace bench
