// --compare: each peer in each way of ending, in a process of its own, and what became of its tasks by the witness's account.
// One thread.
#pragma once

#include <lastly/stress/suite.hpp>

#include "stress/runner/options.hpp"
#include "stress/witness/arena.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace lastly::stress::detail {

// One line of the comparison. Counts are of tasks, each of which has one cleanup and at most one waiter.
struct compared {
    std::string ending, peer, how;         // from its scenario's name, ENDING and PEER, and its text
    std::uint64_t accepted = 0, begun = 0;
    std::uint64_t cleaned = 0;             // whose cleanup ran
    std::uint64_t cleaned_again = 0;       // whose cleanup ran more than once
    std::uint64_t waiters = 0, untold = 0; // none and none if the process ended before they could be asked
    std::uint64_t told_early = 0;          // whose waiter was told, and the cleanup ran then
    std::string end;                       // of the process, in words; empty: well, be it in the middle of the round

    std::uint64_t lost() const noexcept { return accepted - cleaned; }
    // "loses nothing", or what was lost or went wrong, or how the process ended.
    std::string verdict() const;
};

// What each line is given: as the options say, else 1,000 and 2.
std::uint64_t compared_tasks(const options& o) noexcept;
unsigned compared_workers(const options& o) noexcept;

// One of which nothing but its scenario is known.
compared described(const scenario& s);
// Adds what the witness says. `process_ended`: nobody was left to be told.
void count(const arena& witness, bool process_ended, compared& into);
// Runs one. Errors: std::system_error.
compared compare_one(const scenario& s, const options& o);
// Those that are given, by way of ending, in the order in which ways first come; `begins(scenario, number)` is told of each before it is run.
std::vector<compared> compare(std::span<const scenario* const> peers, const options& o,
                              const std::function<void(const scenario&, std::size_t)>& begins);

// What the table is about, in words.
std::string comparison_head(const options& o);
// Markdown, aligned for a terminal.
std::string table(const std::vector<compared>& lines);
std::string json(const std::vector<compared>& lines, const options& o);   // report_files.cpp

}   // namespace lastly::stress::detail
