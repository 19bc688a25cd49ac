// The situations in which something runs out: small programs around a pool, each of which says what has to hold whether or not it does.
// Each: on a thread of its own, once for each thing that fails; it does not hang when what it would wait for was refused.
#pragma once

#include "stress/chaos/desk.hpp"

#include <span>

namespace lastly::stress::chaos {

struct situation {
    const char* name;
    void (*run)(desk& d);
    bool has_pool = true;       // it is given one, with a ledger that is handed over; others make their own
    unsigned workers = 0;       // of the pool it is given; 0: as many as the round has
};

std::span<const situation> task_situations() noexcept;       // tasks.cpp
std::span<const situation> handle_situations() noexcept;     // handles.cpp
std::span<const situation> group_situations() noexcept;      // groups.cpp
std::span<const situation> context_situations() noexcept;    // contexts.cpp
std::span<const situation> branch_situations() noexcept;     // branches.cpp
std::span<const situation> pool_situations() noexcept;       // pools.cpp
std::span<const situation> ending_situations() noexcept;     // endings.cpp

}   // namespace lastly::stress::chaos
