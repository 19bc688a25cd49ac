// How a run is shown: lines on a terminal or in a log, and report files for CI.
// One thread.
#pragma once

#include "stress/runner/results.hpp"

#include <cstdint>
#include <cstdio>
#include <string>

namespace lastly::stress::detail {

// What goes to a stream while the run goes on. On a terminal a bar that is redrawn at most ten times a second; elsewhere a line at the
// beginning and the end of each scenario, and one every 15 s.
class progress {
public:
    progress(std::FILE* to, bool is_terminal, std::size_t name_width);
    void begin(const std::string& scenario, std::uint64_t tasks_planned, std::size_t number, std::size_t of);
    void advance(std::uint64_t rounds, std::uint64_t tasks);   // of this scenario, so far
    void end(const scenario_result& r);

private:
    void draw(std::uint64_t rounds, std::uint64_t tasks) const;
    std::string label() const;                                 // "[ 3/24] cancel-storm  "

    std::FILE* to_;
    bool is_terminal_;
    std::size_t name_width_;
    std::string name_;
    std::uint64_t planned_ = 0;
    std::size_t number_ = 0, of_ = 0;
    std::chrono::steady_clock::time_point began_{}, drawn_{};
};

std::string exact(std::uint64_t n);   // "12,345,678"
// The one command that runs what failed again: its round, or all of the scenario's.
std::string replay_command(const std::string& program, const scenario_result& r, const failure& f);
// The block for one failure: which law, what was seen, and the one command that runs that round again.
std::string failure_block(const std::string& program, const scenario_result& r, const failure& f);
// The last lines: what was run, and how it ended.
std::string summary(const run_result& r);

std::string junit(const run_result& r, const std::string& program);   // XML
std::string json(const run_result& r, const std::string& program);
// Errors: std::system_error, which names the file.
void write_file(const std::string& path, const std::string& text);

}   // namespace lastly::stress::detail
