// A task as its users see it: from inside a body (task_context, this_task), before submission (task), and after (task_handle).
// task_context and this_task: the task's own thread. task and task_handle: one thread at a time, but ready, wait, wait_for and
// cancel of one handle may be called at once from several.
#pragma once

#include <lastly/detail/build.hpp>
#include <lastly/detail/defer.hpp>
#include <lastly/detail/defer_frame.hpp>
#include <lastly/detail/handle.hpp>
#include <lastly/finalizer.hpp>

#include <chrono>
#include <cstddef>
#include <stdexcept>

namespace lastly {

class pool;
template <class T> class task_handle;

namespace detail { struct handle_access; }

/// What a body may take to speak with its task. Lifetime: the body's call, and that of the finalizers it registers.
class task_context {
public:
    explicit task_context(detail::run_record& r) noexcept : run_(&r) {}
    task_context(const task_context&) = delete;
    task_context& operator=(const task_context&) = delete;

    /// Registers a finalizer that runs when the task is over, last registered first (O2), before the attached ones.
    /// `f` and `args` are copied or moved now; `f(args...)`, else `f(const outcome&, args...)` is called. Inside a running finalizer it runs
    /// next; inside a branch, at the branch's end.
    /// Errors: if it cannot be stored it runs at once, then std::bad_alloc or the copy's exception (A3);
    /// std::logic_error on another thread than the task's, `f` not run. Cost: no allocation while the frame has spare room.
    template <class F, class... Args>
    [[gnu::always_inline]] void defer(F&& f, Args&&... args) {
        detail::defer_to(detail::task_chain{detail::run_to_defer_to(run_)}, std::forward<F>(f), std::forward<Args>(args)...);
    }
    /// True once somebody asked this task to stop; false inside a finalizer (C4).
    /// Thread safety: the task's own thread; other threads that work for the body look at a copy of `context()`.
    bool stop_requested() const { return detail::stop_requested(*run_); }
    /// Errors: task_cancelled with the cause, if a stop was requested and no finalizer is running; std::bad_alloc if it cannot be made, which
    /// fails the task.
    void throw_if_stopped() const { detail::throw_if_stopped(*run_); }
    /// The task's own context: it stops with the first of its handle, its attached context, its group and its pool (C3), and may
    /// outlive them all. Inside a finalizer: one that never stops (C4). Made at the first call; errors: std::bad_alloc.
    /// Thread safety: the task's own thread. Lifetime of the reference: the body's.
    const lastly::context& context() const { return detail::context_of(*run_); }
    /// The task's name, or "".
    const char* name() const { return detail::name_of(*run_); }

private:
    friend class defer_frame;
    detail::run_record* run_;
};

/// A block inside a body, or inside a finalizer: what is deferred here runs at the block's end (O6), so that a loop's finalizers do not
/// pile up. A local variable; blocks nest strictly. `task_context::defer` and `this_task::defer` inside it go to the task as ever.
/// Lifetime: within the body or finalizer that makes it. Cost: no allocation while about two small callables are pending.
class defer_frame {
public:
    /// Errors: std::logic_error unless `t` is the innermost task that runs on this thread.
    explicit defer_frame(task_context& t) { detail::open_chain(chain_, *t.run_); }
    /// Runs the finalizers, last registered first, shielded like all finalizers (C4), and destroys them. One that throws is told to the
    /// error sink and counted; the body goes on, and the task's outcome is the body's. Not noexcept: one that leaves the thread (P4) leaves this, too.
    ~defer_frame() noexcept(false) { detail::close_chain(chain_); }
    defer_frame(const defer_frame&) = delete;
    defer_frame& operator=(const defer_frame&) = delete;
    static void* operator new(std::size_t) = delete;
    static void* operator new[](std::size_t) = delete;

    /// Registers a finalizer for the block's end. `f` and `args` are copied or moved now; `f(args...)` is called, without an outcome.
    /// Errors: if it cannot be stored it runs at once, then std::bad_alloc or the copy's exception (A3);
    /// std::logic_error on another thread than the task's, `f` not run.
    template <class F, class... Args>
    void defer(F&& f, Args&&... args) { detail::defer_in(chain_, std::forward<F>(f), std::forward<Args>(args)...); }

private:
    detail::inner_chain chain_;
};

/// The same from deep in the call stack, for the task that runs on this thread.
namespace this_task {

/// As task_context::defer. Errors: std::logic_error outside a task, `f` not run.
template <class F, class... Args>
void defer(F&& f, Args&&... args) {
    detail::defer_to(detail::task_chain{detail::run_to_defer_to(detail::this_thread.current)}, std::forward<F>(f), std::forward<Args>(args)...);
}
/// False outside a task, and inside a finalizer (C4).
inline bool stop_requested() { auto* const r = detail::current_run(); return r != nullptr && detail::stop_requested(*r); }
/// Errors: as task_context::throw_if_stopped; does nothing outside a task and inside a finalizer.
inline void throw_if_stopped() { if (auto* r = detail::current_run()) detail::throw_if_stopped(*r); }
/// As task_context::context; outside a task: background().
inline lastly::context context() {
    auto* const r = detail::current_run();
    return r != nullptr ? detail::context_of(*r) : lastly::context::background();
}
/// Is a task, or a finalizer of one, running on this thread?
inline bool inside() { return detail::current_run() != nullptr; }
/// Is a finalizer running on this thread?
inline bool finalizing() { const auto* r = detail::current_run(); return r != nullptr && r->finalizing; }
/// The task's name, or "" (also outside a task).
inline const char* name() { const auto* r = detail::current_run(); return r != nullptr ? detail::name_of(*r) : ""; }

}   // namespace this_task

/// A task that has not been submitted: its body and its finalizers, ready to be handed to a pool. Move-only.
/// Destroying it unsubmitted runs its chain with outcome rejected, errc::discarded. It may outlive every pool.
template <class T>
class [[nodiscard]] task {
public:
    task() noexcept = default;
    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task& operator=(task&& other) noexcept {
        if (this != &other) {
            discard();
            frame_ = std::exchange(other.frame_, nullptr);
        }
        return *this;
    }
    ~task() { discard(); }
    /// False once it was submitted, moved from, or default-constructed.
    bool valid() const noexcept { return frame_ != nullptr; }

private:
    friend struct detail::handle_access;
    explicit task(detail::frame& f) noexcept : frame_(&f) { detail::note_maker(f); }
    void discard() noexcept {
        detail::frame* const f = std::exchange(frame_, nullptr);
        if (f != nullptr && !detail::is_inherited(*f)) detail::discard_frame(*f);
    }
    detail::frame* frame_ = nullptr;
};

/// The receiver's end of a submitted task. Move-only; valid() is false when default-constructed, moved from, or after get().
/// Lifetime: it may outlive its pool. Dropped unread, its error goes to the pool's sink (E5).
template <class T>
class [[nodiscard]] task_handle {
public:
    task_handle() noexcept = default;
    task_handle(task_handle&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task_handle& operator=(task_handle&& other) noexcept {
        if (this != &other) {
            drop();
            frame_ = std::exchange(other.frame_, nullptr);
        }
        return *this;
    }
    ~task_handle() { drop(); }

    bool valid() const noexcept { return frame_ != nullptr; }
    /// Has the outcome been published (O4)? Never blocks. Errors, here and below: std::logic_error if !valid().
    bool ready() const { return detail::is_done(checked()); }
    /// Waits until ready(). Errors: resource_deadlock_would_occur for one's own handle (W4).
    /// Blocking: a worker of the same pool runs the awaited task itself if it is still queued (W1), else sleeps while another thread takes
    /// its place (W2); any other thread spins a bounded number of rounds, then sleeps.
    void wait() const { detail::wait_for_done(checked()); }
    /// As wait, for at most `limit`; runs no task, but a worker is stood in for. Returns ready().
    bool wait_for(std::chrono::nanoseconds limit) const { return detail::wait_for_done(checked(), limit); }
    /// Waits; returns the value, or rethrows. A cancelled task throws task_cancelled with its cause. valid() is false afterwards, unless the
    /// wait itself threw (W4). Errors besides: std::bad_alloc in place of a task_cancelled that cannot be made; the handle is empty then, too.
    T get() {
        detail::frame& f = checked();
        detail::wait_for_done(f);
        detail::mark_read(f);
        struct let_go {
            task_handle& handle;
            ~let_go() { handle.drop(); }
        } const guard{*this};
        result<T>& r = typed(f);
        if (r.failed()) std::rethrow_exception(r.error());
        if (r.cancelled()) throw task_cancelled(r.cause());
        if constexpr (std::is_void_v<T>) return;
        else if constexpr (std::is_reference_v<T>) return r.value();
        else return std::move(r.value());
    }
    /// What became of the task. Requires: ready(); std::logic_error otherwise. Looking at it takes the error (E5).
    /// Lifetime of the reference: until get, detach, assignment, or the handle's end.
    const lastly::outcome& outcome() const {
        detail::frame& f = checked();
        if (!detail::is_done(f)) throw std::logic_error("lastly: task_handle::outcome() before ready(); wait() first");
        detail::mark_read(f);
        return typed(f);
    }
    /// Asks the task to stop: one that has not started will not start, a running body sees it (C1). The task's finalizers run
    /// on a worker, never here (C2). Returns: true if this call was the one that did it; the first cause wins (E2). An empty cause stands
    /// for errc::cancelled. Blocking: for as long as the task's stop callbacks take (C6).
    bool cancel(std::error_code cause = errc::cancelled) { return detail::request_stop(checked(), cause); }
    /// Lets go of the task; its errors then go to the sink.
    void detach() { checked(); drop(); }

private:
    friend struct detail::handle_access;
    explicit task_handle(detail::frame& f) noexcept : frame_(&f) {}
    static result<T>& typed(detail::frame& f) { return static_cast<result<T>&>(*f.type().outcome_in(f)); }
    detail::frame& checked() const {
        if (frame_ == nullptr) throw std::logic_error("lastly: an empty task_handle (default-constructed, moved from, or after get())");
        return *frame_;
    }
    void drop() noexcept { if (frame_ != nullptr) detail::drop_handle(*std::exchange(frame_, nullptr)); }
    detail::frame* frame_ = nullptr;
};

namespace detail {

struct handle_access {
    template <class T> static task<T> make_task(frame& f) noexcept { return task<T>(f); }
    template <class T> static task_handle<T> make_handle(frame& f) noexcept { return task_handle<T>(f); }
    template <class T> static frame& checked(const task<T>& t) {
        frame& f = present(t);
        if (is_inherited(f)) throw_rejected(errc::forked);   // it stays the parent's
        return f;
    }
    template <class T> static frame& present(const task<T>& t) {
        if (t.frame_ == nullptr) throw std::logic_error("lastly: an empty task (submitted already, moved from, or default-constructed)");
        return *t.frame_;
    }
    template <class T> static void hand_over(task<T>& t) noexcept { t.frame_ = nullptr; }
};

template <bool Handle, class Body, class... A>
frame& build_frame(pool_core* pool, creation_site site, Body&& body, A&&... attachments) {
    return frame_builder<Handle, Body, A...>(body, attachments...).build(pool, site);
}

}   // namespace detail

/// A task that is not submitted yet. Errors: task_rejected with not_enough_memory, or an exception of moving a part in; the chain has run
/// then (A1). Cost: one allocation from the frame store.
template <class Body, class A1 = detail::none, class A2 = detail::none, class A3 = detail::none, class A4 = detail::none,
          class A5 = detail::none, class A6 = detail::none, class A7 = detail::none, class A8 = detail::none,
          class A9 = detail::none, class A10 = detail::none, class A11 = detail::none, class A12 = detail::none,
          class R = detail::body_result_t<Body>>
auto make_task(Body&& body, A1&& a1 = {}, A2&& a2 = {}, A3&& a3 = {}, A4&& a4 = {}, A5&& a5 = {}, A6&& a6 = {}, A7&& a7 = {},
               A8&& a8 = {}, A9&& a9 = {}, A10&& a10 = {}, A11&& a11 = {}, A12&& a12 = {},
               creation_site site = creation_site::current()) -> task<R> {
    return detail::handle_access::make_task<R>(detail::build_frame<true>(
        nullptr, site, std::forward<Body>(body), std::forward<A1>(a1), std::forward<A2>(a2), std::forward<A3>(a3),
        std::forward<A4>(a4), std::forward<A5>(a5), std::forward<A6>(a6), std::forward<A7>(a7), std::forward<A8>(a8),
        std::forward<A9>(a9), std::forward<A10>(a10), std::forward<A11>(a11), std::forward<A12>(a12)));
}

namespace this_task {

/// Submits to the pool that runs this task; also while that pool's object is being destroyed (S4). As pool::submit.
/// Errors: std::logic_error outside a task of a pool; the finalizers have run then, with errc::discarded.
template <class Body, class A1 = detail::none, class A2 = detail::none, class A3 = detail::none, class A4 = detail::none,
          class A5 = detail::none, class A6 = detail::none, class A7 = detail::none, class A8 = detail::none,
          class A9 = detail::none, class A10 = detail::none, class A11 = detail::none, class A12 = detail::none,
          class R = detail::body_result_t<Body>>
auto submit(Body&& body, A1&& a1 = {}, A2&& a2 = {}, A3&& a3 = {}, A4&& a4 = {}, A5&& a5 = {}, A6&& a6 = {}, A7&& a7 = {},
            A8&& a8 = {}, A9&& a9 = {}, A10&& a10 = {}, A11&& a11 = {}, A12&& a12 = {},
            creation_site site = creation_site::current()) -> task_handle<R> {
    detail::pool_core* const pool = detail::pool_of_this_task();
    detail::frame& f = detail::build_frame<true>(
        pool, site, std::forward<Body>(body), std::forward<A1>(a1), std::forward<A2>(a2), std::forward<A3>(a3),
        std::forward<A4>(a4), std::forward<A5>(a5), std::forward<A6>(a6), std::forward<A7>(a7), std::forward<A8>(a8),
        std::forward<A9>(a9), std::forward<A10>(a10), std::forward<A11>(a11), std::forward<A12>(a12));
    if (pool == nullptr) detail::discard_outside(f, "this_task::submit");
    detail::submit_frame(*pool, f, true);
    return detail::handle_access::make_handle<R>(f);
}

}   // namespace this_task

}   // namespace lastly
