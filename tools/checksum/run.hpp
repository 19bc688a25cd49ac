// One run: the task of the top directory is spawned, the main thread waits, cancels or sees the pool closed.
// The pool lives and dies inside hash_tree(); nothing of it is left afterwards. Main thread only.
#pragma once

#include <system_error>
#include <vector>

#include <lastly/lastly.hpp>

#include "directory.hpp"
#include "errors.hpp"
#include "options.hpp"
#include "parts.hpp"
#include "progress.hpp"
#include "tally.hpp"

namespace checksum {

struct run_result {
    std::vector<hashed_file> hashed;        // the files for the list, in no order; none where no list is wanted
    tally::counts counts;
    bool stopped = false;                   // --cancel-after or --abort-after took effect
    int signal = 0;                         // stopped because this signal came
    double seconds = 0;
    unsigned workers = 0;
    lastly::ledger_snapshot ledger{};
};

/// Hashes the tree into part files. Errors of single files and directories go to `errors`; throws std::system_error if
/// the pool, or the timer of a deadline, cannot be made.
[[nodiscard]] run_result hash_tree(const options& o, const part_store& parts, error_list& errors, progress& bar);

}  // namespace checksum
