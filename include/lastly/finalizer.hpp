// What may follow the body in submit, detach, spawn and make_task: finalizers, a name, and a context (context.hpp).
// Attachments are values; they move into the task's frame at submission.
#pragma once

#include <lastly/detail/attachments.hpp>

#include <type_traits>
#include <utility>

namespace lastly {

/// A finalizer: runs once the task is over, whatever became of its body (G1, G2).
/// Several run last listed first, after the deferred ones (O2). `f` may take `result<T>&` (and edit it), `const outcome&`, or nothing, tried in
/// this order. An exception goes to the error sink, and a task that had succeeded fails with it; the others run (E4).
/// Nothing runs after `_Exit`, `abort`, SIGKILL or a power cut (P7). Cost: a move into the task's frame.
template <class F>
[[nodiscard]] auto finally(F&& f) { return detail::finalizer<std::decay_t<F>, detail::when::always>{std::forward<F>(f)}; }
/// A finalizer that acts only if the task succeeded so far. It counts as run either way.
template <class F>
[[nodiscard]] auto on_success(F&& f) { return detail::finalizer<std::decay_t<F>, detail::when::on_success>{std::forward<F>(f)}; }
/// A finalizer that acts only if the task failed. It counts as run either way.
template <class F>
[[nodiscard]] auto on_failure(F&& f) { return detail::finalizer<std::decay_t<F>, detail::when::on_failure>{std::forward<F>(f)}; }
/// A finalizer that acts only if the task was cancelled or rejected. It counts as run either way.
template <class F>
[[nodiscard]] auto on_cancelled(F&& f) { return detail::finalizer<std::decay_t<F>, detail::when::on_cancelled>{std::forward<F>(f)}; }

/// The task's name in reports. Requires: `literal` has static storage. At most one a task.
[[nodiscard]] inline detail::task_name named(const char* literal) { return {literal}; }

}   // namespace lastly
