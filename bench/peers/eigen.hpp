// Eigen's ThreadPool (NonBlockingThreadPool.h) as a backend: tasks are std::function, its only interface.
// producer: one thread each. wait: any thread but a worker; nobody counts, so it looks at the tally every 20 µs.
// Bounded: a worker's queue holds 1,024 tasks, the queue is chosen at random, and a task that meets a full one runs inside Schedule, on the
// submitting thread. So it does not do the work of a pool that only queues: nothing can be held behind busy workers (gated rows, memory, drop),
// and submitting blocks for as long as a task lasts. Rows without a backlog (latency, idle, service) are not touched by that.
#pragma once

#include <unsupported/Eigen/CXX11/ThreadPool>

#include <chrono>
#include <thread>
#include <utility>

namespace bench {

template <class Cleanups>
class eigen_pool {
public:
    explicit eigen_pool(unsigned workers, unsigned = 1) : pool_(static_cast<int>(workers)) {}

    class producer {
    public:
        explicit producer(eigen_pool& to) : pool_(to.pool_) {}
        template <class Loop>
        void within(Loop&& loop) { loop(); }
        template <class Body>
        void submit(Body body) { pool_.Schedule(std::move(body)); }
        template <class Body, class... C>
        void submit(Body body, C... c) { pool_.Schedule(Cleanups::join(body, c...)); }
        template <unsigned Count, class Body>
        void submit_deferring(Body body) {
            pool_.Schedule([body] { Cleanups::template guarded<Count>(body, body.own_cleanup()); });
        }
        template <class Body>
        void submit_any(Body body) { pool_.Schedule(std::move(body)); }

    private:
        Eigen::ThreadPool& pool_;
    };

    template <class Done>
    void wait(Done&& done) {
        while (!done()) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }

private:
    Eigen::ThreadPool pool_;
};

}   // namespace bench
