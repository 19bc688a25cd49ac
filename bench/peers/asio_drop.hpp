// Boost.Asio as a backend of dropping: `thread_pool::stop`, and then the pool's destructor, which destroys what is queued without running it.
// Cleanups as in cleanups.hpp: the task owns them, and runs them when it is destroyed.
// One thread calls everything, and drops alone. The held workers are let go as soon as the stop stands: a task that ran would be no drop.
#pragma once

#include "peers/cleanups.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace bench {

template <class Cleanups>
class asio_drop {
public:
    explicit asio_drop(unsigned workers) : pool_(std::in_place, workers) {}

    template <class F>
    void within(F&& f) { f(); }
    template <class Arrived>
    void hold(Arrived arrived) {
        pool_->get_executor().execute([this, arrived] {
            arrived();
            held_.wait(true);
        });
    }
    template <class Body>
    void submit(Body body) { pool_->get_executor().execute(std::move(body)); }
    template <class Body, class C>
    void submit(Body body, C a, C b, C c) { pool_->get_executor().execute(Cleanups::own(body, a, b, c)); }
    bool drop(std::size_t) {
        pool_->stop();
        held_.store(false);
        held_.notify_all();
        pool_.reset();   // joins, then destroys
        return true;     // nothing tells: that no body has run, the workload sees
    }

private:
    std::atomic<bool> held_{true};
    std::optional<boost::asio::thread_pool> pool_;
};

}   // namespace bench
