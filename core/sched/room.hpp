// A bounded pool's room: who gets some, and what becomes of a submission that finds none (A5).
// Any thread. Invariants: 1. Workers of the pool never block. 2. A caller that blocks is woken by room, by the pool's close, and when
// what it submits, or the task that it is, is asked to stop.
#pragma once

#include "lastly/detail/frame.hpp"

#include <cstdint>
#include <system_error>

namespace lastly::detail {

enum class room_result : std::uint8_t { granted, full, run_here, closed, stopped };
enum class patience : std::uint8_t { may_wait, never };

bool is_own_worker(const pool_core& pool) noexcept;
// A caller that may block in a full pool, until its submission is accepted or its refused chain is over: the process's end waits for that.
class blocked_caller {
public:
    blocked_caller() noexcept = default;
    ~blocked_caller();
    blocked_caller(const blocked_caller&) = delete;
    blocked_caller& operator=(const blocked_caller&) = delete;
    void blocks_in(pool_core& pool) noexcept;
    // This thread never comes back to any (P2).
    static void leave_all() noexcept;

private:
    void end() noexcept;

    pool_core* pool_ = nullptr;
    blocked_caller* outer_ = nullptr;
};

// `group`: the one that the task is to become a member of; null: none. `cause` is set where the result is `stopped`.
room_result find_room(pool_core& pool, frame& f, patience p, group_core* group, std::error_code& cause, blocked_caller& caller);
// What was granted, or would have been run here, is not used.
void give_room_back(pool_core& pool) noexcept;

}   // namespace lastly::detail
