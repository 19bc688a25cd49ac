// What task_group asks of compiled code: a group's life, its members' way in, its end.
// Any thread, as each line says; the counting in core/task/group.hpp, the waiting in core/sched/README.md.
#pragma once

#include <lastly/context.hpp>
#include <lastly/detail/frame.hpp>

#include <exception>
#include <vector>

namespace lastly::detail {


// A group for tasks of that pool. A null parent: the context of the task that runs on this thread, if there is one.
LASTLY_EXPORT group_core& open_group(pool_core& pool, bool fail_fast, const context* parent);
// Complete or not: cancels what is left, waits, and tells the sink what nobody has taken.
LASTLY_EXPORT void close_group(pool_core& pool, group_core& g) noexcept;
LASTLY_EXPORT void spawn_frame(pool_core& pool, group_core& g, frame& f, bool with_handle);   // throws task_rejected after the chain ran
LASTLY_EXPORT bool cancel_group(group_core& g, std::error_code cause) noexcept;
// W1 to W4. Then the errors of its members, the first one first, are in `failures`; throws as task_group::wait does.
LASTLY_EXPORT void wait_for_group(pool_core& pool, group_core& g, std::vector<std::exception_ptr>& failures);

}   // namespace lastly::detail
