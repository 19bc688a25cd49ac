// Fork-join: callables, or the iterations of a loop, that may run at the same time as parts of one task.
// Any thread; cheap on a worker of the pool, where branches lie on the caller's stack and nothing is allocated. Invariants: 1. A call
// returns when each of its branches is over, its finalizers included. 2. A branch that nobody steals runs on its caller's thread.
#pragma once

#include <lastly/detail/fork.hpp>
#include <lastly/detail/loop.hpp>
#include <lastly/pool.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lastly {

namespace detail {

template <class F> inline constexpr bool is_branch = std::is_invocable_v<F, task_context&> || std::is_invocable_v<F>;

// A pool, and where a call names it: a default behind a pack is not to be had.
struct called_pool {
    pool_core& core;
    creation_site site;
    template <class P>
        requires std::convertible_to<P, pool&>
    called_pool(P&& p, creation_site s = creation_site::current()) : core(pool_access::core(static_cast<pool&>(p))), site(s) {}
};

// From a thread that runs no task of the pool.
template <class Body>
void run_as_task(pool_core& pool, creation_site site, const char* name, Body body) {
    frame& f = build_frame<true>(&pool, site, std::move(body), task_name{name});
    submit_frame(pool, f, true);
    handle_access::make_handle<void>(f).get();
}

// Where branches cannot be offered: in order, or as a task.
template <class... Branch>
[[gnu::noinline, gnu::cold]] void fork_elsewhere(run_record* here, pool_core& pool, creation_site site, const std::tuple<Branch...>& all) {
    if (is_run_of(here, pool)) return fork_in_order(*here, all);
    run_as_task(pool, site, "lastly::parallel_invoke", [&] {
        run_record& r = *this_thread.current;
        if (r.forks != nullptr && r.forks->has_room(sizeof...(Branch))) fork(r, *r.forks, all);
        else fork_in_order(r, all);
    });
}

}   // namespace detail

/// Runs every callable, some of them at the same time on other workers of the pool, and returns when all of them are over (B1). Each is a
/// branch of the task that calls: `f(task_context&)`, or `f()`; what it defers there, or with this_task::defer, runs at the branch's
/// end, on its thread (B2). What it returns is dropped.
/// `p` is a lastly::pool&. A branch that waits for another one may wait for ever, since both may be given to one thread.
/// Errors: every branch runs, whatever becomes of the others; then the exception of the lowest-numbered one that threw is rethrown, the
/// others go to the error sink. A stop does not keep a branch from running: it may look itself.
/// Blocking: on a worker, runs branches of this call (W1), then sleeps while another thread takes its place (W2). On a thread that is no
/// worker of the pool, outside its tasks: as one `pool.run()`, with its errors.
/// Thread safety: any thread. Cost: no allocation on a worker; a few nanoseconds a branch that is not stolen.
/// Limits: a worker has 1,024 branches on offer, further ones run in order; 380 to 440 bytes of stack a level of recursion, 700 where they run in order
/// (GCC 12, Clang 19, -O2).
template <class... F>
    requires (detail::is_branch<F> && ...)
[[gnu::always_inline]] inline void parallel_invoke(detail::called_pool p, F&&... f) {
    if constexpr (sizeof...(F) != 0) {
        detail::run_record* const here = detail::this_thread.current;
        detail::branch_deque* const d = detail::can_fork(here, p.core) ? here->forks : nullptr;
        if (d != nullptr && d->has_room(sizeof...(F))) detail::fork(*here, *d, std::tuple{detail::named_branch<F>(f)...});
        else detail::fork_elsewhere(here, p.core, p.site, std::tuple{detail::named_branch<F>(f)...});
    }
}

/// Calls `f(i)`, or `f(i, task_context&)`, once for each i of [first, last), in chunks of `grain` successive values, some of them at the
/// same time on other workers of the pool; returns when all are over. A chunk is a branch (B2): what `f` defers runs at its chunk's end.
/// `f` is shared: it is called from several threads at once. Values have the common type of `first` and `last`.
/// Requires: integers; std::invalid_argument if the common type cannot hold one of the two. An empty range does nothing.
/// Errors: a stop that is seen between two chunks ends the loop with task_cancelled; after a chunk that throws none is started, and its
/// exception is rethrown; those of chunks that ran meanwhile go to the error sink (B3).
/// Blocking, thread safety: as parallel_invoke. Cost: no allocation on a worker; a stop is looked for once a chunk.
/// `grain` 0: about sixteen chunks a worker.
template <class I, class J, class F>
    requires std::integral<I> && std::integral<J> && (!std::same_as<std::common_type_t<I, J>, bool>)
void parallel_for(pool& p, I first, J last, F&& f, std::size_t grain = 0, creation_site site = creation_site::current()) {
    using index = std::common_type_t<I, J>;
    static_assert(std::is_invocable_v<F&, index, task_context&> || std::is_invocable_v<F&, index>, "parallel_for calls f(i), or f(i, task_context&)");
    if (!detail::keeps_value<index>(first) || !detail::keeps_value<index>(last)) {
        throw std::invalid_argument("lastly: parallel_for: one bound does not fit the common type of both; cast them to one type");
    }
    if (static_cast<index>(last) <= static_cast<index>(first)) return;
    detail::pool_core& pool = detail::pool_access::core(p);
    detail::loop<index, std::remove_reference_t<F>> l(static_cast<index>(first), static_cast<index>(last), f, grain, detail::workers_of(pool));
    detail::run_record* const here = detail::this_thread.current;
    if (detail::can_fork(here, pool) || detail::is_run_of(here, pool)) return l.run(*here);
    detail::run_as_task(pool, site, "lastly::parallel_for", [&] { l.run(*detail::this_thread.current); });
}

}   // namespace lastly
