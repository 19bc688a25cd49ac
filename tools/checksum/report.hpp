// What the program says at its end, as text: how it went, the ledger, and what was left behind.
// Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "options.hpp"
#include "run.hpp"

namespace checksum {

struct leftovers {
    std::size_t descriptors = 0;
    std::uint64_t part_files = 0;
    [[nodiscard]] bool any() const noexcept { return descriptors != 0 || part_files != 0; }
};

[[nodiscard]] std::string summary_text(const options& o, const run_result& r);
[[nodiscard]] std::string ledger_text(const lastly::ledger_snapshot& ledger);
[[nodiscard]] std::string leftovers_text(const leftovers& l);

}  // namespace checksum
