// A task's end: its error finds somebody, its outcome is published, its waiter is told, its frame goes home.
// The running thread: settle (declared in detail/frame.hpp), then publish. A handle's thread: the functions declared in lastly/detail/handle.hpp.
// Invariants: 1. After the exchange that sets `done`, the running thread touches the frame no more unless it has become its owner.
// 2. The waker's futex call uses the address only.
#pragma once

#include "core/task/anchor.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/frame.hpp"

namespace lastly::detail {

// What was registered after the chain's last look at it, when an error of the task's came to its end. Before the ledger counts.
void run_late(frame& f, run_record& r);
// After the ledger counted the task, within its run: publishes the outcome; frees the frame unless a handle or a husk keeps it.
// What destructors of a result that nobody takes register runs here and is in the record's columns afterwards.
void publish_to_handle(frame& f, run_record& r) noexcept;   // once more if the sink, or the result's destructor, calls exit
// A finished task's error, to the sink of its pool.
void report_unread(pool_anchor& a, frame& f, const outcome& o) noexcept;
// A pool's end: finished tasks that only handles keep; errors that nobody has looked at are reported (E5).
void leave_to_handles(pool_anchor& a);

}   // namespace lastly::detail
