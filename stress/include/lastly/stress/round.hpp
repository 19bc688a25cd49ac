// What a scenario is given: cells for its tasks, numbers to draw, the pool's options, and where to hand what it saw to the judge.
// next, check and the sink of options(): any thread. The others: the thread that runs the scenario.
#pragma once

#include <lastly/lastly.hpp>
#include <lastly/stress/cell.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lastly::stress {

namespace detail {
struct arena_header;
}

/// Numbers that follow from a seed alone (splitmix64; Steele, Lea, Flood 2014).
class random_numbers {
public:
    using result_type = std::uint64_t;
    explicit random_numbers(std::uint64_t seed) noexcept : state_(seed) {}
    static constexpr result_type min() noexcept { return 0; }
    static constexpr result_type max() noexcept { return ~result_type{0}; }
    result_type operator()() noexcept {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    /// 0 to n - 1. Requires: n > 0.
    std::uint64_t below(std::uint64_t n) noexcept { return (*this)() % n; }
    /// True once in n times.
    bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }

private:
    std::uint64_t state_;
};

/// One round of a scenario: some thousand tasks, after which the judge looks at every cell, every thread and every descriptor.
class round {
public:
    round(detail::arena_header& shared, cell* cells) noexcept : shared_(shared), cells_(cells) {}
    round(const round&) = delete;
    round& operator=(const round&) = delete;

    /// How many tasks the scenario is asked for; it may use up to `room()`.
    std::uint64_t tasks() const noexcept;
    std::uint64_t room() const noexcept;
    unsigned workers() const noexcept;
    std::uint64_t index() const noexcept;
    /// Numbers of this round; another stream for each thread that draws.
    random_numbers random(std::uint64_t stream = 0) const noexcept;

    /// A cell for one more task. Ends the program with a message if the scenario uses more than `room()`. Cost: an addition that threads share.
    cell& next() noexcept;

    /// In a process that the scenario has forked, before the first `next` there: it gets cells of its own. Their plans are `unbooked`.
    void renew() noexcept;

    /// As many workers as the round has, its engine, and a sink that counts what it is told.
    pool_options options() const;
    /// What the sinks of this round's pools were told, of one kind.
    std::uint64_t reports(report_kind kind) const noexcept;

    /// This round brings about what is reported so. Reports of overdue finalizers, long chains, lost workers and missing stand-ins break a
    /// law unless it does.
    void may_be_reported(report_kind kind) noexcept;

    /// Shuts the pool down in order and hands its ledger to the judge. Requires: the scenario keeps no handle.
    void close(pool& p);
    /// What a shutdown without a limit returned: it has to be complete, with as many tasks held as the scenario keeps handles (empty: unknown); the
    /// ledger goes to the judge.
    void finish(const shutdown_report& end, std::optional<std::uint64_t> held = 0);
    /// Hands a closed pool's ledger to the judge, who compares their sum with what the cells say.
    void balance(const ledger_snapshot& books) noexcept;
    /// try_submit refused a task, which is intact: an attempt that the ledger rejects, and that is in no cell (A2).
    void refused_attempt() noexcept;
    /// One more of what the scenario counts (`scenario::counts`). Requires: `way` < 16. Any thread.
    void count_one(unsigned way = 0) noexcept;

    /// A rule that the scenario itself can see. The first that is broken is shown, by its text: "W4: ...".
    void check(bool holds, const char* rule) noexcept;

private:
    detail::arena_header& shared_;
    cell* cells_;
};

/// While it lives, a hang shows this pool's profile and ledger. Requires: the pool lives longer.
class watch {
public:
    explicit watch(const pool& p);
    ~watch();
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;

private:
    const pool& pool_;
};

}   // namespace lastly::stress
