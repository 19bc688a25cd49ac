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
// `group`: the one that the task is to become a member of; null: none. `cause` is set where the result is `stopped`.
room_result find_room(pool_core& pool, frame& f, patience p, group_core* group, std::error_code& cause) noexcept;
// What was granted, or would have been run here, is not used.
void give_room_back(pool_core& pool) noexcept;

}   // namespace lastly::detail
