// Sleeping on a 32-bit word: the only way in which a thread of lastly waits.
// Any thread. Invariants: 1. A wait returns at once if the word differs from what was expected; it may also return for no
// reason: callers loop. 2. A wake uses the word's address as a key and never touches the memory behind it, so that it may
// follow the store that lets a waiter free that memory.
#pragma once

#include "lastly/detail/atomic.hpp"

#include <chrono>
#include <cstdint>

namespace lastly::detail {

using futex_word = atomic<std::uint32_t>;

void futex_wait(const futex_word& word, std::uint32_t expected) noexcept;
// False once `deadline` has passed.
bool futex_wait_until(const futex_word& word, std::uint32_t expected, std::chrono::steady_clock::time_point deadline) noexcept;
void futex_wake_one(const std::uint32_t* address) noexcept;
void futex_wake_all(const std::uint32_t* address) noexcept;

}   // namespace lastly::detail
