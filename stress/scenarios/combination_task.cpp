// The task of a case: how it goes in, its body, its finalizers. See combination_case.hpp.
#include "stress/scenarios/combination_case.hpp"

#include <thread>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

// What stress::defer registers with, where no task_context is at hand.
struct task_here {
    template <class F>
    void defer(F&& f) const { this_task::defer(std::forward<F>(f)); }
};

// An attached finalizer is shown the outcome, and may edit it.
template <class F>
struct shown {
    F act;
    void operator()(result<int>& o) const { act(o); }
};
template <class F> shown(F) -> shown<F>;

}   // namespace

void one_case::submit() {
    cell_ = &round_.next();
    if (case_.attached == 0) submit_with<0>();
    else if (case_.attached == 1) submit_with<1>();
    else submit_with<3>();
}

template <unsigned Attached>
void one_case::submit_with() {
    task_plan plan = plan_of(end_of(expected_.end.kind), case_.begins());
    plan.waiters = case_.is_refused() ? 0 : 1;
    plan.edited = case_.do_ == finalizers::edit;
    plan.discarded = case_.is_discarded();
    // Where all its finalizers will be shown one kind, every third case has those that act on that kind only.
    const auto how = [this](auto&& work, auto&&... f) {
        if (case_.deferred != 1 || !expected_.shown) return go_in(std::move(work), std::move(f)...);
        switch (*expected_.shown) {
            case outcome_kind::succeeded: return go_in(std::move(work), on_success(std::move(f))...);
            case outcome_kind::failed: return go_in(std::move(work), on_failure(std::move(f))...);
            default: return go_in(std::move(work), on_cancelled(std::move(f))...);
        }
    };
    auto given = send<Attached>(*cell_, plan, how, [this](task_context& t, cell& c) { return body(t, c); }, shown{[this](result<int>& o) { finalize(o); }});
    if (given && case_.is_discarded()) cell_->refuse();   // by nobody else
    check(given.has_value() != (case_.is_refused() && !case_.is_discarded()), "accepted, or rejected, as it should not be");
    if (given) handle_ = std::move(*given);
    check(handle_.valid() != case_.is_refused(), "it has a handle, or none, as it should not");
}

template <class... Parts>
task_handle<int> one_case::go_in(Parts&&... parts) {
    if (case_.is_refused()) {
        try {
            return be_refused(std::move(parts)..., own_.context(), named("of the table"));
        } catch (const task_rejected& e) {
            refused_ = e.code();
            throw;
        }
    }
    if (group_) return group_->submit(std::move(parts)..., own_.context(), named("of the table"));
    return pool_->submit(std::move(parts)..., own_.context(), named("of the table"));
}

template <class... Parts>
task_handle<int> one_case::be_refused(Parts&&... parts) {
    switch (case_.in()) {
        case way::submitted: return group_ ? group_->submit(std::move(parts)...) : pool_->submit(std::move(parts)...);
        case way::without_handle:
            if (group_) group_->spawn(std::move(parts)...);
            else pool_->detach(std::move(parts)...);
            return {};
        case way::made_before: {
            auto made = make_task(std::move(parts)...);
            if (!group_) return pool_->submit(std::move(made));
            group_->spawn(std::move(made));
            return {};
        }
        case way::from_a_task: return this_task::submit(std::move(parts)...);
        case way::tried: break;
    }
    return try_first(std::move(parts)...);
}

// A2: what is refused is intact, and offered again or destroyed.
template <class... Parts>
task_handle<int> one_case::try_first(Parts&&... parts) {
    auto made = make_task(std::move(parts)...);
    task_handle<int> handle;
    const std::error_code refused = pool_->try_submit(std::move(made), &handle);
    round_.refused_attempt();
    const bool is_intact = made.valid() && !handle.valid() && cell_->attached_left == case_.attached && cell_->count(event::alive) == 1 + case_.attached;
    check(is_intact, "what try_submit refused is not as it was");
    if (!case_.is_discarded()) return pool_->submit(std::move(made));
    refused_ = refused;
    return handle;
}

int one_case::body(task_context& t, cell& c) {
    for (unsigned i = 0; i < case_.deferred; ++i) {
        stress::defer(t, c, [this, i] { finalize_deferred(i); });
    }
    const context* const own = case_.asks_for_context() ? &t.context() : nullptr;
    in_body_.open();
    if (case_.runs_at_the_end()) rest_.pass();
    switch (case_.what) {
        case fate::throws: throw numbered(of_body);
        case fate::cancels_itself: own_.cancel(); break;
        case fate::cancelled_running:
            if (own != nullptr) check(!own->sleep_for(forever), "its context ended a sleep without end, and not because of a stop");
            while (!t.stop_requested()) std::this_thread::yield();
            break;
        default: break;
    }
    if (case_.what != fate::succeeds) t.throw_if_stopped();
    return value_of_body;
}

void one_case::finalize(result<int>& o) {
    const unsigned position = cell_->attached_left;   // the witness has counted down to this one
    seen_[position] = view_of(o);
    check_shield();
    switch (case_.do_) {
        case finalizers::throw_: throw numbered(of_attached(position));
        case finalizers::edit:
            if (o.succeeded()) o.set_error(std::make_exception_ptr(numbered(of_edit(position))));
            else o.set_value(value_of_edit(position));
            return;
        case finalizers::defer_more: {
            const task_here here;
            return stress::defer(here, *cell_);
        }
        case finalizers::submit: return submit_more();
        case finalizers::ok: return;
    }
}

// Whatever has stopped the task, its finalizers see nothing of it.
void one_case::check_shield() const {
    check(this_task::finalizing() && !this_task::stop_requested() && !this_task::context().stop_requested(), "C4: a finalizer is shown a stop");
}

void one_case::finalize_deferred(unsigned place) {
    check_shield();
    const task_here here;
    if (case_.do_ == finalizers::throw_) throw numbered(of_deferred(place));
    if (case_.do_ == finalizers::defer_more) stress::defer(here, *cell_);
    if (case_.do_ == finalizers::submit) submit_more();
}

// One that its finalizer submits: to its own pool, or again to what refuses it, which is still as it was.
void one_case::submit_more() {
    const auto goes_in = [this](auto&&... parts) {
        try {
            if (!case_.is_refused()) static_cast<void>(this_task::submit(std::move(parts)...));
            else if (case_.why() == refusal::blocked_failed) group_->spawn(std::move(parts)...);
            else pool_->detach(std::move(parts)..., own_.context());
        } catch (const task_rejected& e) {
            check(e.code() == expected_.not_accepted, "what its finalizer submitted was rejected with another cause, for the caller");
            throw;
        }
    };
    send<1>(round_.next(), plan_of(expected_.accepted ? ends::succeeded : ends::rejected, expected_.accepted), goes_in, [this] { more_begun_.fetch_add(1, std::memory_order_relaxed); },
            [this](const outcome& o) { check(o.cause() == expected_.not_accepted, "what its finalizer submitted was rejected with another cause, for its own finalizer"); });
    submitted_.fetch_add(1, std::memory_order_relaxed);
}

}   // namespace lastly::stress::scenarios
