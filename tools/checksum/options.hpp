// The command line of lastly-checksum. Called by main before any thread exists.
// What can be known to be wrong before the work begins is refused here, each time with what to do instead.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace checksum {

struct options {
    std::string directory = "/usr/share";
    std::string temp;                           // where the run makes its own directory
    std::string output;                         // empty: no file is written
    unsigned workers = 0;                       // 0: as many as the pool thinks right
    std::optional<std::uint64_t> cancel_after;
    std::optional<std::uint64_t> abort_after;
    std::optional<std::chrono::nanoseconds> deadline;     // from the start of the walk
    bool print = false;
    bool quiet = false;
    bool help = false;
    bool version = false;
};

/// A command line that cannot be followed; what() names what is wrong and what to do.
class bad_option : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Parses and checks; throws bad_option. With help or version set, nothing else is checked.
[[nodiscard]] options parse_options(int argc, const char* const* argv);

[[nodiscard]] std::string help_text();

}  // namespace checksum
