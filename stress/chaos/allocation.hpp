// The program's own operator new and delete (operators.cpp): forwarded to malloc and free, counted and made to fail on demand.
// Any thread. Invariants: 1. While nothing was asked for, a call costs one relaxed load more. 2. A sanitizer sees malloc and free.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lastly::stress::chaos {

// What the operators do. `alignment` 0: that of malloc. Null: no memory, or none was to be had.
void* allocate(std::size_t bytes, std::size_t alignment) noexcept;
void release(void* block) noexcept;

// From now on the `nth` allocation of the process fails (1: the next one), and every later one if `all_after`.
void fail_allocations(std::uint64_t nth, bool all_after) noexcept;
// None fails any more. Returns: how many did.
std::uint64_t stop_failing() noexcept;

// Whether blocks are counted from now on.
void count_blocks(bool wanted) noexcept;
// Blocks allocated less blocks freed while they were counted.
std::int64_t blocks_alive() noexcept;

// While one lives, no allocation of this thread fails or is counted as one that may: a situation's own, that are no business of the library.
class plenty {
public:
    plenty() noexcept;
    ~plenty();
    plenty(const plenty&) = delete;
    plenty& operator=(const plenty&) = delete;
};

}   // namespace lastly::stress::chaos
