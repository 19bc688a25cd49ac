// The laws, and which of them a round broke. Runs in the judge's process, while the other one waits or is gone.
// One thread.
#pragma once

#include "stress/witness/arena.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lastly::stress::detail {

// One broken law: its rule numbers in core/contract.md, and what was seen.
struct finding {
    std::string law;
    std::string what;
};

struct verdict {
    std::uint64_t tasks = 0;              // cells that were used
    std::uint64_t finalizers = 0;         // that ran
    std::uint64_t broken = 0;             // laws broken, all of them
    std::vector<finding> findings;        // the first few of each law

    void add(std::string law, std::string what);
    bool holds() const noexcept { return broken == 0; }
};

// How the process under test left the round.
enum class round_end { finished, hung, process_ended };

// Judges each cell and, of a round that finished, their sums against the ledgers that it handed over. Where the process ended nobody was left to
// be told.
verdict judge(const arena& witness, round_end how);

// A number of everything that has happened: changes as long as tasks make progress.
std::uint64_t progress_of(const arena& witness) noexcept;

}   // namespace lastly::stress::detail
