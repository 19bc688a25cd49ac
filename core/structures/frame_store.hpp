// The process-wide store of frames and of the nodes of deferred finalizers.
// Any thread, lock-free; a thread's own cache serves most calls. Invariants: 1. Allocation fails with null, freeing never fails.
// 2. A free frame's header says phase free and keeps its generation. 3. Memory goes back to the system in trim, slab by slab,
// when all of a slab's blocks lie in the depot.
#pragma once

#include "core/structures/slab.hpp"
#include "lastly/detail/frame.hpp"

namespace lastly::detail {

void* allocate_block(block_kind kind, std::size_t bytes) noexcept;   // aligned to a cache line
void release_block(block_kind kind, std::size_t bytes, void* block) noexcept;
// What a block of `bytes` really holds.
std::size_t usable_bytes(std::size_t bytes) noexcept;

// This thread's cached blocks go to the depot; armed to happen at its end.
void flush_thread_cache() noexcept;

// Gives slabs back whose blocks all wait in the depot, as long as more than `keep` magazines of a class wait and `go_on` says so.
// One thread trims at a time; others return at once.
void trim(std::uint64_t keep, bool (*go_on)(void*), void* argument) noexcept;

// Calls visit for each frame block ever used that is not free now, while tasks come and go: read its header twice.
void walk_frames(void (*visit)(frame&, void*), void* argument);

}   // namespace lastly::detail
