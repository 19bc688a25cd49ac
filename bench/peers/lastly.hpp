// lastly as a backend: every option at its default, `detach`, three attached finalizers.
// submit: any thread. wait: the thread that made the pool.
#pragma once

#include <lastly/lastly.hpp>

#include <utility>

namespace bench {

class lastly_pool {
public:
    explicit lastly_pool(unsigned workers) : pool_({.workers = workers}) {}

    class producer {
    public:
        explicit producer(lastly_pool& to) : pool_(to.pool_) {}
        template <class Loop>
        void within(Loop&& loop) { loop(); }
        template <class Body>
        void submit(Body body) { pool_.detach(body); }
        template <class Body, class C>
        void submit(Body body, C a, C b, C c) { pool_.detach(body, lastly::finally(a), lastly::finally(b), lastly::finally(c)); }
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
