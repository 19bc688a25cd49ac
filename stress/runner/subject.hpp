// The process under test, as its judge sees it: started, given rounds, watched from outside, ended.
// One thread.
#pragma once

#include "stress/witness/judge.hpp"

#include <lastly/stress/suite.hpp>

#include <chrono>
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace lastly::stress::detail {

class subject {
public:
    // Starts this program again, as a child for one scenario, and waits until it is ready. Errors: std::system_error, std::runtime_error.
    subject(const scenario& s, const arena& witness);
    // Ends it at once if it has not ended.
    ~subject();
    subject(const subject&) = delete;
    subject& operator=(const subject&) = delete;

    // One round, as the arena's header orders it. hung: nothing happened in the arena for as long as that.
    round_end run_round(std::chrono::seconds hang_after);
    // Lets it return from main, and waits for that. Returns: how it ended, in words; empty: well.
    std::string finish(std::chrono::seconds limit);
    // After `process_ended`: how it ended, in words.
    std::string last_words();
    // After `hung`: its pools' profiles go to stderr; returns each thread's name, state and what it waits in.
    std::string show_hang();

    // What is there beyond what was there before the first round; waits a little for threads that are just leaving. Empty: nothing.
    std::string leftovers();
    std::uint64_t resident_bytes() const;

private:
    unsigned count_entries(const char* what) const;
    std::string reap(int options);

    const arena& witness_;
    pid_t process_ = -1;
    int socket_ = -1, questions_ = -1;
    unsigned threads_ = 0, descriptors_ = 0;   // before the first round
};

}   // namespace lastly::stress::detail
