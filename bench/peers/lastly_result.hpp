// lastly as a backend of getting results: every option at its default, `submit` and its handle, attached finalizers.
// One thread calls everything; it is no worker, so it waits and runs nothing.
#pragma once

#include <lastly/lastly.hpp>

#include <cstdint>

namespace bench {

class lastly_result {
public:
    explicit lastly_result(unsigned workers) : pool_({.workers = workers}) {}

    std::uint64_t ask(std::uint64_t x) {
        return pool_.submit([x] { return x + 1; }).get();
    }
    template <class Body, class... C>
    void see_through(Body body, C... c) {
        const lastly::task_handle<void> handle = pool_.submit(body, lastly::finally(c)...);
        handle.wait();
    }

private:
    lastly::pool pool_;
};

}   // namespace bench
