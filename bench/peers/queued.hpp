// A pool that gives no handles as a backend of queued tasks: by hand a handle is a pointer to one allocation, which the queue points to as well.
// One thread calls everything. Such an allocation holds the task, what it threw and whether it is over: a std::packaged_task makes two.
#pragma once

#include "peers/futex_serial.hpp"

#include <cstddef>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace bench {

// What a handle sees of its task.
class kept_end {
public:
    void get() {
        over_.wait_past(0);
        if (error_) std::rethrow_exception(error_);
    }

protected:
    futex_serial<0> over_;
    std::exception_ptr error_;
};
template <class Task>
class kept_task : public kept_end {
public:
    explicit kept_task(Task task) : task_(std::move(task)) {}
    void run() noexcept {
        try {
            task_();
        } catch (...) {
            error_ = std::current_exception();
        }
        over_.raise();
    }

private:
    Task task_;
};

// `B`: a backend of `submit`; `Cleanups`: how its cleanups are written.
template <class B, class Cleanups>
class queued {
public:
    explicit queued(std::size_t tasks) : kept_(tasks), pool_(1, 1), to_(pool_) {}

    typename B::producer& producer() { return to_; }
    template <class Body, class... C>
    void keep(Body body, C... c) {
        using task = decltype(Cleanups::join(body, c...));
        auto one = std::make_shared<kept_task<task>>(Cleanups::join(body, c...));
        kept_[used_++] = one;
        to_.submit_any([one = std::move(one)] { one->run(); });
    }
    void let_go() {
        for (std::size_t i = 0; i < used_; ++i) std::exchange(kept_[i], {})->get();
        used_ = 0;
    }
    template <class Done>
    void wait(Done done) { pool_.wait(done); }

private:
    std::vector<std::shared_ptr<kept_end>> kept_;
    std::size_t used_ = 0;
    B pool_;
    typename B::producer to_;
};

}   // namespace bench
