// What became of a run, for the terminal and for report files.
// Plain values.
#pragma once

#include "stress/runner/options.hpp"
#include "stress/witness/judge.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lastly::stress::detail {

enum class end : std::uint8_t { passed, broken, hang, crash, skipped };
const char* to_string(end e) noexcept;   // "passed", "law broken", "hang", "crash", "skipped"

// One round that did not pass.
struct failure {
    end kind = end::broken;
    replay_order replay;
    bool is_of_all_rounds = false;         // shows over all of them; `replay` was the last
    std::uint64_t broken = 0;              // laws broken in it, of which `findings` are the first
    std::vector<finding> findings;
    std::string details;                   // what the processes' states were, or how it crashed: several lines; may be empty
};

struct scenario_result {
    std::string name;
    end kind = end::passed;
    std::string reason;                    // why it was skipped
    std::uint64_t rounds = 0, tasks = 0, finalizers = 0;
    const char* counts = nullptr;          // what it counts besides, if anything: "shutdowns"
    std::uint64_t counted = 0;
    std::chrono::duration<double> time{0};
    std::vector<failure> failures;
    std::string again;                     // arguments that run all of its rounds again
};

// Of all scenarios together.
struct sums {
    std::array<std::uint64_t, 5> ended{};  // scenarios, by `end`
    std::uint64_t rounds = 0, tasks = 0, finalizers = 0;

    std::uint64_t of(end e) const noexcept { return ended[static_cast<std::size_t>(e)]; }
};

struct run_result {
    std::uint64_t seed = 0;
    stress::detail::profile profile = profile::quick;
    std::string build;                     // compiler and sanitizers, in words
    std::vector<scenario_result> scenarios;
    std::chrono::duration<double> time{0};

    int exit_code() const noexcept;        // as run_suite
    sums all() const noexcept;
};

}   // namespace lastly::stress::detail
