// oneTBB as backends: task_arena::enqueue, and task_group::run from outside.
// Both have `workers` workers beside the submitting threads: global_control counts one caller more.
// enqueue: an arena of `workers` slots, none reserved for callers; nobody counts, so the caller looks at the tally every 20 µs,
// which costs the workers less than any counter. group: callers have reserved slots and submit inside the arena, as spawning
// wants it; the caller's wait runs tasks too, as task_group::wait does, so its drain has one thread more than the others.
// One group for all, or groups of each producer's own (onetbb_groups.hpp).
#pragma once

#include "peers/onetbb_groups.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace bench {

template <class Cleanups>
class onetbb_enqueue {
public:
    onetbb_enqueue(unsigned workers, unsigned)
        : limit_(oneapi::tbb::global_control::max_allowed_parallelism, workers + 1), arena_(static_cast<int>(workers), 0) {
        arena_.initialize();
    }

    class producer {
    public:
        explicit producer(onetbb_enqueue& to) : arena_(to.arena_) {}
        template <class Loop>
        void within(Loop&& loop) { loop(); }
        template <class Body>
        void submit(Body body) { arena_.enqueue(std::move(body)); }
        template <class Body, class... C>
        void submit(Body body, C... c) { arena_.enqueue(Cleanups::join(body, c...)); }
        template <unsigned Count, class Body>
        void submit_deferring(Body body) {
            arena_.enqueue([body] { Cleanups::template guarded<Count>(body, body.own_cleanup()); });
        }
        template <class Body>
        void submit_any(Body body) { arena_.enqueue(std::move(body)); }

    private:
        oneapi::tbb::task_arena& arena_;
    };

    template <class Done>
    void wait(Done&& done) {
        while (!done()) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }

private:
    oneapi::tbb::global_control limit_;
    oneapi::tbb::task_arena arena_;
};

// `Members`: a task_group or onetbb_groups. At most `callers` producers are made.
template <class Cleanups, class Members = oneapi::tbb::task_group>
class onetbb_group {
public:
    onetbb_group(unsigned workers, unsigned callers)
        : limit_(oneapi::tbb::global_control::max_allowed_parallelism, workers + 1),
          arena_(static_cast<int>(workers + callers), callers), members_(is_shared ? 1 : callers) {
        arena_.initialize();
    }

    class producer {
    public:
        explicit producer(onetbb_group& to) : arena_(to.arena_), group_(to.enroll()) {}
        template <class Loop>
        void within(Loop&& loop) { arena_.execute(std::forward<Loop>(loop)); }
        template <class Body>
        void submit(Body body) { group_.run(std::move(body)); }
        template <class Body, class... C>
        void submit(Body body, C... c) { group_.run(Cleanups::join(body, c...)); }
        template <unsigned Count, class Body>
        void submit_deferring(Body body) {
            group_.run([body] { Cleanups::template guarded<Count>(body, body.own_cleanup()); });
        }
        template <class Body>
        void submit_any(Body body) { group_.run(std::move(body)); }

    private:
        oneapi::tbb::task_arena& arena_;
        Members& group_;
    };

    template <class Done>
    void wait(Done&&) {
        arena_.execute([this] {
            for (Members& group : members_) group.wait();
        });
    }

private:
    static constexpr bool is_shared = std::is_same_v<Members, oneapi::tbb::task_group>;
    Members& enroll() { return members_[is_shared ? 0 : enrolled_.fetch_add(1)]; }

    oneapi::tbb::global_control limit_;
    oneapi::tbb::task_arena arena_;
    std::vector<Members> members_;
    std::atomic<std::size_t> enrolled_{0};
};

}   // namespace bench
