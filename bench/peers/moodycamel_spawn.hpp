// The pool over moodycamel's queue as a backend of spawning: tasks go into the queue, and whoever waits for their group runs tasks meanwhile.
// The caller is one of the `workers` threads that compute. A group is made, spawned into and waited for by the thread that made the backend,
// inside `within`, through that thread's tokens. Invariant: a group has a count a thread, each one writer's, so that no task writes what
// another thread writes; it is over when they add up to what was spawned.
#pragma once

#include "peers/cleanups.hpp"
#include "peers/moodycamel_pool.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace bench {

template <class Cleanups, std::size_t Room, class Looking>
class moodycamel_spawn {
    using pool = moodycamel_pool<Cleanups, Room, Looking>;

public:
    explicit moodycamel_spawn(unsigned workers) : workers_(workers), pool_(workers - 1), to_(pool_), by_(pool_) {}

    template <class F>
    void within(F&& f) { f(); }

    class group {
    public:
        explicit group(moodycamel_spawn& in) : in_(in), over_(in.workers_) {}
        template <class Body>
        void spawn(Body body) {
            ++spawned_;
            in_.to_.submit_any([this, body = std::move(body)]() mutable {
                body();
                count_one();
            });
        }
        template <class Body, class... C>
        void spawn_attached(Body body, C... cleanups) { spawn(Cleanups::join(body, cleanups...)); }
        template <unsigned Count, class Body>
        void spawn_deferring(Body body) {
            spawn([body] { Cleanups::template guarded<Count>(body, body.own_cleanup()); });
        }
        void wait() {
            while (!is_over()) {
                if (in_.by_.run_some() == 0) pause_cpu(4);
            }
        }

    private:
        struct alignas(64) count {
            std::atomic<std::uint64_t> value{0};
        };
        void count_one() noexcept {
            std::atomic<std::uint64_t>& mine = over_[pool::seat_here()].value;
            mine.store(mine.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        }
        bool is_over() const noexcept {
            std::uint64_t over = 0;
            for (const count& c : over_) over += c.value.load(std::memory_order_acquire);
            return over == spawned_;
        }

        moodycamel_spawn& in_;
        std::vector<count> over_;
        std::uint64_t spawned_ = 0;
    };

private:
    const unsigned workers_;
    pool pool_;
    typename pool::producer to_;
    typename pool::helper by_;
};

}   // namespace bench
