// The combination table: every case on a pool of its own, brought to its moment by gates, not by luck, and compared exactly with the model.
#include "stress/scenarios/combination.hpp"
#include "stress/scenarios/scenarios.hpp"

#include <atomic>
#include <latch>
#include <optional>
#include <string>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

// What stress::defer registers with, where no task_context is at hand.
struct task_here {
    template <class F>
    void defer(F&& f) const { this_task::defer(std::forward<F>(f)); }
};

// One case from its pool's beginning to its end.
class one_case {
public:
    one_case(round& r, const combination& c) : round_(r), case_(c), expected_(expect(c)), pool_(std::in_place, options()), own_(make_own()) {}

    void run() {
        const bool waits_in_queue = !case_.begins() && case_.by != ending::rejected;
        if (case_.by == ending::rejected) pool_->close();
        else if (waits_in_queue) hold_workers();
        submit();
        bring_about();
        end_pool();
        compare();
    }

private:
    pool_options options() const {
        pool_options o = round_.options();
        o.workers = case_.workers;
        return o;
    }
    cancel_source make_own() const {
        return case_.what == fate::deadline ? with_timeout(context::background(), std::chrono::nanoseconds(0)) : with_cancel();
    }
    void check(bool holds, const char* what) const {
        if (!holds) round_.check(false, ("the table: " + case_.to_text() + ": " + what).c_str());
    }

    // Keeps every worker from the task: the first in a member of the task's group, if that is what has to fail.
    void hold_workers() {
        if (case_.what == fate::sibling_fails) group_.emplace(*pool_);
        arrived_.emplace(case_.workers);
        for (unsigned i = 0; i < case_.workers; ++i) {
            const bool fails = i == 0 && group_;
            const auto body = [this, fails] {
                arrived_->count_down();
                gate_[fails ? 0 : 1].wait(false);
                if (fails) throw thrown_by_body();
            };
            cell& c = round_.next();
            const task_plan plan{.ends = fails ? ends::failed : ends::succeeded, .must_begin = true, .unbooked = case_.by == ending::destructor};
            if (fails) send<1>(c, plan, into(*group_), body);
            else send<1>(c, plan, into(*pool_), body);
        }
        arrived_->wait();
    }
    void open(unsigned gate) {
        gate_[gate].store(true);
        gate_[gate].notify_all();
    }

    void act() {
        switch (case_.do_) {
            case finalizers::throw_: throw thrown_by_finalizer();
            case finalizers::defer_more: return stress::defer(this_thread_, *cell_);
            case finalizers::submit: return submit_more();
            case finalizers::ok:
            case finalizers::edit: return;
        }
    }
    void submit_more() {
        const bool accepted = expected_.accepted.value_or(false);
        const task_plan plan{.ends = accepted ? ends::succeeded : ends::rejected, .must_begin = accepted, .must_not_begin = !accepted, .unbooked = case_.by == ending::destructor};
        if (case_.by == ending::rejected) send<1>(round_.next(), plan, into(*pool_), [] {});
        else send<1>(round_.next(), plan, [](auto&&... parts) { static_cast<void>(this_task::submit(std::forward<decltype(parts)>(parts)...)); }, [this] { more_begun_.fetch_add(1, std::memory_order_relaxed); });
        submitted_.fetch_add(1, std::memory_order_relaxed);
    }

    int body(task_context& t, cell& c) {
        for (unsigned i = 0; i < case_.deferred; ++i) {
            stress::defer(t, c, [this] {
                if (case_.do_ != finalizers::edit) act();
            });
        }
        in_body_.store(true);
        in_body_.notify_all();
        if (case_.runs_at_the_end()) gate_[1].wait(false);
        switch (case_.what) {
            case fate::throws: throw thrown_by_body();
            case fate::cancels_itself: own_.cancel(); break;
            case fate::cancelled_running:
                while (!t.stop_requested()) std::this_thread::yield();
                break;
            default: break;
        }
        if (case_.what != fate::succeeds) t.throw_if_stopped();
        return 7;
    }

    template <unsigned Attached, class Action>
    void submit_with(Action action) {
        const std::uint8_t kind = expected_.kind == outcome_kind::succeeded ? ends::succeeded : expected_.kind == outcome_kind::failed ? ends::failed : expected_.kind == outcome_kind::cancelled ? ends::cancelled : ends::rejected;
        const bool rejected = case_.by == ending::rejected;
        const task_plan plan{.waiters = static_cast<std::uint8_t>(rejected ? 0 : 1), .ends = kind, .must_begin = case_.begins(), .must_not_begin = !case_.begins(), .edited = case_.do_ == finalizers::edit, .unbooked = case_.by == ending::destructor};
        const auto how = [this](auto&&... parts) {
            if (group_) return group_->submit(std::forward<decltype(parts)>(parts)..., own_.context());
            return pool_->submit(std::forward<decltype(parts)>(parts)..., own_.context());
        };
        handle_ = send<Attached>(*cell_, plan, how, [this](task_context& t, cell& c) { return body(t, c); }, action);
    }
    template <class Action>
    void submit_attached(Action action) {
        if (case_.attached == 0) submit_with<0>(action);
        else if (case_.attached == 1) submit_with<1>(action);
        else submit_with<3>(action);
    }
    void submit() {
        cell_ = &round_.next();
        if (case_.do_ == finalizers::edit) submit_attached([](result<int>& o) { o.set_value(8); });
        else submit_attached([this] { act(); });
        check(handle_.has_value() != (case_.by == ending::rejected), "accepted, or rejected, as it should not be");
    }

    // Between submission and the pool's end.
    void bring_about() {
        if (case_.by == ending::rejected) return;
        if (case_.what == fate::cancelled_queued) check(handle_->cancel(), "its handle's first cancel did not do it");
        if (case_.what == fate::sibling_fails) {
            open(0);   // the worker that is free then finds the task stopped
            handle_->wait();
            while (more_begun_.load(std::memory_order_relaxed) < expected_.submitted) std::this_thread::yield();   // before the end could cancel them
        }
        if (case_.begins()) in_body_.wait(false);
        if (case_.what == fate::cancelled_running) check(handle_->cancel(), "its handle's first cancel did not do it");
        if (!case_.runs_at_the_end() && case_.by != ending::shutdown_now) open(1);
    }
    void wait_for_group() {
        try {
            group_->wait();
            check(false, "its group's wait did not throw the sibling's failure");
        } catch (const thrown_by_body&) {
        }
        group_.reset();
    }
    void end_pool() {
        switch (case_.by) {
            case ending::rejected:
            case ending::drain: {
                const shutdown_report end = pool_->shutdown();
                check(end.complete, "an orderly shutdown without a limit was not complete");
                round_.balance(end.ledger);
                break;
            }
            case ending::destructor:
                if (group_) wait_for_group();   // it may not outlive the pool
                pool_.reset();
                break;
            case ending::shutdown_now: {
                std::thread opens;
                const context root = pool_->context();
                opens = std::thread([this, root] {
                    while (!root.stop_requested()) std::this_thread::yield();   // what is at a gate goes on when the shutdown stands
                    open(1);
                });
                const shutdown_report end = pool_->shutdown_now();
                opens.join();
                check(end.complete, "an abrupt shutdown without a limit was not complete");
                round_.balance(end.ledger);
                break;
            }
        }
        if (handle_) {
            handle_->wait();
            tell(*cell_, *handle_);
        }
        if (group_) wait_for_group();
        pool_.reset();
    }

    void compare() {
        const std::uint64_t word = cell_->word.load(std::memory_order_relaxed);
        check(count_of(word, event::deferred) == expected_.deferred, "another number of deferred finalizers ran");
        check(count_of(word, event::thrown) == expected_.thrown, "another number of finalizers threw");
        check(submitted_.load(std::memory_order_relaxed) == expected_.submitted, "its finalizers submitted another number of tasks");
        if (!handle_) return;
        const outcome& o = handle_->outcome();
        check(o.kind() == expected_.kind, "it ended otherwise");
        check(o.cause() == expected_.cause, "it was cancelled with another cause");
        check(o.started() == case_.begins(), "its outcome says otherwise whether it began");
        if (o.succeeded()) check(handle_->get() == (case_.do_ == finalizers::edit && case_.attached > 0 ? 8 : 7), "its value is another");
    }

    round& round_;
    const combination case_;
    const expectation expected_;
    const task_here this_thread_{};
    std::optional<std::latch> arrived_;
    std::atomic<bool> gate_[2]{}, in_body_{false};
    std::atomic<unsigned> submitted_{0}, more_begun_{0};
    std::optional<pool> pool_;   // after what its tasks use
    cancel_source own_;
    std::optional<task_group> group_;
    std::optional<task_handle<int>> handle_;
    cell* cell_ = nullptr;
};

}   // namespace

void combinations(round& r) {
    for (const combination& c : all_combinations()) {
        if (r.workers() == c.workers) one_case(r, c).run();
    }
}

}   // namespace lastly::stress::scenarios
