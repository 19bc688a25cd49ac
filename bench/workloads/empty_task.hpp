// The task and the cleanup that the workloads on overhead use: each adds one to a count of its thread's own.
// Values; any thread.
#pragma once

#include "workloads/tally.hpp"

#include <cstdint>

namespace bench {

struct cleanup {   // 8 bytes
    tally* to;
    void operator()() const noexcept { to->mine().add_cleanups(1); }
};
struct task_body {   // 16 bytes
    tally* to;
    std::uint64_t weight;
    void operator()() const noexcept { to->mine().add_tasks(weight); }
    cleanup own_cleanup() const noexcept { return {to}; }   // what a body decides on when it runs
};
static_assert(sizeof(task_body) == 16 && sizeof(cleanup) == 8);

}   // namespace bench
