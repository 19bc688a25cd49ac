// What is alive in a pool, and what a shutdown left.
// Plain values; the names and files they point to have static storage.
#pragma once

#include <lastly/ledger.hpp>
#include <lastly/outcome.hpp>

#include <chrono>
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

/// What `shutdown` and `shutdown_now` return (S1, S2).
struct shutdown_report {
    bool complete;                          ///< the pool is closed: every accepted task has finished
    ledger_snapshot ledger;                 ///< balanced if complete
    std::vector<live_task> still_running;   ///< tasks whose body or finalizers were running when the call returned
};

}   // namespace lastly
