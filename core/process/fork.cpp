// See fork.hpp, and README.md here.
#include "core/process/fork.hpp"

#include "core/base/process.hpp"
#include "core/process/coordinator.hpp"
#include "core/process/crash.hpp"
#include "core/process/signals.hpp"
#include "core/sched/living.hpp"
#include "core/task/inherit.hpp"
#include "lastly/detail/fault.hpp"

namespace lastly::detail {

namespace {

void before() {
    hold_crash_callables();
    hold_living();
    hold_tasks_for_fork();
}
void in_parent() {
    release_tasks_after_fork(false);
    release_living(false);
    release_crash_callables(false);
}
void in_child() {
    note_fork();
    if (!LASTLY_FAULT("P6")) disown_runs();
    release_tasks_after_fork(true);
    release_living(!LASTLY_FAULT("P6"));
    release_crash_callables(true);
    forget_guard();
    forget_the_end();
}

}   // namespace

bool guard_fork() noexcept {
    static const bool is_guarded = on_fork(&before, &in_parent, &in_child);
    return is_guarded;
}

namespace {
[[maybe_unused]] const bool from_the_start = guard_fork();   // tasks and deadlines may be made, and a fork come, before there is a pool
}   // namespace

}   // namespace lastly::detail
