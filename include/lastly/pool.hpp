// The pool: workers that run tasks, and the guarantee that every task's finalizers run, as long as the process lives: after `_Exit`, `abort`,
// SIGKILL or a power cut no code of a process runs (P7).
// Any thread may call any member at any time; destruction must not race with other calls from outside.
#pragma once

#include <lastly/ledger.hpp>
#include <lastly/options.hpp>
#include <lastly/profile.hpp>
#include <lastly/task.hpp>

namespace lastly {

class pool;
namespace detail {
struct pool_access {
    static pool_core& core(pool& p) noexcept;
};
}   // namespace detail

/// A work-stealing task pool. Neither copied nor moved.
class LASTLY_EXPORT pool {
public:
    /// Effects: starts the workers. Errors: std::invalid_argument for an option out of range (the message names it);
    /// std::system_error if a worker cannot be started, those started are joined (S5), or if the engine is not in this build.
    explicit pool(pool_options options = {});
    pool(const pool&) = delete;
    pool& operator=(const pool&) = delete;
    /// Effects: as `on_destroy` says: drains, or cancels what has not run. Blocking: without limit, until every chain has run;
    /// stderr says after 5 s, and then ever more rarely, what is waited for (S3). On one of its own workers it closes and returns; the last
    /// worker frees it (S4): tasks that still run must not use the object, this_task::submit serves them.
    ~pool();

    /// Submits a task: `body(task_context&)`, or `body()`, is called once, as an rvalue. Behind it may follow, in any order, at most 12 of:
    /// finalizers, one `named`, one `lastly::context` to observe.
    /// Requires: destructors of body, captures and result do not throw (O3: the process would be terminated).
    /// Effects: accepted, or rejected: then its whole chain has run on this thread (A1). Returns: the handle.
    /// Errors: task_rejected with pool_closed, pool_full, not_enough_memory or, after a wait for room, the cause that stopped its context, its
    /// group or the caller's task; std::bad_alloc if not even that can be made; an exception of moving the body or a finalizer in (their
    /// chain has run, construction_failed).
    /// Blocking: never, but for a full pool: overflow::block makes callers from outside wait; caller_runs runs the task here, so the caller
    /// must hold no lock that it takes (A5). Cost: one allocation from the frame store. Limits: 16 MiB a task, its result included.
    template <class Body, class A1 = detail::none, class A2 = detail::none, class A3 = detail::none, class A4 = detail::none,
              class A5 = detail::none, class A6 = detail::none, class A7 = detail::none, class A8 = detail::none,
              class A9 = detail::none, class A10 = detail::none, class A11 = detail::none, class A12 = detail::none,
              class R = detail::body_result_t<Body>>
    auto submit(Body&& body, A1&& a1 = {}, A2&& a2 = {}, A3&& a3 = {}, A4&& a4 = {}, A5&& a5 = {}, A6&& a6 = {}, A7&& a7 = {},
                A8&& a8 = {}, A9&& a9 = {}, A10&& a10 = {}, A11&& a11 = {}, A12&& a12 = {},
                creation_site site = creation_site::current()) -> task_handle<R> {
        detail::frame& f = detail::build_frame<true>(
            core_, site, std::forward<Body>(body), std::forward<A1>(a1), std::forward<A2>(a2), std::forward<A3>(a3),
            std::forward<A4>(a4), std::forward<A5>(a5), std::forward<A6>(a6), std::forward<A7>(a7), std::forward<A8>(a8),
            std::forward<A9>(a9), std::forward<A10>(a10), std::forward<A11>(a11), std::forward<A12>(a12));
        detail::submit_frame(*core_, f, true);
        return detail::handle_access::make_handle<R>(f);
    }

    /// As submit, without a handle: an error goes to the sink (E5). The cheapest way in.
    template <class Body, class A1 = detail::none, class A2 = detail::none, class A3 = detail::none, class A4 = detail::none,
              class A5 = detail::none, class A6 = detail::none, class A7 = detail::none, class A8 = detail::none,
              class A9 = detail::none, class A10 = detail::none, class A11 = detail::none, class A12 = detail::none,
              class R = detail::body_result_t<Body>>
    void detach(Body&& body, A1&& a1 = {}, A2&& a2 = {}, A3&& a3 = {}, A4&& a4 = {}, A5&& a5 = {}, A6&& a6 = {}, A7&& a7 = {},
                A8&& a8 = {}, A9&& a9 = {}, A10&& a10 = {}, A11&& a11 = {}, A12&& a12 = {},
                creation_site site = creation_site::current()) {
        detail::frame& f = detail::build_frame<false>(
            core_, site, std::forward<Body>(body), std::forward<A1>(a1), std::forward<A2>(a2), std::forward<A3>(a3),
            std::forward<A4>(a4), std::forward<A5>(a5), std::forward<A6>(a6), std::forward<A7>(a7), std::forward<A8>(a8),
            std::forward<A9>(a9), std::forward<A10>(a10), std::forward<A11>(a11), std::forward<A12>(a12));
        detail::submit_frame(*core_, f, false);
    }

    /// Submits a task made before. Errors: as above; std::logic_error for an empty task. Cost: no allocation.
    template <class T>
    task_handle<T> submit(task<T>&& t) {
        detail::frame& f = detail::handle_access::checked(t);
        detail::handle_access::hand_over(t);
        detail::submit_frame(*core_, f, true);
        return detail::handle_access::make_handle<T>(f);
    }
    /// The same without a handle.
    template <class T>
    void detach(task<T>&& t) {
        detail::frame& f = detail::handle_access::checked(t);
        detail::handle_access::hand_over(t);
        detail::submit_frame(*core_, f, false);
    }
    /// Submits a task unless that would reject it or block: then the task stays intact and the code says why (A2).
    /// With a null `handle` an accepted task is detached. Runs nothing. Errors: std::logic_error for an empty task.
    template <class T>
    [[nodiscard]] std::error_code try_submit(task<T>&& t, task_handle<T>* handle = nullptr) {
        detail::frame& f = detail::handle_access::present(t);
        if (detail::is_inherited(f)) return errc::forked;   // it stays the parent's
        const std::error_code refused = detail::try_submit_frame(*core_, f, handle != nullptr);
        if (!refused) {
            detail::handle_access::hand_over(t);
            if (handle != nullptr) *handle = detail::handle_access::make_handle<T>(f);
        }
        return refused;
    }
    /// Submits and waits: the result or the exception. Blocking: as task_handle::wait.
    template <class Body, class A1 = detail::none, class A2 = detail::none, class A3 = detail::none, class A4 = detail::none,
              class A5 = detail::none, class A6 = detail::none, class A7 = detail::none, class A8 = detail::none,
              class A9 = detail::none, class A10 = detail::none, class A11 = detail::none, class A12 = detail::none,
              class R = detail::body_result_t<Body>>
    auto run(Body&& body, A1&& a1 = {}, A2&& a2 = {}, A3&& a3 = {}, A4&& a4 = {}, A5&& a5 = {}, A6&& a6 = {}, A7&& a7 = {},
             A8&& a8 = {}, A9&& a9 = {}, A10&& a10 = {}, A11&& a11 = {}, A12&& a12 = {},
             creation_site site = creation_site::current()) -> R {
        return submit(std::forward<Body>(body), std::forward<A1>(a1), std::forward<A2>(a2), std::forward<A3>(a3),
                      std::forward<A4>(a4), std::forward<A5>(a5), std::forward<A6>(a6), std::forward<A7>(a7),
                      std::forward<A8>(a8), std::forward<A9>(a9), std::forward<A10>(a10), std::forward<A11>(a11),
                      std::forward<A12>(a12), site).get();
    }

    /// Rejects what comes from outside from now on; what was accepted runs. Returns at once.
    void close();
    /// Waits for a moment at which nothing is unfinished (W5). Errors: resource_deadlock_would_occur inside a task, a worker hook or the error
    /// sink of this pool (W4).
    void wait_idle();
    /// Orderly end: closes and runs everything accepted; waits for at most `limit` (S1, S2). Idempotent.
    /// Inside a task, a worker hook or the error sink of this pool, or on a thread that is just ending it: closes and returns at once, not complete.
    /// Errors: std::bad_alloc, when it is not complete, if the list of what still runs cannot be made; call it again.
    /// Limits: `limit` covers bodies, finalizers, the worker hooks and the error sink. At the very end the workers' threads are joined:
    /// destructors of the user's own thread_local objects on them are waited for without a limit.
    shutdown_report shutdown(std::chrono::nanoseconds limit = forever);
    /// Abrupt end: closes, cancels every task with errc::pool_shutdown, runs the chains of those not started (the caller helps),
    /// waits for running bodies for at most `limit` (S1, S2). Idempotent; may follow an orderly one. Inside a task of this pool it closes,
    /// cancels, and returns at once, not complete. Blocking: runs stop callbacks (C6) and chains on this thread; the chain that it is in when
    /// `limit` passes is finished first, and a `limit` of 0 helps with none. Else limits as for shutdown.
    shutdown_report shutdown_now(std::chrono::nanoseconds limit = forever);

    /// The account (L1 to L5). Cost: reads every thread's counters, and walks the frame store for `held`.
    ledger_snapshot ledger() const;
    /// The unfinished tasks, and the finished ones that handles keep, by creation site. Returns: a task that is there during the whole
    /// call is counted once, in a state that it had meanwhile; one that comes or goes meanwhile is counted or not, so that the groups
    /// are a moment apart while tasks move. What is not accepted is no task of the pool: `task` objects, refused submissions.
    /// Errors: std::bad_alloc. Blocking: never; the pool goes on, no user code is called. Thread safety: any thread, tasks too.
    /// Cost: reads the header of every task in the process (10^6: 10 to 20 ms); memory for the groups only. Tasks pay nothing for it.
    task_profile profile() const;
    /// How many workers the pool was made with.
    unsigned workers() const;

    /// The context that every task of the pool observes. It stops with pool_shutdown at an abrupt end, or when the pool has closed for
    /// good (S6); it may outlive the pool.
    lastly::context context() const;

private:
    friend struct detail::pool_access;
    detail::pool_core* core_;
};

/// The process's own pool, made at its first use with default options, never destroyed, closed when the process ends (P1). In a forked child it is another one.
/// Errors: as pool's constructor, at the first use; the next call tries again. First used while the process ends, it rejects everything.
/// Thread safety: any thread. Blocking: while another thread makes it.
LASTLY_EXPORT pool& default_pool();

inline detail::pool_core& detail::pool_access::core(pool& p) noexcept { return *p.core_; }

}   // namespace lastly
