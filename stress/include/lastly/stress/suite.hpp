// A program of scenarios: each runs in a process of its own, and another one judges what it leaves behind.
// One thread, called from main.
#pragma once

#include <lastly/stress/round.hpp>

#include <cstdint>
#include <span>

namespace lastly::stress {

/// One way of treating a pool, run in rounds.
struct scenario {
    const char* name;                     ///< letters, digits, '-'
    const char* about;                    ///< one line for --list
    void (*run)(round&);                  ///< one round: submits about `tasks()` tasks, and is back when they are over
    std::uint64_t round_tasks = 16384;    ///< tasks of a round
    unsigned share = 10;                  ///< of the whole run's tasks, compared with the other scenarios' shares
    unsigned spare = 0;                   ///< cells beyond `tasks()` that a round may need, in hundredths of it
    unsigned ci_seconds = 0;              ///< goes on for so long at least in profile ci, ten times as long in nightly
    bool flat_memory = false;             ///< resident memory has to stay flat over the rounds
    bool forks = false;                   ///< its rounds fork processes: the one that runs them has no other thread
    const char* counts = nullptr;         ///< what `round::count_one` counts, shown beside the tasks: "shutdowns"
    unsigned ways = 0;                    ///< so many ways, at most 16, does that tell apart: each has to come 100 times, 1,000 in profile nightly, unless the run's size was told
    const char* may_be_skipped = nullptr; ///< why it may have nothing to do; without it, a scenario that was skipped has failed
};

/// Runs what the command line asks for; see --help. `peers`: what --compare shows, if there are any; each is one line of a table: its name is
/// PEER/ENDING, or PEER/ENDING/FORM for a further form of it, with '-' for a blank; `about` says how it ends; `run` hands over about `tasks()`
/// tasks, each with one attached finalizer or what stands for it, and ends them; it may end the process, too.
/// Returns main's exit code: 0 all laws held, or the table was shown, 1 a law was broken or a scenario skipped that may not be, 2 usage, 3 a
/// scenario hung, 4 it crashed, 77 nothing was run.
/// Requires: called from main before any thread was started; the program starts itself again for each scenario, with LASTLY_STRESS_CHILD in
/// its environment.
int run_suite(int argc, char** argv, std::span<const scenario> scenarios, std::span<const scenario> peers = {});

}   // namespace lastly::stress
