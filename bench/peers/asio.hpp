// Boost.Asio's thread_pool as two backends: tasks given to its executor, and through strands.
// producer: one thread each. wait: any thread but a worker; nobody counts, so it looks at the tally every 20 µs, as for oneTBB's enqueue.
// `execute` on the pool's executor is what `post` ends in, without the look-up of associated executors and allocators; measured no slower
// anywhere. thread_pool(1) gives the scheduler its concurrency hint of 1 by itself; other hints change nothing where there is no IOCP.
// Strands: a producer owns as many as there are workers and takes turns, so that all workers have work. A strand runs its tasks one after
// the other, in batches: cheaper at the queue, but a task waits for those before it even if a worker idles. submit_any goes around them.
#pragma once

#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

// `Executor`: made of the pool and the number of workers, one a producer; `execute` takes any callable.
template <class Cleanups, class Executor>
class asio_pool {
public:
    explicit asio_pool(unsigned workers, unsigned = 1) : workers_(workers), pool_(workers) {}
    ~asio_pool() { pool_.join(); }   // the destructor alone would drop what is queued
    asio_pool(const asio_pool&) = delete;
    asio_pool& operator=(const asio_pool&) = delete;

    class producer {
    public:
        explicit producer(asio_pool& to) : any_(to.pool_.get_executor()), to_(to.pool_, to.workers_) {}
        template <class Loop>
        void within(Loop&& loop) { loop(); }
        template <class Body>
        void submit(Body body) { to_.execute(std::move(body)); }
        template <class Body, class... C>
        void submit(Body body, C... c) { to_.execute(Cleanups::join(body, c...)); }
        template <unsigned Count, class Body>
        void submit_deferring(Body body) {
            to_.execute([body] { Cleanups::template guarded<Count>(body, body.own_cleanup()); });
        }
        template <class Body>
        void submit_any(Body body) { any_.execute(std::move(body)); }

    private:
        boost::asio::thread_pool::executor_type any_;
        Executor to_;
    };

    template <class Done>
    void wait(Done&& done) {
        while (!done()) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }

private:
    const unsigned workers_;
    boost::asio::thread_pool pool_;
};

class asio_executor {
public:
    asio_executor(boost::asio::thread_pool& pool, unsigned) : to_(pool.get_executor()) {}
    template <class Body>
    void execute(Body body) { to_.execute(std::move(body)); }

private:
    boost::asio::thread_pool::executor_type to_;
};

class asio_strands {
public:
    asio_strands(boost::asio::thread_pool& pool, unsigned workers) {
        for (unsigned i = 0; i < workers; ++i) strands_.push_back(boost::asio::make_strand(pool.get_executor()));
    }
    template <class Body>
    void execute(Body body) {
        strands_[next_].execute(std::move(body));
        if (++next_ == strands_.size()) next_ = 0;
    }

private:
    std::vector<boost::asio::strand<boost::asio::thread_pool::executor_type>> strands_;
    std::size_t next_ = 0;
};

template <class Cleanups>
using asio_execute = asio_pool<Cleanups, asio_executor>;
template <class Cleanups>
using asio_strand = asio_pool<Cleanups, asio_strands>;

}   // namespace bench
