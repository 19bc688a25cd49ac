// The process's own pool. See lastly/pool.hpp.
// Any thread. Invariant: one a process; a forked child makes another. Never destroyed.
#include "core/base/process.hpp"
#include "core/base/thread.hpp"
#include "lastly/detail/atomic.hpp"
#include "lastly/pool.hpp"

namespace lastly {

namespace {

// A process's generation in the upper bits; below: 0 there is none, 1 a thread makes it, 2 it is there.
constexpr std::uint64_t is_being_made = 1, is_there = 2;
constinit detail::atomic<std::uint64_t> state{0};
constinit detail::atomic<pool*> made{nullptr};

// While it lives, this thread makes the pool; without an end, the next one tries again.
struct attempt {
    const std::uint64_t generation;
    std::uint64_t result = 0;
    ~attempt() { state.store(generation << 2 | result, detail::release); }   // order: [D5] publishes the pool
};

}   // namespace

pool& default_pool() {
    for (;;) {
        const std::uint64_t generation = detail::fork_generation();
        std::uint64_t now = state.load(detail::acquire);   // order: [D5] sees the pool
        if (now == (generation << 2 | is_there)) return *made.load(detail::relaxed);   // order: published with the state
        if (now == (generation << 2 | is_being_made)) {
            detail::yield_thread();
            continue;
        }
        if (!state.compare_exchange_strong(now, generation << 2 | is_being_made, detail::acquire, detail::relaxed)) continue;   // order: [D5] one thread makes it
        attempt here{generation};
        pool_options options;
        options.name = "default";
        made.store(new pool(std::move(options)), detail::relaxed);   // order: published with the state
        here.result = is_there;
    }
}

}   // namespace lastly
