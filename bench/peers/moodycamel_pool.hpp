// A plain pool over moodycamel::ConcurrentQueue, in its best forms, as a backend.
// producer: one thread each. wait: any thread but a worker. helper, let_drop, drop_rest, leave_rest: one thread that is no worker. Invariants:
// 1. A producer token a submitting thread, a consumer token a worker, tasks taken in batches. 2. `submitted` of a producer goes up (seq_cst)
// after its task is in the queue and before it looks for sleepers; a worker counts itself as a sleeper (seq_cst) before it reads those
// counts: nobody sleeps beside a task. 3. A waker takes the sleeper off the count itself, so that one sleeper is notified once. 4. No shared
// write a task: counts are one writer's own; a worker that finds nothing looks for whoever waits for the end, and once more, under
// the mutex, when it goes to sleep. 5. Once tasks are to be dropped none begins: they are destroyed where they are taken, or
// where the queue ends.
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

// How a worker searches. found_nothing(n): waits after the n-th look in a row that found nothing; the last of `looks` is followed by sleep.
// found_few: waits after a batch that was less than half full. An enqueue writes a line that a dequeue writes too, so that a worker that
// comes for each task slows the producer; one that looks rarely answers late.
inline void pause_cpu(int times) noexcept {
    for (int i = 0; i < times; ++i) __builtin_ia32_pause();
}
struct looks_eagerly {   // some 10 µs
    static constexpr int looks = 200;
    static void found_nothing(int n) noexcept {
        if (n % 16 == 0) std::this_thread::yield();
        else pause_cpu(1);
    }
    static void found_few() noexcept {}
};
struct looks_patiently {   // waits grow, so that tasks gather; some 80 µs
    static constexpr int looks = 16;
    static void found_nothing(int n) noexcept {
        pause_cpu(n < 6 ? 4 << n : 256);
        if (n >= 6) std::this_thread::yield();
    }
    static void found_few() noexcept { pause_cpu(24); }
};
struct looks_long {   // as lastly's workers before they sleep
    static constexpr int looks = 200;
    static void found_nothing(int n) noexcept {
        if (n <= 64) pause_cpu(8);
        else std::this_thread::yield();
    }
    static void found_few() noexcept {}
};

// `Batch`: how many tasks a worker takes at once.
template <class Cleanups, std::size_t Room, class Looking = looks_eagerly, std::size_t Batch = 64>
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
    explicit moodycamel_pool(unsigned workers, unsigned = 1) : taken_(workers + 1), done_(workers + 1) {   // one more: the helper's
        for (unsigned i = 1; i <= workers; ++i) threads_.emplace_back([this, i] { work(i); });
    }
    ~moodycamel_pool() { end(); }
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
        while (!none_left(done_)) {
            waited_for_.store(true, std::memory_order_relaxed);
            rest_.wait(hold);
        }
    }

    // Takes tasks as a worker does, one batch a call. In a task: which thread's count is whose.
    class helper {
    public:
        explicit helper(moodycamel_pool& in, unsigned seat = 0) : pool_(in), seat_(seat), token_(in.queue_) {}
        // Returns how many it took.
        std::size_t run_some() {
            const std::size_t n = pool_.queue_.try_dequeue_bulk(token_, tasks_.begin(), Batch);
            if (n == 0) return 0;
            pool_.taken_[seat_].add(n, std::memory_order_release);
            if (pool_.dropping_.load(std::memory_order_relaxed)) [[unlikely]] {
                for (std::size_t i = 0; i < n; ++i) tasks_[i].reset();
            } else {
                for (std::size_t i = 0; i < n; ++i) {
                    tasks_[i]();
                    tasks_[i].reset();
                }
            }
            pool_.done_[seat_].add(n, std::memory_order_release);
            return n;
        }

    private:
        moodycamel_pool& pool_;
        const unsigned seat_;
        moodycamel::ConsumerToken token_;
        std::array<callable, Batch> tasks_;
    };
    // 0 on threads that are no workers; below workers + 1.
    static unsigned seat_here() noexcept { return seat_; }

    // From here on no task begins. Nobody may submit.
    void let_drop() noexcept { dropping_.store(true); }
    // Drops what is left, together with the workers, whose threads have ended when it returns. Whether all that was submitted is over.
    bool drop_rest() {
        helper by(*this);
        while (by.run_some() != 0) {}
        end();
        return none_left(done_);
    }
    // The workers go after what they have in hand, and what is queued is destroyed with the pool. Nobody may submit.
    void leave_rest() noexcept { leaving_.store(true); }

private:
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
    void end() {
        {
            const std::lock_guard hold(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& t : threads_) t.join();
        threads_.clear();
    }
    void work(unsigned seat) {
        seat_ = seat;
        helper by(*this, seat);
        for (int failures = 0; !leaving_.load(std::memory_order_relaxed);) {
            const std::size_t n = by.run_some();
            if (n != 0) {
                failures = 0;
                if (n < Batch / 2) Looking::found_few();
                continue;
            }
            if (waited_for_.load(std::memory_order_relaxed)) tell_waiters();
            if (++failures < Looking::looks) Looking::found_nothing(failures);
            else if (!sleep()) return;
            else failures = 0;
        }
    }
    [[gnu::noinline, gnu::cold]] void tell_waiters() {
        if (!none_left(done_)) return;
        {
            const std::lock_guard hold(mutex_);
            waited_for_.store(false, std::memory_order_relaxed);   // who finds that more has come sets it again
        }
        rest_.notify_all();
    }
    // False: the pool stops and nothing is left.
    bool sleep() {
        std::unique_lock hold(mutex_);
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        const bool idle = none_left(taken_);
        if (waited_for_.load(std::memory_order_relaxed) && none_left(done_)) rest_.notify_all();
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
    bool stopping_ = false;
    alignas(64) std::atomic<bool> waited_for_{false};   // read where nothing was found
    std::atomic<bool> dropping_{false};                 // read with each batch, as is the next
    std::atomic<bool> leaving_{false};
    static constinit inline thread_local unsigned seat_ = 0;
    std::vector<std::thread> threads_;
};

}   // namespace bench
