// What is alive in a pool, where it came from, and what a shutdown left.
// Plain values; the names and files they point to have static storage.
#pragma once

#include <lastly/detail/export.hpp>
#include <lastly/ledger.hpp>
#include <lastly/outcome.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace lastly {

enum class task_state { queued, running, finalizing };

/// One task that has not finished.
struct live_task {
    const char* name;                 ///< "" if it has none
    creation_site site;
    task_state state;
    std::chrono::nanoseconds age;     ///< since submission; 10 ms accurate
    unsigned finalizers_pending;      ///< attached and deferred ones that have not begun; at most 65,535 deferred are counted
};

struct task_profile;
LASTLY_EXPORT task_profile operator-(const task_profile& later, const task_profile& earlier);

/// The tasks of a pool by creation site, as `pool::profile()` saw them; or, subtracted, their growth.
///
/// What grows from one profile to the next, round after round, leaks: a wait that nobody ends, a loop that nobody stops, work
/// that comes faster than it is done. `(later - earlier).to_text()` shows it with its place in the source.
/// Lifetime: a plain value, it may outlive the pool; names and files are those given at submission, in static storage.
struct LASTLY_EXPORT task_profile {
    /// How many tasks, and in which states. Signed, because growth may be negative.
    struct counts {
        std::int64_t count = 0;                ///< live tasks: queued + running + finalizing
        std::int64_t queued = 0;               ///< accepted, and neither body nor finalizers have begun
        std::int64_t running = 0;              ///< in their bodies
        std::int64_t finalizing = 0;           ///< in their finalizers, or destroying what they captured
        std::int64_t held = 0;                 ///< finished, kept by a handle only; not in `count`
        std::int64_t finalizers_pending = 0;   ///< of the live tasks: attached and deferred ones that have not begun; at most 65,535 deferred a task
        friend bool operator==(const counts&, const counts&) = default;
    };
    /// The tasks that were created at one place with one name.
    struct group : counts {
        const char* name = "";                      ///< what `named` gave; "" if it gave none
        creation_site site{nullptr, 0};             ///< the call of submit, detach, run or make_task
        creation_site parent{nullptr, 0};           ///< of the task that made these tasks' group; `file` is null where that is not known
        std::chrono::nanoseconds oldest_age{0};     ///< since submission, of the oldest one, `held` ones included; 10 ms accurate
    };

    std::string pool;            ///< the pool's name
    bool growth = false;         ///< a difference: numbers are growth, ages are those of the later profile
    counts total;                ///< the groups' sum
    std::vector<group> groups;   ///< those with most tasks (`count` + `held`) first, of these the oldest

    /// For people: a line of totals, then one line for each group, in columns. Zeros are shown as `-`, growth with its sign.
    /// The layout may change; programs read the fields. Errors: std::bad_alloc. Cost: linear in the number of groups.
    std::string to_text() const;

    /// Growth by site and name (compared as text). Exact: each number is later minus earlier, so `a - b` is `b - a` with every
    /// sign turned. Groups of which no number changed are left out; those that shrank have negative numbers and come last.
    /// `pool` is the later one's. Errors: std::bad_alloc.
    friend task_profile operator-(const task_profile& later, const task_profile& earlier);
};

/// What `shutdown` and `shutdown_now` return (S1, S2).
struct shutdown_report {
    bool complete;                          ///< the pool is closed: every accepted task has finished
    ledger_snapshot ledger;                 ///< balanced if complete
    std::vector<live_task> still_running;   ///< tasks whose body or finalizers were running when the call returned
};

}   // namespace lastly
