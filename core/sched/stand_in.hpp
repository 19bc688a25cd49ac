// Stand-ins: threads that take the place of workers which sleep in a wait, so that `workers` threads make progress (W2).
// stand_aside: any thread. The rest: the worker itself. The protocol is in README.md here. Invariants:
//   1. Stand-ins that are up (awake, or asleep on a counted seat) = workers and stand-ins that sleep in a wait + excess.
//   2. A stand-in lies down between two tasks only, when it takes one from the excess; what its deque holds can be stolen.
//   3. A waiter that nobody stands in for does not sleep without end: it helps with anything, so that nothing hangs for want of a thread.
#pragma once

#include "core/task/anchor.hpp"

#include <mutex>

namespace lastly::detail {

struct worker;

struct stand_in_places {
    atomic<std::uint32_t> excess{0};   // stand-ins that are up although the worker whose place they took is back
    atomic<std::uint32_t> lie_downs_begun{0}, lie_downs_over{0};   // between the two a place is in neither the excess nor a seat
    atomic<std::uint32_t> told{0};     // that one could not be made was reported
    std::mutex growth;                 // one stand-in is made at a time
    bool nobody_joins = false;         // under it: the pool's owner has left its threads to themselves (S4)
};

// Sleeps as told. If this thread is a worker in a task, of whatever pool, another one works in its place until it returns.
void stand_aside(const waiting& w);
// The same for an object with `is_over()`, and `sleep()` that returns once that would be true. `of`: whose tasks bring it about.
template <class Wait>
void stand_aside(const pool_anchor& of, Wait& wait, bool is_endless) {
    if (wait.is_over()) return;
    stand_aside({&of, [](void* w) { return static_cast<Wait*>(w)->is_over(); }, [](void* w) { static_cast<Wait*>(w)->sleep(); }, &wait, is_endless});
}

// A stand-in between two tasks: is it one too many? Then it lies down; on return it is a searcher. False: it goes on.
bool lie_down_if_excess(worker& w) noexcept;
// A new stand-in's first sleep; on return it is a searcher.
void begin_asleep(worker& w) noexcept;
// A stand-in was about to sleep, found work, and its place has been reclaimed: the work is another's. On return it is a searcher.
void stay_down(worker& w) noexcept;

}   // namespace lastly::detail
