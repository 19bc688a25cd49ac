// A cache line that will be written soon is asked for, before it is needed.
// Any thread; the address need not be valid. Costs one instruction.
#pragma once

#include <cstddef>

namespace lastly::detail {

inline constexpr std::size_t cache_line = 64;

inline void prefetch_for_write(const void* address) noexcept {
#if defined(__x86_64__)
    // The builtin would ask for a line to read, unless the compiler is told of a newer processor; the first write would then wait for the other
    // core's copy to go. Every x86-64 processor knows this instruction, or does nothing at it.
    asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
    __builtin_prefetch(address, 1);
#endif
}

}   // namespace lastly::detail
