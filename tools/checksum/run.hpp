// One run: the walk submits a task a file, the main thread waits, cancels or sees the pool closed, then asks every
// handle what became of its file. The pool lives and dies inside hash_tree(); nothing of it is left afterwards.
// Main thread only, but for the tally and the error list, which the tasks' finalizers use.
#pragma once

#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include <lastly/lastly.hpp>

#include "errors.hpp"
#include "options.hpp"
#include "parts.hpp"
#include "progress.hpp"

namespace checksum {

struct hashed_file {
    std::string path;
    std::uint64_t part;             // the number of its part file
};

struct run_result {
    std::vector<hashed_file> hashed;        // the tasks that succeeded, in no order
    std::uint64_t bytes = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t rejected = 0;
    bool stopped = false;                   // --cancel-after or --abort-after took effect
    bool part_failed = false;               // stopped because a part file could not be written
    int signal = 0;                         // stopped because this signal came
    double seconds = 0;
    unsigned workers = 0;
    lastly::ledger_snapshot ledger{};
};

/// Hashes the tree into part files. Errors of single files go to `errors`; throws std::system_error if the pool
/// cannot be made.
[[nodiscard]] run_result hash_tree(const options& o, const part_store& parts, error_list& errors, progress& bar);

}  // namespace checksum
