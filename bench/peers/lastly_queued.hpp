// lastly as a backend of queued tasks: `detach` alone, or `submit` with three attached finalizers and the handle kept.
// One thread calls everything.
#pragma once

#include "peers/lastly.hpp"

#include <lastly/lastly.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace bench {

class lastly_queued {
public:
    explicit lastly_queued(std::size_t tasks) : kept_(tasks), pool_(1, 1), to_(pool_) {}

    lastly_pool::producer& producer() { return to_; }
    template <class Body, class... C>
    void keep(Body body, C... c) { kept_[used_++] = to_.submit_with_handle(body, c...); }
    void let_go() {
        for (std::size_t i = 0; i < used_; ++i) std::exchange(kept_[i], {}).get();
        used_ = 0;
    }
    template <class Done>
    void wait(Done done) { pool_.wait(done); }

private:
    std::vector<lastly::task_handle<void>> kept_;
    std::size_t used_ = 0;
    lastly_pool pool_;
    lastly_pool::producer to_;
};

}   // namespace bench
