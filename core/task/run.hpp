// One run of a task: what compiled code does around the typed parts, and who the running task is.
// The record's own thread; stop_cause and stops_of: any that runs a part of the task. Invariants: 1. A record is on this thread's stack of runs from before the body until after the last
// destructor. 2. An exception of user code never leaves a run.
#pragma once

#include "core/structures/frame_view.hpp"
#include "core/task/anchor.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/frame.hpp"

namespace lastly::detail {

// Puts a record on this thread's stack of runs while it lives.
class run_scope {
public:
    explicit run_scope(run_record& r) noexcept;
    ~run_scope();
    run_scope(const run_scope&) = delete;
    run_scope& operator=(const run_scope&) = delete;
};

// Whoever takes the error next holds it alone (O4).
void forget_errors(run_record& r) noexcept;

// Runs the frame's body, or only its chain if the record says so, and destroys what it captured. Within the record's scope.
// Not noexcept, here and in all that runs it: forced unwinding passes through.
inline void execute(frame& f, run_record& r, const frame_ops& type) {
    type.execute(f, r);
    if (r.is_touched && (r.body_chain.reported != nullptr || r.told_before != nullptr)) forget_errors(r);
}

creation_site site_of(const run_record& r) noexcept;
// The body, or a finalizer, that runs here never goes on (P2): what remains of the run's blocks, branches' chains and chain is run, innermost
// first; a body that was running is cancelled with that cause. Nothing that was left is destroyed.
void abandon(run_record& r, std::error_code cause);
// The sink knows this error from now on: a finalizer of the chain that runs here threw it; or a fork rethrew it.
inline void keep_reported(run_record& r, std::exception_ptr error) noexcept {
    r.chain->reported = std::move(error);
    r.is_touched = r.chain->has_errors = true;
}
inline void keep_told(run_record& r, std::exception_ptr error) noexcept {
    r.told_before = std::move(error);
    r.is_touched = true;
}
// The sink knows this error already.
inline bool is_told(const run_record& r, const std::exception_ptr& error) noexcept { return error != nullptr && (error == r.chain->reported || error == r.told_before); }
// Why the task has to stop; empty: it has not.
std::error_code stop_cause(run_record& r) noexcept;
// What may stop that task besides its handle.
stop_sources stops_of(const run_record& r) noexcept;
error_sink& sink_of(const run_record& r) noexcept;
// Is a task of that pool running on this thread, however deep?
bool runs_task_of(const pool_anchor& a) noexcept;

}   // namespace lastly::detail
