// The body of one task: hashes one file and leaves its line in a part file.
// Runs on a worker; touches nothing but its file, its part and its own stack.
// Both closes are finalizers of the task: they happen whichever way the body ends.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <system_error>

#include <lastly/lastly.hpp>

#include "parts.hpp"

namespace checksum {

/// A part file could not be written. More of the same is to be expected, so the run is stopped for it.
class part_error : public std::system_error {
    using std::system_error::system_error;
};

struct file_to_hash {
    const std::string& path;    // outlives the task
    std::uint64_t number;       // of its part file
};

/// Returns the bytes hashed. Throws part_error, std::system_error with a text fit to be shown, or task_cancelled.
std::uint64_t hash_file(lastly::task_context& task, const file_to_hash& file, const part_store& parts);

/// One line of the list, line end included. As in the coreutils' lists, a name with a line break in it is escaped
/// and its line begins with a backslash.
[[nodiscard]] std::string list_line(const std::string& hash, const std::string& path);

}  // namespace checksum
