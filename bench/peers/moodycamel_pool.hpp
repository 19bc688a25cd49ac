// A plain pool over moodycamel::ConcurrentQueue, in its best form, as a backend.
// producer: one thread each. wait: any thread but a worker. Invariants: 1. A producer token a submitting thread, a consumer token
// a worker, tasks taken in batches. 2. `submitted` of a producer goes up (seq_cst) after its task is in the queue and before it
// looks for sleepers; a worker counts itself as a sleeper (seq_cst) before it reads those counts: nobody sleeps beside a task.
// 3. A waker takes the sleeper off the count itself, so that one sleeper is notified once. 4. No shared write a task:
// counts are one writer's own; whoever waits for the end looks when a worker goes to sleep.
#pragma once

#include "peers/inline_callable.hpp"

#if __has_include(<concurrentqueue/concurrentqueue.h>)
#include <concurrentqueue/concurrentqueue.h>
#elif __has_include(<moodycamel/concurrentqueue.h>)
#include <moodycamel/concurrentqueue.h>
#else
#include <concurrentqueue.h>
#endif

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

// `Batch`: how many tasks a worker takes at once.
template <class Cleanups, std::size_t Room, std::size_t Batch = 64>
class moodycamel_pool {
    struct alignas(64) counter {   // one writer
        std::atomic<std::uint64_t> value{0};
        void add(std::uint64_t n, std::memory_order order) noexcept { value.store(value.load(std::memory_order_relaxed) + n, order); }
    };
    struct traits : moodycamel::ConcurrentQueueDefaultTraits {
        static constexpr std::size_t BLOCK_SIZE = 256;
    };
    using callable = inline_callable<Room>;
    using queue_type = moodycamel::ConcurrentQueue<callable, traits>;

public:
    explicit moodycamel_pool(unsigned workers, unsigned = 1) : taken_(workers), done_(workers) {
        for (unsigned i = 0; i < workers; ++i) threads_.emplace_back([this, i] { work(taken_[i], done_[i]); });
    }
    ~moodycamel_pool() {
        {
            const std::lock_guard hold(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& t : threads_) t.join();
    }
    moodycamel_pool(const moodycamel_pool&) = delete;
    moodycamel_pool& operator=(const moodycamel_pool&) = delete;

    class producer {
    public:
        explicit producer(moodycamel_pool& to) : pool_(to), token_(to.queue_), submitted_(to.enroll()) {}
        template <class Loop>
        void within(Loop&& loop) { loop(); }
        template <class Body>
        void submit(Body body) { submit_any(std::move(body)); }
        template <class Body, class... C>
        void submit(Body body, C... c) { submit_any(Cleanups::join(body, c...)); }
        template <unsigned Count, class Body>
        void submit_deferring(Body body) {
            submit_any([body] { Cleanups::template guarded<Count>(body, body.own_cleanup()); });
        }
        template <class Body>
        void submit_any(Body body) {
            pool_.queue_.enqueue(token_, callable(std::move(body)));
            submitted_.add(1, std::memory_order_seq_cst);
            if (pool_.sleepers_.load(std::memory_order_seq_cst) != 0) pool_.wake_one();
        }

    private:
        moodycamel_pool& pool_;
        moodycamel::ProducerToken token_;
        counter& submitted_;
    };

    template <class Done>
    void wait(Done&&) {
        std::unique_lock hold(mutex_);
        ++waiters_;
        rest_.wait(hold, [this] { return none_left(done_); });
        --waiters_;
    }

private:
    static constexpr int rounds_before_sleep = 200;

    counter& enroll() {
        const std::size_t seat = enrolled_.fetch_add(1);
        if (seat >= submitted_.size()) throw std::length_error("more producers than seats");
        return submitted_[seat];
    }
    // Whether all that was submitted is counted in `over`, which is read first: so it never holds more than what is read as submitted.
    bool none_left(const std::vector<counter>& over) const noexcept {
        std::uint64_t open = 0;
        for (const counter& c : over) open -= c.value.load(std::memory_order_seq_cst);
        for (const counter& c : submitted_) open += c.value.load(std::memory_order_seq_cst);
        return open == 0;
    }
    [[gnu::noinline, gnu::cold]] void wake_one() {
        {
            const std::lock_guard hold(mutex_);
            if (sleepers_.load() == 0) return;
            sleepers_.fetch_sub(1);
            ++wakes_;
        }
        wake_.notify_one();
    }
    void work(counter& taken, counter& done) {
        moodycamel::ConsumerToken token(queue_);
        std::array<callable, Batch> tasks;
        for (int failures = 0;;) {
            const std::size_t n = queue_.try_dequeue_bulk(token, tasks.begin(), Batch);
            if (n == 0) {
                if (++failures < rounds_before_sleep) pause(failures);
                else if (!sleep()) return;
                else failures = 0;
                continue;
            }
            failures = 0;
            taken.add(n, std::memory_order_release);
            for (std::size_t i = 0; i < n; ++i) {
                tasks[i]();
                tasks[i].reset();
            }
            done.add(n, std::memory_order_release);
        }
    }
    static void pause(int failures) noexcept {
        if (failures % 16 == 0) std::this_thread::yield();
        else __builtin_ia32_pause();
    }
    // False: the pool stops and nothing is left.
    bool sleep() {
        std::unique_lock hold(mutex_);
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        const bool idle = none_left(taken_);
        if (waiters_ != 0 && none_left(done_)) rest_.notify_all();
        if (!idle || stopping_) {
            sleepers_.fetch_sub(1);
            return !(idle && stopping_);
        }
        wake_.wait(hold, [this] { return wakes_ != 0 || stopping_; });
        if (wakes_ != 0) --wakes_;
        else sleepers_.fetch_sub(1);
        return true;
    }

    queue_type queue_;
    alignas(64) std::atomic<unsigned> sleepers_{0};
    std::array<counter, 16> submitted_;
    std::vector<counter> taken_;
    std::vector<counter> done_;
    std::atomic<std::size_t> enrolled_{0};
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable rest_;
    unsigned wakes_ = 0;
    unsigned waiters_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}   // namespace bench
