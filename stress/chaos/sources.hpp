// What can be made to fail, one after the other: allocations of the process, the library's own stores, and the start of its threads.
// The sweep's thread arms; what is armed fails on any thread. One at a time.
#pragma once

#include "stress/chaos/desk.hpp"

#include <cstdint>
#include <span>

namespace lastly::stress::chaos {

struct source {
    const char* name;
    shortage runs_out;
    // The `nth` from now on fails (1: the next one).
    void (*arm)(unsigned nth);
    // None fails any more. Returns: did any? `nth`: as it was armed.
    bool (*disarm)(unsigned nth);
};

std::span<const source> memory_sources() noexcept;
std::span<const source> thread_sources() noexcept;

}   // namespace lastly::stress::chaos
