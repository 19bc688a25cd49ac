// The pool over moodycamel's queue as a backend of dropping, in two ways: after a flag caller and workers take what is queued,
// as many at once as a block of the queue holds, and destroy it; or the workers go, and the queue's destructor destroys it, on one thread.
// Cleanups as in cleanups.hpp: the task owns them, and runs them when it is destroyed.
// One thread calls everything. The flag stands before the held workers are let go, so that none runs a task that it took.
#pragma once

#include "peers/cleanups.hpp"
#include "peers/moodycamel_pool.hpp"

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace bench {

// `ByDestructor`: which of the two.
template <class Cleanups, std::size_t Room, bool ByDestructor>
class moodycamel_drop {
public:
    explicit moodycamel_drop(unsigned workers) : pool_(std::in_place, workers), to_(std::in_place, *pool_) {}

    template <class F>
    void within(F&& f) { f(); }
    template <class Arrived>
    void hold(Arrived arrived) {
        to_->submit_any([this, arrived] {
            arrived();
            held_.wait(true);
        });
    }
    template <class Body>
    void submit(Body body) { to_->submit_any(std::move(body)); }
    template <class Body, class C>
    void submit(Body body, C a, C b, C c) { to_->submit_any(Cleanups::own(body, a, b, c)); }
    bool drop(std::size_t) {
        if constexpr (ByDestructor) pool_->leave_rest();
        else pool_->let_drop();
        held_.store(false);
        held_.notify_all();
        if constexpr (!ByDestructor) return pool_->drop_rest();
        to_.reset();     // its token is the queue's
        pool_.reset();   // joins, then destroys
        return true;     // nothing tells: that no body has run, the workload sees
    }

private:
    using pool = moodycamel_pool<Cleanups, Room, looks_eagerly, 256>;
    std::atomic<bool> held_{true};
    std::optional<pool> pool_;
    std::optional<typename pool::producer> to_;
};

}   // namespace bench
