// How many CPUs this process may use: its affinity mask, and the quota of its control group.
// Any thread; reads small files of the kernel. A host's core count is not the answer in a container.
#pragma once

#include <string>

namespace lastly::detail {

// At least 1. Throws std::bad_alloc.
unsigned usable_cpus();

// CPUs that a quota allows, rounded up; 0: none stated. `v2` is a cpu.max file ("max 100000" or "150000 100000").
unsigned quota_of_cpu_max(const std::string& text) noexcept;

}   // namespace lastly::detail
