// A pool as one writes it: a mutex, a condition variable, a deque of callables. The destructor runs what is queued and joins.
// post, clear: any thread. Destruction: a thread that is no worker; at the process's exit, a worker too: it joins the others.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace lastly::stress::peers {

class plain_pool {
public:
    explicit plain_pool(unsigned workers) {
        for (unsigned i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    }
    ~plain_pool() {
        {
            const std::lock_guard hold(mutex_);
            closing_ = true;
        }
        wake_.notify_all();
        for (std::thread& t : threads_) t.get_id() == std::this_thread::get_id() ? t.detach() : t.join();
    }
    plain_pool(const plain_pool&) = delete;
    plain_pool& operator=(const plain_pool&) = delete;

    // An exception that leaves a task terminates the process.
    template <class F>
    void post(F f) {
        auto t = std::make_unique<task_of<F>>(std::move(f));
        {
            const std::lock_guard hold(mutex_);
            queue_.push_back(std::move(t));
        }
        wake_.notify_one();
    }
    // Drops what is queued: destroys it here, without the lock.
    void clear() {
        std::deque<std::unique_ptr<task>> dropped;
        const std::lock_guard hold(mutex_);
        dropped.swap(queue_);
    }

private:
    struct task {
        virtual ~task() = default;
        virtual void run() = 0;
    };
    template <class F>
    struct task_of final : task {
        explicit task_of(F f) : call(std::move(f)) {}
        void run() override { call(); }
        F call;
    };

    void work() {
        std::unique_lock hold(mutex_);
        for (;;) {
            wake_.wait(hold, [this] { return closing_ || !queue_.empty(); });
            if (queue_.empty()) return;
            std::unique_ptr<task> next = std::move(queue_.front());
            queue_.pop_front();
            hold.unlock();
            next->run();
            next.reset();
            hold.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::unique_ptr<task>> queue_;
    bool closing_ = false;
    std::vector<std::thread> threads_;
};

}   // namespace lastly::stress::peers
