// oneTBB as a backend of dropping: a task_group, or many, that is cancelled and waited for. Cleanups as in cleanups.hpp: the task owns them, and
// runs them when it is destroyed, which oneTBB does without running a task that was cancelled.
// One thread calls everything, within the arena: it has a slot beside the `workers` workers, and drops tasks while it waits. The
// workers are held by tasks of another group, and let go as soon as the cancellation stands: a task that ran would be no drop.
#pragma once

#include "peers/cleanups.hpp"
#include "peers/onetbb_groups.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <cstddef>
#include <utility>

namespace bench {

// `Members`: a task_group or onetbb_groups.
template <class Cleanups, class Members = oneapi::tbb::task_group>
class onetbb_drop {
public:
    explicit onetbb_drop(unsigned workers)
        : limit_(oneapi::tbb::global_control::max_allowed_parallelism, workers + 1), arena_(static_cast<int>(workers + 1), 1) {
        arena_.initialize();
    }

    template <class F>
    void within(F&& f) {
        arena_.execute([&] {
            f();
            holders_.wait();
        });
    }
    template <class Arrived>
    void hold(Arrived arrived) {
        holders_.run([this, arrived] {
            arrived();
            held_.wait(true);
        });
    }
    template <class Body>
    void submit(Body body) { members_.run(body); }
    template <class Body, class C>
    void submit(Body body, C a, C b, C c) { members_.run(Cleanups::own(body, a, b, c)); }
    bool drop(std::size_t) {
        members_.cancel();
        held_.store(false);
        held_.notify_all();
        return members_.wait() == oneapi::tbb::canceled;
    }

private:
    oneapi::tbb::global_control limit_;
    oneapi::tbb::task_arena arena_;
    oneapi::tbb::task_group holders_;
    Members members_;
    std::atomic<bool> held_{true};
};

}   // namespace bench
