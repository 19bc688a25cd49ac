// One scenario's trial: its rounds in a process of their own, each judged.
// One thread.
#pragma once

#include <lastly/stress/suite.hpp>

#include "stress/runner/report.hpp"
#include "stress/runner/results.hpp"

#include <cstdint>

namespace lastly::stress::detail {

// Of round `index` of a scenario, in a run with this seed.
std::uint64_t round_seed(std::uint64_t run_seed, const char* scenario, std::uint64_t index) noexcept;

struct trial_plan {
    std::uint64_t rounds = 1;
    std::uint64_t round_tasks = 1;
    std::chrono::duration<double> at_least{0};   // goes on with further rounds until then
    std::uint64_t of_each_way = 0;               // and until so many of each of the scenario's ways were counted
};

// Until the rounds are over, or the first failure unless options say to go on: then in a new process.
scenario_result run_trial(const scenario& s, const options& o, std::uint64_t run_seed, trial_plan plan, progress& shown);
// The one round that the options name, as often as they say; the result's failures are the times when a law was broken.
scenario_result run_replay(const scenario& s, const options& o, progress& shown);

}   // namespace lastly::stress::detail
