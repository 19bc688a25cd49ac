// See combination_case.hpp.
#include "stress/scenarios/combination_case.hpp"

#include <chrono>
#include <functional>
#include <stop_token>
#include <thread>
#include <utility>

namespace lastly::stress::scenarios {

using namespace std::chrono_literals;

one_case::one_case(round& r, const combination& c) : round_(r), case_(c), expected_(expect(c)), own_(make_own()) {
    if (c.waits() && c.what == fate::deadline && c.stops() != stopper::attached) above_ = with_timeout(context::background(), 0ns);
    if (c.waits() && c.stops() == stopper::above_attached) own_ = with_cancel(above_->context());
    pool_.emplace(options());
    if (!c.has_group()) return;
    if (above_) group_.emplace(*pool_, above_->context());
    else group_.emplace(*pool_);
}

void one_case::run() {
    if (case_.holders() > 0) hold();
    if (case_.is_refused() && case_.why() == refusal::closed) pool_->close();
    if (case_.is_refused() && case_.why() == refusal::shut_down && case_.in() != way::from_a_task) check(pool_->shutdown_now().complete, "an abrupt shutdown of an idle pool was not complete");
    if (case_.waits() && case_.where() == place::own_deque) {
        placed_.pass();
    } else if (case_.is_refused() && case_.in() == way::from_a_task) {
        submit_from_a_task();
    } else {
        about_to_block_.open();
        submit();
    }
    bring_about();
    end_pool();
    compare();
}

pool_options one_case::options() {
    pool_options o = round_.options();
    o.workers = case_.workers;
    o.error_sink = [this, counted = o.error_sink](const error_report& r) {
        counted(r);
        note(r);
    };
    if (case_.is_blocked() || (case_.is_refused() && case_.why() == refusal::full)) o.capacity = 1;
    if (case_.is_blocked()) o.overflow = overflow::block;
    return o;
}

cancel_source one_case::make_own() const {
    if (case_.waits() && case_.what == fate::deadline && case_.stops() == stopper::attached) return with_timeout(context::background(), 0ns);
    if (case_.is_refused() && case_.why() == refusal::blocked_late) return with_timeout(context::background(), 500us);   // passes in the wait for room
    return with_cancel();
}

void one_case::check(bool holds, const char* what) const {
    if (!holds) round_.check(false, ("the table: " + case_.to_text() + ": " + what).c_str());
}

task_plan one_case::plan_of(std::uint8_t end, bool begins) const noexcept {
    return {.ends = end, .must_begin = begins, .must_not_begin = !begins, .unbooked = case_.by == ending::destructor};
}

// Keeps every worker from the task, or the room of a pool that holds one.
void one_case::hold() {
    arrived_.emplace(case_.holders());
    for (unsigned i = 0; i < case_.holders(); ++i) {
        send<1>(round_.next(), plan_of(ends::succeeded, true), into(*pool_), [this, i] {
            arrived_->arrive_and_wait();   // what the first one submits is not to be stolen
            if (i == 0) first_holder();
            else rest_.pass();
        });
    }
    arrived_->wait();
}

void one_case::first_holder() {
    if (case_.is_refused()) return blocker();
    if (case_.where() == place::own_deque) submit();
    placed_.open();
    if (!case_.is_over_before_the_end()) return rest_.pass();
    first_.pass();
    if (case_.what == fate::sibling_fails) fail_a_sibling();
    if (case_.where() == place::claimed) handle_.wait();
}

// Keeps the room until all is seen. The caller is blocked, or about to be: to a stop that comes first, the same happens.
void one_case::blocker() {
    if (case_.is_blocked()) {
        about_to_block_.pass();
        for (unsigned i = 0; i < 20; ++i) std::this_thread::yield();   // to be likely to find it blocked
    }
    switch (case_.why()) {
        case refusal::blocked_stopped: check(own_.cancel(std::make_error_code(std::errc::interrupted)), "its context's first cancel did not do it"); break;
        case refusal::blocked_closed: pool_->close(); break;
        case refusal::blocked_failed: fail_a_sibling(); break;
        case refusal::shut_down:
            rest_.pass();
            return submit();
        case refusal::blocked_late:
        case refusal::closed:
        case refusal::full: break;
    }
    rest_.pass();
}

// On a worker, which waits for it and so runs it in place; beyond the capacity, so that no room is left when it is over (A5).
void one_case::fail_a_sibling() {
    cell& c = round_.next();
    task_plan plan = plan_of(ends::failed, true);
    plan.waiters = 1;
    const auto sibling = send<1>(c, plan, [this](auto&&... parts) { return group_->submit(std::forward<decltype(parts)>(parts)...); }, [] { throw numbered(of_sibling); });
    if (!sibling) return check(false, "its sibling was not accepted");
    sibling->wait();
    tell(c, *sibling);
}

// A6: what still runs in a pool that was shut down abruptly submits nothing any more.
void one_case::submit_from_a_task() {
    const shutdown_report now = pool_->shutdown_now(0ns);
    check(!now.complete && now.still_running.size() == 1, "an abrupt shutdown without patience does not show the task that still runs");
    rest_.open();
}

// The first does it, and its cause stays (E2).
void one_case::stop() {
    const std::error_code second = errc::discarded;
    switch (case_.begins() ? stopper::handle : case_.stops()) {
        case stopper::handle: check(handle_.cancel(), "E2: its handle's first cancel did not do it"); break;
        case stopper::attached:
            check(own_.cancel(std::make_error_code(std::errc::interrupted)), "E2: its context's first cancel did not do it");
            check(!own_.cancel(second), "E2: its context's second cancel did it");
            break;
        case stopper::group: group_->cancel(std::make_error_code(std::errc::operation_canceled)); break;
        case stopper::above_attached:
        case stopper::root: return;
    }
    check(!handle_.cancel(second), "E2: its handle's cancel did it, and came second");
}

// Between submission and the pool's end.
void one_case::bring_about() {
    if (case_.is_refused()) return rest_.open();
    if (case_.begins()) in_body_.pass();
    if (case_.what == fate::cancelled_running || case_.what == fate::cancelled_queued) stop();
    if (case_.is_over_before_the_end()) {
        first_.open();
        handle_.wait();
        while (more_begun_.load(std::memory_order_relaxed) < expected_.submitted) std::this_thread::yield();   // before the end could cancel them
    }
    if (case_.by != ending::shutdown_now) rest_.open();
}

void one_case::finish(const shutdown_report& end) {
    compare_books(end.ledger);
    round_.finish(end, expected_.books.held);
}

void one_case::wait_for_group() {
    const bool fails = case_.what == fate::sibling_fails, is_late = !fails && above_;
    try {
        group_->wait();
        check(!fails && !is_late, "its group's wait returned");
    } catch (const task_cancelled& e) {
        check(is_late && e.code() == errc::deadline_exceeded, "its group's wait says that it was stopped, or by another cause");
    } catch (...) {
        check(fails && failure_of(std::current_exception()) == of_sibling, "its group's wait threw another failure");
    }
    group_.reset();
}

void one_case::end_pool() {
    switch (case_.by) {
        case ending::rejected:
        case ending::drain: finish(pool_->shutdown()); break;
        case ending::destructor:   // nobody can ask for its books any more
            if (group_) wait_for_group();   // it may not outlive the pool
            pool_.reset();
            break;
        case ending::shutdown_now: {
            const context root = pool_->context();
            const std::stop_callback stands(root.stop_token(), [this] { rest_.open(); });   // what is at a gate goes on when the shutdown stands
            finish(pool_->shutdown_now());
            break;
        }
    }
    if (case_.waits() && case_.stops() == stopper::root) pool_.reset();   // unread, and not told of: it came about in bulk (E5)
    if (handle_.valid()) compare_handle();
    if (group_) wait_for_group();
    pool_.reset();
}

}   // namespace lastly::stress::scenarios
