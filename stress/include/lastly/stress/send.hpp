// A task under witness: its body, its finalizers and its captures report to its cell, its submission goes through the public interface.
// Each function: on the thread that the library calls it on.
#pragma once

#include <lastly/stress/round.hpp>

#include <cstddef>
#include <functional>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace lastly::stress {

/// Does nothing: what a finalizer does unless it is told otherwise.
struct nothing {
    void operator()() const noexcept {}
};

constexpr std::uint8_t end_of(outcome_kind k) noexcept {
    return k == outcome_kind::succeeded ? ends::succeeded : k == outcome_kind::failed ? ends::failed : k == outcome_kind::cancelled ? ends::cancelled : ends::rejected;
}
inline std::uint8_t end_of(const outcome& o) noexcept { return end_of(o.kind()); }

namespace detail {

template <class F, class... Args>
decltype(auto) call_with(F& f, Args&... args) {
    if constexpr (std::is_invocable_v<F&, Args&...>) return std::invoke(f, args...);
    else return std::invoke(f);
}

// While it lives, the task's body or one of its finalizers runs.
class inside {
public:
    explicit inside(cell& c) noexcept : task_(c), before_(c.enter()) {}
    ~inside() { task_.leave(before_); }
    inside(const inside&) = delete;
    inside& operator=(const inside&) = delete;

private:
    cell& task_;
    const bool before_;
};

// Runs what a finalizer does; notes whether it was left by an exception.
template <class F, class... Args>
void act(cell& c, F& f, Args&... args) {
    const inside here(c);
    try {
        static_cast<void>(call_with(f, args...));
    } catch (...) {
        c.add(event::thrown);
        throw;
    }
}

template <class Body>
class witnessed_body {
public:
    witnessed_body(cell& c, Body&& b) : capture_(c), body_(std::move(b)) {}
    decltype(auto) operator()(task_context& t) {
        cell& c = capture_.task();
        c.begin();
        const struct over {
            cell& task;
            ~over() { task.end(); }
        } at_end{c};
        const inside here(c);
        if constexpr (std::is_invocable_v<Body&, task_context&, cell&>) return std::invoke(body_, t, c);
        else return call_with(body_, t);
    }

private:
    canary capture_;
    Body body_;
};

template <class Action>
class witnessed_finalizer {
public:
    witnessed_finalizer(cell& c, unsigned position, const Action& a) : capture_(c), position_(position), action_(a) {}
    template <class T>
        requires std::is_invocable_v<Action&, result<T>&>
    void operator()(result<T>& o) { finalize(o); }
    void operator()(const outcome& o) { finalize(o); }

private:
    template <class Outcome>
    void finalize(Outcome& o) {
        cell& c = capture_.task();
        const std::uint8_t shown = end_of(o);
        c.run_attached(position_, shown, o.started());
        try {
            act(c, action_, o);
        } catch (...) {
            if (position_ == 0 && o.succeeded()) c.see_instead(ends::failed);   // E4
            throw;
        }
        if (position_ == 0 && end_of(o) != shown) c.see_instead(end_of(o));   // E3
    }

    canary capture_;
    unsigned position_;
    Action action_;
};

template <class How, class Body, class Action, std::size_t... I>
decltype(auto) send_parts(cell& c, How& how, Body&& body, const Action& action, std::index_sequence<I...>) {
    return how(witnessed_body<Body>(c, std::move(body)), finally(witnessed_finalizer<Action>(c, I, action))...);
}

}   // namespace detail

/// Submits a task with `Attached` finalizers under witness. `how(body, finalizers...)` hands them to the library: `into(pool)`, or a lambda
/// that calls submit, detach, spawn or make_task, perhaps with further attachments. The body takes `(task_context&, cell&)`, `(task_context&)` or
/// nothing; `action`, copied for each finalizer, takes `result<T>&`, `const outcome&` or nothing, and does more than nothing if told.
/// Returns: what `how` returned, as an optional; for void, whether the task was accepted. Empty, or false: it was rejected, or there was no memory.
/// Errors: other exceptions of `how` pass through, counted as refusals.
template <unsigned Attached, class How, class Body, class Action = nothing>
auto send(cell& c, task_plan plan, How&& how, Body body, const Action& action = {}) {
    using returned = decltype(detail::send_parts(c, how, std::move(body), action, std::make_index_sequence<Attached>()));
    plan.attached = Attached;
    c.submit(plan);
    try {
        if constexpr (std::is_void_v<returned>) {
            detail::send_parts(c, how, std::move(body), action, std::make_index_sequence<Attached>());
            return true;
        } else {
            return std::optional<returned>(detail::send_parts(c, how, std::move(body), action, std::make_index_sequence<Attached>()));
        }
    } catch (const task_rejected&) {
        c.refuse();
    } catch (const std::bad_alloc&) {
        c.refuse();
    } catch (...) {
        c.refuse();
        throw;
    }
    if constexpr (std::is_void_v<returned>) return false;
    else return std::optional<returned>();
}

/// For `send`: hands the task to a pool without a handle, perhaps with further attachments: a context, a name.
template <class... More>
auto into(pool& p, More... more) {
    return [&p, more...](auto&&... parts) { p.detach(std::forward<decltype(parts)>(parts)..., more...); };
}
/// For `send`: makes it a member of a group.
template <class... More>
auto into(task_group& g, More... more) {
    return [&g, more...](auto&&... parts) { g.spawn(std::forward<decltype(parts)>(parts)..., more...); };
}
/// For `send`: submits it to a pool, or a group, for a handle.
template <class Where, class... More>
auto for_handle(Where& where, More... more) {
    return [&where, more...](auto&&... parts) { return where.submit(std::forward<decltype(parts)>(parts)..., more...); };
}

/// Registers a finalizer from inside the body, or from a finalizer, with its `task_context` or anything else that has `defer`.
/// Errors: those of defer; the finalizer has then run.
template <class Where, class Action = nothing>
void defer(Where& where, cell& c, Action action = {}) {
    struct call {
        cell& task;
        const std::uint16_t place = task.register_one();
        bool stored = false;
        ~call() { task.registered(place, stored); }
    } now{c};
    where.defer([capture = canary(c), place = now.place, act = std::move(action)]() mutable {
        cell& task = capture.task();
        task.run_deferred(place);
        detail::act(task, act);
    });
    now.stored = true;
}

/// A waiter that was released looks at what it waited for. Requires: nobody else tells of this task.
template <class T>
void tell(cell& c, const task_handle<T>& h) { c.tell(end_of(h.outcome())); }

}   // namespace lastly::stress
