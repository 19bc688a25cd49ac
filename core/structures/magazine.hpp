// Magazines: handfuls of free blocks that travel between threads as one, and the depot where full ones wait.
// Any thread, lock-free. Invariants: 1. A block is in one magazine, or in somebody's hand. 2. A magazine is in one thread's
// cache, or in the depot, or among the empty ones; its memory is never given back. 3. Block addresses lie in the magazine, not
// in the blocks: freeing and allocating touch no free block.
// Source: Bonwick and Adams, "Magazines and Vmem" (2001). Where it differs: the depot is lock-free.
#pragma once

#include "core/structures/slab.hpp"

namespace lastly::detail {

struct alignas(64) magazine {
    static constexpr std::uint32_t capacity = 62;
    atomic<std::uint64_t> next;   // link of the depot's stacks
    std::uint32_t count;
    void* blocks[capacity];
};
static_assert(sizeof(magazine) == 512);

magazine* take_empty_magazine() noexcept;   // null: out of memory
void give_empty_magazine(magazine& m) noexcept;

// Magazines with at least one block.
magazine* take_magazine(block_kind kind, std::uint32_t size_class) noexcept;   // null: none waits
void give_magazine(block_kind kind, std::uint32_t size_class, magazine& m) noexcept;
// About how many wait.
std::uint64_t waiting_magazines(block_kind kind, std::uint32_t size_class) noexcept;

}   // namespace lastly::detail
