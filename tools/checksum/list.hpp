// Joins the part files of the tasks that succeeded to one list, sorted by path, and removes them.
// Main thread, after the pool is gone. A file gets its new contents at once or not at all: it is written beside its
// final place and renamed; a device or a pipe is written directly.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "directory.hpp"
#include "parts.hpp"

namespace checksum {

struct list_target {
    std::string file;               // empty: no file is written
    bool standard_output = false;
};

/// Sorts `hashed`, writes, and removes the parts. `advance` is called after each part with how many are done.
/// Throws std::system_error; the parts not reached are then still there.
void write_list(const list_target& target, std::vector<hashed_file>& hashed, const part_store& parts,
                const std::function<void(std::uint64_t)>& advance);

}  // namespace checksum
