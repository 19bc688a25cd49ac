// A pool that gives no handles as a backend of queued tasks: with one, a task is a std::packaged_task, and its handle the std::future.
// One thread calls everything.
#pragma once

#include <cstddef>
#include <future>
#include <utility>
#include <vector>

namespace bench {

// oneTBB calls what it is given as a const object.
struct const_callable {
    mutable std::packaged_task<void()> task;
    void operator()() const { task(); }
};

// `B`: a backend of `submit`; `Cleanups`: how its cleanups are written.
template <class B, class Cleanups>
class queued {
public:
    explicit queued(std::size_t tasks) : kept_(tasks), pool_(1, 1), to_(pool_) {}

    typename B::producer& producer() { return to_; }
    template <class Body, class... C>
    void keep(Body body, C... c) {
        std::packaged_task<void()> task(Cleanups::join(body, c...));
        kept_[used_++] = task.get_future();
        to_.submit_any(const_callable{std::move(task)});
    }
    void let_go() {
        for (std::size_t i = 0; i < used_; ++i) std::exchange(kept_[i], {}).get();
        used_ = 0;
    }
    template <class Done>
    void wait(Done done) { pool_.wait(done); }

private:
    std::vector<std::future<void>> kept_;
    std::size_t used_ = 0;
    B pool_;
    typename B::producer to_;
};

}   // namespace bench
