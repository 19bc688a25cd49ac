// The tasks of one run: one a directory and one a file, in groups that nest as the tree does.
// A directory's task reads its entries, has a group of its own for the files and directories below it, and waits for
// that group. Any thread; what the tasks share lies in `work`, which outlives them all. Invariants:
// 1. The groups collect: a file or directory that cannot be read fails alone. A stop, with its cause, goes down the tree.
// 2. A directory is closed before anything below it is opened by its task: however deep the tree, each thread that lists
//    holds one open. While it is being listed, files only are waited for.
// 3. At most `most_under_way` files of a directory wait for their turn: the next one is hashed by the listing thread
//    itself. What is held in memory for a directory is its subdirectories' names, not its files'.
// 4. Each task tells its own error, so that a group's failures need no second look.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <lastly/lastly.hpp>

#include "errors.hpp"
#include "options.hpp"
#include "parts.hpp"
#include "tally.hpp"

namespace checksum {

struct hashed_file {
    std::string path;
    std::uint64_t part;     // the number of its part file
};

/// The files whose lines will be in the list; kept only where a list is wanted.
class hashed_files {
public:
    void add(const std::string& path, std::uint64_t part) {
        const std::lock_guard lock(mutex_);
        files_.push_back({path, part});
    }
    /// When all tasks are over.
    [[nodiscard]] std::vector<hashed_file> take() { return std::move(files_); }

private:
    std::mutex mutex_;
    std::vector<hashed_file> files_;
};

struct work {
    lastly::pool& pool;
    const options& wanted;
    const part_store& parts;
    error_list& errors;
    tally& counts;
    hashed_files& hashed;
    std::atomic<std::uint64_t> next_part{0};

    [[nodiscard]] bool list_is_wanted() const noexcept { return wanted.print || !wanted.output.empty(); }
};

/// Adds a directory's task to a group. Throws what task_group::spawn throws; the task's finalizers have run then.
void spawn_directory(lastly::task_group& group, work& w, std::string path, bool is_top);

/// Waits until everything in the group is over. Neither failures nor a stop are thrown: the members have told them.
void wait_for_all(lastly::task_group& group);

}  // namespace checksum
