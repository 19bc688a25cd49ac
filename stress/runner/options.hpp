// The command line of a suite.
// One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lastly::stress::detail {

enum class profile { quick, ci, nightly };

// One round to be run again, as a failure block prints it: `NAME:ROUND:SEED:TASKS:WORKERS[:tbb]`; SEED is the run's, in hexadecimal.
struct replay_order {
    std::string scenario;
    std::uint64_t round = 0;
    std::uint64_t seed = 0;
    std::uint64_t tasks = 0;
    unsigned workers = 1;
    bool tbb = false;

    std::string to_text() const;
};

struct options {
    enum class action { run, list, compare, help, version } what = action::run;
    std::vector<std::string> filters;              // shell patterns of names, from --filter, which may be given again and may list several with commas
    std::optional<std::uint64_t> seed;             // none: drawn
    std::uint64_t tasks = 0;                       // of all scenarios together; 0: the profile's. To compare: queued in each line
    std::chrono::seconds duration{0};              // each scenario goes on for so long at least, divided as shares are; 0: as many rounds as `tasks` needs
    unsigned shard = 1, shards = 1;                // scenario i is in shard i modulo `shards`
    stress::detail::profile profile = profile::quick;
    bool tbb = false;
    unsigned workers = 0;                          // 0: 1, 2 and 8 in turn
    bool keep_going = false;                       // after a failure
    std::chrono::seconds hang_after{20};           // without any event; to compare: 5 s unless it is given
    std::string junit, json;                       // files to write
    std::optional<replay_order> replay;
    unsigned times = 20;                           // how often a replayed round is run
};

const char* to_string(profile p) noexcept;
// As --seed and --replay read it: "0x5eed".
std::string seed_text(std::uint64_t seed);
// Tasks of a whole run; sanitized builds run fewer.
std::uint64_t tasks_of(profile p) noexcept;
// Is this build's memory a sanitizer's, with shadows and quarantines of its own?
bool is_sanitized() noexcept;
// Compiler and sanitizers: "GCC 12.2, plain", "Clang 19.1.7, address+undefined".
std::string build_words();

// Errors: std::invalid_argument: the message names the option, what was wrong with it, and what would be right.
// `has_peers`, here and below: there is something to compare, and so there is --compare.
options parse(int argc, const char* const* argv, bool has_peers = false);
// --help, with examples; `program` as it was called.
std::string help(const std::string& program, bool has_peers = false);

}   // namespace lastly::stress::detail
