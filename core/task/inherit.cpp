// See inherit.hpp.
#include "core/task/inherit.hpp"

#include "core/base/process.hpp"
#include "core/task/anchor.hpp"
#include "core/task/context.hpp"
#include "core/task/group.hpp"
#include "core/task/run.hpp"
#include "core/task/state.hpp"
#include "core/task/timers.hpp"
#include "lastly/detail/defer_frame.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/fork.hpp"
#include "lastly/detail/thread_block.hpp"

namespace lastly::detail {

namespace {

void end_child_instead(chain_node&, const outcome&) { end_child(); }

// Stands first in every chain of the parent's that this thread could come back to.
constinit chain_node stop_here{nullptr, &end_child_instead, nullptr, 0};

}   // namespace

void hold_tasks_for_fork() noexcept {
    hold_anchors();
    group_store::hold_growth();
    hold_timers();
}

void release_tasks_after_fork(bool in_child) noexcept {
    if (in_child) forget_kept_frames();
    release_timers(in_child);
    group_store::release_growth();
    release_anchors();
}

void disown_runs() noexcept {
    if (LASTLY_FAULT("P6-chain")) return;
    for (run_record* r = this_thread.current; r != nullptr; r = r->outer) {
        r->is_touched = true;
        for (chain_state* c = r->chain; c != nullptr; c = c->outer) c->deferred = &stop_here;
        for (inner_chain* c = r->inner; c != nullptr; c = c->outer) c->deferred = &stop_here;
    }
    this_thread.current = nullptr;
    this_thread.staying = nullptr;
}

}   // namespace lastly::detail
