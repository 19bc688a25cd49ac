// What a worker takes from others: from the injector, from other workers' deques; and when it had better wait before it does.
// The taker's thread. Invariants: 1. What was taken is run by the taker, or lies where it can be stolen. 2. The injector's frames count as taken only when
// they can be found in a deque.
#pragma once

#include "core/sched/worker.hpp"
#include "core/structures/injector.hpp"

#include <cstddef>
#include <cstdint>

namespace lastly::detail {

// Who takes from the injector, and the deque that is its own.
struct taker {
    pool_core& pool;
    account& books;
    deque& tasks;
    injector::consumer* intake;   // null: it takes without one
};
inline taker taker_of(worker& w) noexcept { return {w.pool, w.books, w.tasks, w.intake.get()}; }

// A batch from the injector: the first `kept` frames to the caller, the rest to the deque, where others can steal it. How many there were.
std::size_t take_over(const taker& t, std::size_t kept, frame** first) noexcept;
// Its first; null: there was none.
frame* take_batch(const taker& t) noexcept;
frame* take_one(worker& w) noexcept;
// By a worker that does not search: nobody need know that its own deque was empty. Wakes somebody for the rest.
frame* take_next_batch(worker& w) noexcept;

// What a search may come upon: a task, or a branch of one.
struct finding {
    frame* task = nullptr;
    branch* part = nullptr;
    explicit operator bool() const noexcept { return task != nullptr || part != nullptr; }
};
// Of some others, at random: `most` at most. What is not to be run next lies in the worker's own deque.
finding steal_from_others(worker& w, std::uint32_t attempts, std::size_t most) noexcept;
// Every deque once, so that work which stand-ins left behind among many empty deques is found.
frame* steal_from_anybody(pool_core& pool) noexcept;
finding take_from_anybody(pool_core& pool) noexcept;

// For a moment, if it came away with little the last time.
void wait_for_more(worker& w) noexcept;

}   // namespace lastly::detail
