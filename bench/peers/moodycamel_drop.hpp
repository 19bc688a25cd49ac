// The pool over moodycamel's queue as a backend of dropping: a flag, and then caller and workers take what is queued and destroy it.
// Cleanups as in cleanups.hpp: the task owns them, and runs them when it is destroyed.
// One thread calls everything. The flag stands before the held workers are let go, so that none runs a task that it took.
#pragma once

#include "peers/cleanups.hpp"
#include "peers/moodycamel_pool.hpp"

#include <atomic>
#include <cstddef>
#include <utility>

namespace bench {

template <class Cleanups, std::size_t Room>
class moodycamel_drop {
public:
    explicit moodycamel_drop(unsigned workers) : pool_(workers), to_(pool_) {}

    template <class F>
    void within(F&& f) { f(); }
    template <class Arrived>
    void hold(Arrived arrived) {
        to_.submit_any([this, arrived] {
            arrived();
            held_.wait(true);
        });
    }
    template <class Body>
    void submit(Body body) { to_.submit_any(std::move(body)); }
    template <class Body, class C>
    void submit(Body body, C a, C b, C c) { to_.submit_any(Cleanups::own(body, a, b, c)); }
    bool drop(std::size_t) {
        pool_.let_drop();
        held_.store(false);
        held_.notify_all();
        return pool_.drop_rest();
    }

private:
    using pool = moodycamel_pool<Cleanups, Room>;
    std::atomic<bool> held_{true};
    pool pool_;
    typename pool::producer to_;
};

}   // namespace bench
