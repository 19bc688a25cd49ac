// Which descriptors this process has open, read from /proc/self/fd.
// Only meaningful while no other thread opens or closes any.
#pragma once

#include <cstddef>
#include <set>

namespace checksum {

/// Throws std::system_error where there is no /proc.
[[nodiscard]] std::set<int> open_descriptors();

/// How many are open now that were not open then.
[[nodiscard]] std::size_t descriptors_left_open(const std::set<int>& then);

}  // namespace checksum
