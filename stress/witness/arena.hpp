// Memory that the judge and the process under test share: the order for a round, what the round hands back, and the cells.
// The judge writes the order and clears the rest while the other process waits; that one's threads write the rest with relaxed additions.
#pragma once

#include <lastly/stress/cell.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lastly::stress::detail {

// The ledger's columns, in its order.
enum class column : std::size_t { attempts, accepted, rejected, succeeded, failed, cancelled, attached, run, returned, thrown, live, count };

constexpr std::size_t most_ways = 16;

struct arena_header {
    // The order.
    std::uint64_t round = 0;
    std::uint64_t seed = 0;         // of the round
    std::uint64_t tasks = 0;
    std::uint64_t room = 0;
    unsigned workers = 1;
    bool tbb = false;
    std::uint64_t chaos = 0;        // seed of the delays at test points; 0: none
    bool one_cpu = false;           // every thread on the same one
    std::uint64_t turn = 0;         // one more for each round of this process: tells blocks of cells apart

    // What comes back.
    alignas(64) std::atomic<std::uint64_t> next_cell{0};
    alignas(64) std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(column::count)> books{};
    std::array<std::atomic<std::uint64_t>, 16> reports{};
    std::atomic<std::uint64_t> lawful_reports{0};   // kinds, as bits, that the scenario brings about itself
    std::atomic<std::uint64_t> held_up{0};          // how often a thread was, at a test point
    std::array<std::atomic<std::uint64_t>, most_ways> counted{};   // of what the scenario counts, by its ways
    std::atomic<std::uint64_t> refused_attempts{0};
    std::atomic<bool> is_unsupported{false};   // this build cannot do what the round asks for; `rule` says what
    std::atomic<std::uint64_t> rules_broken{0};
    char rule[400]{};               // the first of them
};

// `file` is a memory file of its own; the mapping ends with the object.
class arena {
public:
    /// Errors: std::system_error.
    static arena make(std::uint64_t cells);
    static arena open(int file);
    arena(arena&& o) noexcept;
    arena& operator=(arena&&) = delete;
    ~arena();

    arena_header& header() const noexcept { return *header_; }
    cell* cells() const noexcept { return cells_; }
    std::uint64_t room() const noexcept { return room_; }
    int file() const noexcept { return file_; }

    // Makes the cells that were used, and what came back, as new.
    void clear() noexcept;
    std::uint64_t used() const noexcept;

private:
    arena(int file, std::uint64_t cells, bool fresh);

    int file_;
    std::uint64_t room_;
    std::size_t bytes_;
    arena_header* header_;
    cell* cells_;
};

}   // namespace lastly::stress::detail
