// Slabs: 64 KiB of blocks of one size class, out of 64 MiB regions that stay mapped; and runs of slabs for large blocks.
// Any thread, lock-free. Invariants: 1. A region is never unmapped: any block address ever given out stays readable, so neither
// a walker nor a late reader of a link can fault. 2. A free slab's pages are given back to the system and read as zeros: phase
// free; a frame's generations then begin anew at a number of that birth. 3. `use` tells a walker what lies in a slab; it is
// stored after the pages are ready and cleared before they go. 4. A slab of frames is used again only for frames of the same kind
// and size: wherever a walker expects a header there is one, or zeros.
#pragma once

#include "lastly/detail/size_classes.hpp"
#include "lastly/detail/atomic.hpp"

namespace lastly::detail {

inline constexpr std::size_t cached_kinds = 3;   // those that travel in magazines

inline constexpr std::size_t region_bytes = std::size_t{64} << 20;
inline constexpr std::uint32_t slabs_per_region = region_bytes / slab_bytes;
inline constexpr std::uint32_t max_regions = 1u << 14;   // 1 TiB

struct slab_info {
    atomic<std::uint64_t> next;   // link of the free stacks
    atomic<std::uint32_t> use;    // 0: free, or inside a run; else 1 + (class << 2 | kind)
    std::uint32_t returned;       // the trimmer's: blocks of this slab that it holds
    std::uint32_t births;         // how often it was taken; its taker's
};

struct region {
    std::uint32_t number;
    atomic<std::uint32_t> carved;        // slabs handed out at least once; slab 0 is this header
    slab_info slabs[slabs_per_region];

    static region& of(const void* block) noexcept {
        return *reinterpret_cast<region*>(reinterpret_cast<std::uintptr_t>(block) & ~(region_bytes - 1));
    }
    std::byte* slab(std::uint32_t i) noexcept { return reinterpret_cast<std::byte*>(this) + i * slab_bytes; }
};
static_assert(sizeof(region) <= slab_bytes);

slab_info& info_of(const void* block) noexcept;
std::size_t bytes_of_block(const void* block) noexcept;              // what a block holds, by its slab's class
std::uint32_t slab_number(const void* block) noexcept;   // unique, at least 1, below 2^24
std::byte* slab_at(std::uint32_t number) noexcept;

// One slab for a small class, or a run of slabs for a large one; null: out of memory.
std::byte* take_slabs(std::uint32_t size_class, block_kind kind) noexcept;
void give_slabs(std::byte* first) noexcept;

// Goes through the slabs in use while they come and go.
class slab_walk {
public:
    // The next slab in use as `kind`; false at the end.
    bool next(block_kind kind, std::byte*& first, std::uint32_t& size_class) noexcept;

private:
    std::uint32_t region_ = 0;
    std::uint32_t slab_ = 0;
};

// For tests: the n-th call of take_slabs from now on fails (1: the next one); 0: none. Blocks above 8 KiB come from there directly.
void fail_slabs(unsigned nth) noexcept;
// For tests and notes: slabs in use now.
std::size_t slabs_in_use() noexcept;

}   // namespace lastly::detail
