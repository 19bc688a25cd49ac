// Groups of tasks that are waited for together: a WaitGroup and an errgroup that cannot leak a member.
// spawn, submit and cancel: any thread. wait, failures, destruction: the owner's. A wait may race spawns from outside the group, and may then
// miss such a member; the last wait, and destruction, must not.
#pragma once

#include <lastly/detail/group.hpp>
#include <lastly/pool.hpp>

#include <exception>
#include <utility>
#include <vector>

namespace lastly {

/// What a member's failure does to the others: stops them, or nothing.
enum class group_policy { fail_fast, collect };

/// A group of tasks of one pool. Its members observe a context of its own, below its parent's; `wait` returns when each of them, and
/// what they spawned into the group, is over in every respect (O4). Neither copied nor moved. A group may be made anywhere, also inside
/// a task; members may spawn further members.
/// Lifetime: at most as long as the pool, unless all its members are over.
class LASTLY_EXPORT task_group {
public:
    /// A group below the context of the task that makes it, if there is one (C3); inside a finalizer, or outside tasks, below none.
    /// Errors: std::bad_alloc; std::system_error with 2^20 groups alive. Cost: a context; below a task, a short lock of its context.
    explicit task_group(pool& p, group_policy policy = group_policy::fail_fast)
        : pool_(detail::pool_access::core(p)), core_(detail::open_group(pool_, policy == group_policy::fail_fast, nullptr)) {}
    /// A group below `parent`: it stops with that one, and has its deadline.
    task_group(pool& p, const context& parent, group_policy policy = group_policy::fail_fast)
        : pool_(detail::pool_access::core(p)), core_(detail::open_group(pool_, policy == group_policy::fail_fast, &parent)) {}
    task_group(const task_group&) = delete;
    task_group& operator=(const task_group&) = delete;
    /// Effects: what was not waited for is cancelled and waited for; errors that nobody took go to the pool's sink.
    /// Blocking: as wait, without throwing. Requires: not inside one of its members (the process is terminated with a message).
    ~task_group() { detail::close_group(pool_, core_); }

    /// Adds a member. After a stop (cancel, or a failure under fail_fast) and until the next wait it does not start; its finalizers run.
    /// Its error is the group's. Errors: as pool::detach; a rejected member's chain has run, the group is not failed by it.
    /// Cost: as pool::detach; on a worker no counter that others touch, from anywhere else an addition to one that they share.
    template <class Body, class A1 = detail::none, class A2 = detail::none, class A3 = detail::none, class A4 = detail::none,
              class A5 = detail::none, class A6 = detail::none, class A7 = detail::none, class A8 = detail::none,
              class A9 = detail::none, class A10 = detail::none, class A11 = detail::none, class A12 = detail::none,
              class R = detail::body_result_t<Body>>
    void spawn(Body&& body, A1&& a1 = {}, A2&& a2 = {}, A3&& a3 = {}, A4&& a4 = {}, A5&& a5 = {}, A6&& a6 = {}, A7&& a7 = {},
               A8&& a8 = {}, A9&& a9 = {}, A10&& a10 = {}, A11&& a11 = {}, A12&& a12 = {},
               creation_site site = creation_site::current()) {
        detail::frame& f = detail::build_frame<false>(
            &pool_, site, std::forward<Body>(body), std::forward<A1>(a1), std::forward<A2>(a2), std::forward<A3>(a3),
            std::forward<A4>(a4), std::forward<A5>(a5), std::forward<A6>(a6), std::forward<A7>(a7), std::forward<A8>(a8),
            std::forward<A9>(a9), std::forward<A10>(a10), std::forward<A11>(a11), std::forward<A12>(a12));
        detail::spawn_frame(pool_, core_, f, false);
    }
    /// Adds a task that was made before. Errors: as above; std::logic_error for an empty task.
    template <class T>
    void spawn(task<T>&& t) {
        detail::frame& f = detail::handle_access::checked(t);
        detail::handle_access::hand_over(t);
        detail::spawn_frame(pool_, core_, f, false);
    }
    /// Adds a member and returns its handle. Its failure is the handle's and the group's.
    template <class Body, class A1 = detail::none, class A2 = detail::none, class A3 = detail::none, class A4 = detail::none,
              class A5 = detail::none, class A6 = detail::none, class A7 = detail::none, class A8 = detail::none,
              class A9 = detail::none, class A10 = detail::none, class A11 = detail::none, class A12 = detail::none,
              class R = detail::body_result_t<Body>>
    auto submit(Body&& body, A1&& a1 = {}, A2&& a2 = {}, A3&& a3 = {}, A4&& a4 = {}, A5&& a5 = {}, A6&& a6 = {}, A7&& a7 = {},
                A8&& a8 = {}, A9&& a9 = {}, A10&& a10 = {}, A11&& a11 = {}, A12&& a12 = {},
                creation_site site = creation_site::current()) -> task_handle<R> {
        detail::frame& f = detail::build_frame<true>(
            &pool_, site, std::forward<Body>(body), std::forward<A1>(a1), std::forward<A2>(a2), std::forward<A3>(a3),
            std::forward<A4>(a4), std::forward<A5>(a5), std::forward<A6>(a6), std::forward<A7>(a7), std::forward<A8>(a8),
            std::forward<A9>(a9), std::forward<A10>(a10), std::forward<A11>(a11), std::forward<A12>(a12));
        detail::spawn_frame(pool_, core_, f, true);
        return detail::handle_access::make_handle<R>(f);
    }

    /// Asks all members to stop: those that have not started will not start, their finalizers run on workers (C2).
    /// The group's own stop: `wait` does not throw because of it. Blocking: for as long as stop callbacks take (C6).
    void cancel(std::error_code cause = errc::cancelled) { detail::cancel_group(core_, cause); }
    /// Waits until every member is over. Then the group has a fresh context and is ready for new members.
    /// Errors: the first failure; else task_cancelled with the cause, if the parent or its deadline stopped the group, or the pool's abrupt
    /// end dropped members; std::system_error, resource_deadlock_would_occur, inside one of its members (W4); std::bad_alloc: the group
    /// is as it was, wait again.
    /// Blocking: a worker of the pool runs members meanwhile, and nothing else (W1), then sleeps while another thread takes its place (W2;
    /// where none can be made it helps with anything); any other thread spins a bounded number of rounds, then sleeps.
    void wait() { detail::wait_for_group(pool_, core_, failures_); }
    /// The failures that the last `wait` found, the first one first; until the next wait.
    const std::vector<std::exception_ptr>& failures() const noexcept { return failures_; }

private:
    detail::pool_core& pool_;
    detail::group_core& core_;
    std::vector<std::exception_ptr> failures_;
};

}   // namespace lastly
