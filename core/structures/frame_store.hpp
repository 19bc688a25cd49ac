// The process-wide store of frames and of the nodes of deferred finalizers.
// Any thread, lock-free; a thread's own cache serves most calls. Invariants: 1. Allocation fails with null, freeing never fails.
// 2. A free frame's header says phase free and keeps its generation. 3. Memory goes back to the system in trim, slab by slab,
// when all of a slab's blocks lie in the depot.
#pragma once

#include "core/base/prefetch.hpp"
#include "core/structures/magazine.hpp"
#include "lastly/detail/frame.hpp"
#include "lastly/detail/thread_block.hpp"

namespace lastly::detail {

// A thread's hoard: per kind and class two magazines, and the rest of a slab that nobody has used yet.
class frame_cache {
public:
    struct shelf {
        magazine* loaded = nullptr;
        magazine* spare = nullptr;
        std::byte* fresh = nullptr;
        std::byte* fresh_end = nullptr;
    };
    shelf of[cached_kinds * block_size::shelves_a_kind];   // of larger blocks, too: nobody fills these
};

// Aligned to a cache line.
[[gnu::noinline, gnu::cold]] void* allocate_elsewhere(block_size size) noexcept;   // not from the loaded magazine
[[gnu::noinline, gnu::cold]] void release_elsewhere(block_size size, void* block) noexcept;
// A block's lines may still lie in the cache of the core where it was freed: they are asked for so many allocations ahead.
inline constexpr std::uint32_t blocks_ahead = 8;
inline void prefetch_block(void* block, block_size size) noexcept {
    prefetch_for_write(block);
    if (size.usable > cache_line) prefetch_for_write(static_cast<std::byte*>(block) + cache_line);
}
inline void* allocate_block(block_size size) noexcept {
    frame_cache* const cache = this_thread.frames;
    if (cache == nullptr) return allocate_elsewhere(size);
    magazine* const m = cache->of[size.shelf].loaded;
    if (m == nullptr || m->count == 0) return allocate_elsewhere(size);
    const std::uint32_t left = --m->count;
    if (left >= blocks_ahead) prefetch_block(m->blocks[left - blocks_ahead], size);
    return m->blocks[left];
}
inline void release_block(block_size size, void* block) noexcept {
    frame_cache* const cache = this_thread.frames;
    if (cache == nullptr) return release_elsewhere(size, block);
    magazine* const m = cache->of[size.shelf].loaded;
    if (m == nullptr || m->count == magazine::capacity) return release_elsewhere(size, block);
    m->blocks[m->count++] = block;
}

// This thread's cached blocks go to the depot; armed to happen at its end.
void flush_thread_cache() noexcept;

// Gives slabs back whose blocks all wait in the depot, as long as more than `keep` magazines of a class wait and `go_on` says so.
// One thread trims at a time; others return at once.
void trim(std::uint64_t keep, bool (*go_on)(void*), void* argument) noexcept;

// Calls visit for each frame block ever used that is not free now, while tasks come and go: read its header twice.
void walk_frames(void (*visit)(frame&, void*), void* argument);

}   // namespace lastly::detail
