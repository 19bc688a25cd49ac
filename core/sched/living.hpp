// The pools that live, and whether the process is ending: for the exit coordinator, which closes them all (P1).
// Any thread. Invariants: 1. A pool is in the list from its making until it is freed. 2. Once the process is ending the list does not change: no
// pool leaves it, so none is freed, and whoever walks it needs no lock. 3. What is here is constant-initialised and never destroyed.
//
//   stage     living -> ending (the coordinator has begun) -> over (nobody waits for a pool any more)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace lastly::detail {

class pool_core;

enum class process_stage : std::uint32_t { living, ending, over };
process_stage stage_of_process() noexcept;
// The caller is the one who ends it. False: somebody else was first.
bool begin_process_end() noexcept;
// Whoever still waits in a pool's destructor returns.
void end_process_end() noexcept;

// False: the process is ending, and the list is as it is.
bool join_living(pool_core& pool) noexcept;
// False: the process is ending; the pool must not be freed.
bool leave_living(pool_core& pool) noexcept;

// Static pools are destroyed one after the other before the coordinator is called; what hung there has used up of the time of those that follow (P1).
// How long that has been going on; 0 if nothing hung.
std::chrono::nanoseconds time_of_exit() noexcept;
// A static pool whose end began then has hung. That it was `exit` which destroyed it shows when its next handler runs.
void note_hang(std::chrono::steady_clock::time_point begin) noexcept;

// The first of them; the others through pool_core::next_living. Requires: the process is ending.
pool_core* first_living() noexcept;

// Around a fork (P6). In the child every pool that lived is the parent's, this thread is nobody's worker, and the process lives.
void hold_living() noexcept;
void release_living(bool in_child) noexcept;

// For tests.
std::size_t living_count() noexcept;

}   // namespace lastly::detail
