// Walks a directory tree on the calling thread and hands over each regular file as it is found.
// 1. One directory is open at a time, however deep the tree.
// 2. Symbolic links are not followed, but for the starting directory itself.
// 3. The run's own temporary directory is left out, should it lie in the tree.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace checksum {

struct file_id {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const file_id&, const file_id&) = default;
};

struct walk_calls {
    std::function<bool(std::string&& path)> file;           // false ends the walk
    std::function<void(const std::string& text)> error;     // a directory that could not be read, and why
};

/// Returns false if `file` ended the walk.
bool walk(const std::string& top, const file_id& left_out, const walk_calls& calls);

}  // namespace checksum
