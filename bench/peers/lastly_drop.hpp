// lastly as a backend of dropping: `shutdown_now` on tasks that were detached from outside, three attached finalizers or none.
// One thread calls everything. The held workers wait for their task's own stop, which the shutdown is: they leave when it begins, and not
// before. Its call returns once every chain has run and the workers' threads have ended; it helps, so that one thread more drops.
#pragma once

#include <lastly/lastly.hpp>

#include <cstddef>
#include <utility>

namespace bench {

class lastly_drop {
public:
    explicit lastly_drop(unsigned workers) : workers_(workers), pool_({.workers = workers}) {}

    template <class F>
    void within(F&& f) { f(); }
    template <class Arrived>
    void hold(Arrived arrived) {
        pool_.detach([arrived](lastly::task_context& t) {
            arrived();
            t.context().sleep_for(lastly::forever);
        });
    }
    template <class Body>
    void submit(Body body) { pool_.detach(body); }
    template <class Body, class C>
    void submit(Body body, C a, C b, C c) { pool_.detach(body, lastly::finally(a), lastly::finally(b), lastly::finally(c)); }
    bool drop(std::size_t count) {
        const lastly::shutdown_report end = pool_.shutdown_now();
        return end.complete && end.ledger.balanced() && end.ledger.cancelled == count && end.ledger.succeeded == workers_;
    }

private:
    const unsigned workers_;
    lastly::pool pool_;
};

}   // namespace bench
