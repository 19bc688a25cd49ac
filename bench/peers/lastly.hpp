// lastly as a backend: every option at its default, `detach`, finalizers attached, or deferred through the body's task_context.
// submit: any thread. wait: the thread that made the pool.
#pragma once

#include <lastly/lastly.hpp>

#include <utility>

namespace bench {

class lastly_pool {
public:
    lastly_pool(unsigned workers, unsigned) : pool_({.workers = workers}) {}

    class producer {
    public:
        explicit producer(lastly_pool& to) : pool_(to.pool_) {}
        template <class Loop>
        void within(Loop&& loop) { loop(); }
        template <class Body, class... C>
        void submit(Body body, C... c) { pool_.detach(body, lastly::finally(c)...); }
        template <class Body, class... C>
        lastly::task_handle<void> submit_with_handle(Body body, C... c) { return pool_.submit(body, lastly::finally(c)...); }
        template <unsigned Count, class Body>
        void submit_deferring(Body body) {
            pool_.detach([body](lastly::task_context& t) {
                for (unsigned i = 0; i < Count; ++i) t.defer(body.own_cleanup());
                body();
            });
        }
        template <class Body>
        void submit_any(Body body) { pool_.detach(std::move(body)); }

    private:
        lastly::pool& pool_;
    };

    template <class Done>
    void wait(Done&&) { pool_.wait_idle(); }

private:
    lastly::pool pool_;
};

}   // namespace bench
