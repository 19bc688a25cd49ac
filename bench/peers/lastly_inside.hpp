// lastly as a backend of what begins inside the pool: fork-join. Every option at its default.
// within: the thread that made the pool; its callable runs on a worker, so that `workers` threads compute in all. invoke,
// invoke_cleaning: inside `within`. Finalizers are deferred through the branch's task_context.
#pragma once

#include <lastly/lastly.hpp>

#include <utility>

namespace bench {

class lastly_inside {
public:
    explicit lastly_inside(unsigned workers) : pool_(options(workers)) {}

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

private:
    static lastly::pool_options options(unsigned workers) {
        lastly::pool_options o;
        o.workers = workers;
        return o;
    }
    lastly::pool pool_;
};

}   // namespace bench
