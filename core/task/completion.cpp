// See completion.hpp; the state word's table and the edges T1 to T5 are in README.md here.
#include "core/task/completion.hpp"

#include "core/base/clock.hpp"
#include "core/base/process.hpp"
#include "core/base/test_point.hpp"
#include "core/base/thread.hpp"
#include "core/structures/frame_store.hpp"
#include "core/task/context.hpp"
#include "core/task/group.hpp"
#include "core/task/run.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/handle.hpp"
#include "lastly/detail/thread_block.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace lastly::detail {

namespace {

// How often a waiter looks before it sleeps. Whoever spins on keeps the CPU that a worker would get which it has woken.
constexpr int looks_after_wake = 20;
constexpr int looks = 60;                // if it has woken nobody: longer than a hand-over takes while everybody is awake
constexpr int looks_beside_it = 128;     // more, once some CPU runs it: 3 to 4 us, about what a sleep and its end would cost
constexpr auto least_limit = std::chrono::microseconds(100);   // of a wait that looks as long as that

bool is_worth_reporting(const outcome& o) noexcept { return o.failed() || (o.cancelled() && !is_bulk_cause(o.cause())); }

void refuse_to_wait_for_oneself(const frame& f) {
    for (const run_record* r = this_thread.current; r != nullptr; r = r->outer) {
        if (r->task == &f && !LASTLY_FAULT("W4")) {
            throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur), "lastly: a task waits for its own handle");
        }
    }
}

// The handle goes; the outcome has been published.
void drop_done(frame& f) noexcept {
    const outcome& o = *f.type().outcome_in(f);
    if (is_worth_reporting(o)) {
        pool_anchor& a = *f.owner.load(acquire);   // order: [F2] the pool's, or nobody's if that is gone
        if (const visit here(a); here && (f.state.fetch_or(read, acq_rel) & read) == 0) report_unread(a, f, o);   // order: [T5] one reporter only wins this
    }
    std::uint32_t now = f.state.fetch_or(read | leaving, acq_rel);   // order: [T5] no walker pins it from now on
    const bool has_value = o.succeeded();
    while ((now & pinned) != 0) {   // a walker reads the outcome: the rest is left to it, unless a destructor of the user's is to run
        if (has_value) {            // here: then the walker, which has nothing to report, is waited for
            yield_thread();
            now = f.state.load(acquire);   // order: [T4] sees that the walker has left
        } else if (f.state.compare_exchange_weak(now, now & ~handle, acq_rel, acquire)) return;   // order: [T4] the walker frees after this
    }
    f.type().destroy_result(f);
    drop_reference(f, handle);
}

void unpin(frame& f) noexcept {
    std::uint32_t now = f.state.load(acquire);   // order: [T4] sees what the handle did
    while ((now & handle) != 0) {
        if (f.state.compare_exchange_weak(now, now & ~pinned, acq_rel, acquire)) return;   // order: [T4] the handle frees after this
    }
    f.type().destroy_result(f);
    drop_reference(f, pinned);
}

// A finished task that only a handle keeps: it is reported if nobody looked at it, and belongs to no pool from now on.
void leave_to_handle(frame& f, void* argument) {
    pool_anchor& a = *static_cast<pool_anchor*>(argument);
    const std::uint64_t before = f.progress.load(acquire);   // order: [F1] sees the fields of the phase
    if (phase_of(before) != phase::held || f.owner.load(acquire) != &a) return;   // order: [F2] sees at least the building phase of a newer task
    std::uint32_t now = f.state.load(acquire);   // order: [T4] sees the published outcome
    do {
        while ((now & pinned) != 0) {   // by mistake, by the walker of another pool that has yet to look again
            yield_thread();
            if (f.progress.load(acquire) != before) return;   // order: [F1] another task's frame by now
            now = f.state.load(acquire);                      // order: [T4] sees the published outcome
        }
        if ((now & (handle | done | leaving)) != (handle | done)) return;
    } while (!f.state.compare_exchange_weak(now, now | pinned, acq_rel, acquire));   // order: [T5] one walker only pins it
    if (f.progress.load(acquire) == before) {   // order: [F1] the frame is pinned: it is this task, or a newer one that is not ours
        const outcome& o = *f.type().outcome_in(f);
        const bool unread = (f.state.fetch_or(read, acq_rel) & read) == 0;   // order: [T5] one reporter only wins this
        if (unread && is_worth_reporting(o)) report_unread(a, f, o);
        f.owner.store(&nobodys_anchor(), release);   // order: [F2] shows a walker a held task that is no pool's
    }
    unpin(f);
}

// A thread's sleep until a task is over, or a deadline has passed.
struct handle_wait {
    frame& task;
    std::chrono::steady_clock::time_point deadline;

    bool is_endless() const noexcept { return deadline == std::chrono::steady_clock::time_point::max(); }
    static bool is_over(void* self) noexcept {
        const auto& w = *static_cast<handle_wait*>(self);
        return is_done(w.task) || (!w.is_endless() && steady_now() >= w.deadline);
    }
    static void sleep(void* self) noexcept {
        const auto& w = *static_cast<handle_wait*>(self);
        std::uint32_t now = w.task.state.fetch_or(waited, acq_rel) | waited;   // order: [T4] sees the outcome if it is done; else the publisher sees the waiter
        while ((now & done) == 0) {
            if (w.is_endless()) futex_wait(w.task.state, now);
            else if (!futex_wait_until(w.task.state, now, w.deadline)) return;
            now = w.task.state.load(acquire);   // order: [T4] sees the outcome
        }
    }
};

// A member's error is its group's. True: nobody else need be told.
bool settle_with_group(run_record& r) noexcept {
    group_core& g = *r.group;
    bool told;
    if (r.chain->result->failed()) {
        told = g.add_failure(r);
        if (g.cancels_siblings() && !LASTLY_FAULT("fail-fast")) g.cancel(errc::sibling_failed);
    } else {
        told = g.context()->stopped();   // its owner knows why
        const std::uint32_t gate = r.chain->result->cause() == errc::process_exit ? gate_exit : r.pool->gate_now();
        if (r.chain->result->cause() == end_cause(gate)) g.note_dropped(gate | gate_abrupt);
    }
    if (told && r.task->type().has_handle_part) mark_read(*r.task);
    return told;
}

}   // namespace

void report_unread(pool_anchor& a, frame& f, const outcome& o) noexcept {
    error_report report;
    report.kind = o.failed() ? report_kind::failed : report_kind::cancelled;
    report.name = name_of(f);
    report.site = f.site();
    report.error = o.error();
    report.cause = o.cause();
    a.sink->report(report);
}

namespace {

// The handle takes the error, or the sink is told: then true.
[[gnu::noinline]] bool settle_error(run_record& r) noexcept {
    frame& f = *r.task;
    const bool known = is_told(r, r.chain->result->error());   // a finalizer threw it: the sink was told then
    if (f.type().has_handle_part) {
        if ((f.state.load(acquire) & handle) != 0 && !known) return false;   // order: [T4] sees what a dropped handle did
        mark_read(f);
    }
    if (!known) report_unread(*r.pool, f, *r.chain->result);
    return !known;
}

[[gnu::noinline]] bool settle_member(run_record& r) noexcept {
    if (!settle_with_group(r) && is_worth_reporting(*r.chain->result)) settle_error(r);
    return true;   // the group's stop may have had callbacks
}

}   // namespace

bool settle(run_record& r) noexcept {
    if (r.pool == nullptr || std::exchange(r.is_settled, true)) return false;   // a discarded task is nobody's error; a sink that calls exit is told once
    if (r.group != nullptr) return settle_member(r);
    return is_worth_reporting(*r.chain->result) && settle_error(r);
}

namespace {

// What the result's destructor, or the sink, registered.
void run_registered(run_record& r) {
    r.body_is_over = false;   // no chain is left to go on with
    while (r.chain->deferred != nullptr || r.chain->spent != nullptr) {
        run_deferred(r);
        if (r.abandoned) r.chain->spent = nullptr;   // one of them may be what left the run
        else destroy_spent(r);
    }
    r.chain->early = nullptr;   // nothing is left that it could fail
}

// True: whoever holds the handle has the outcome now, and this thread has touched the frame for the last time.
bool hand_to_handle(frame& f) noexcept {
    std::uint32_t now = f.state.load(acquire);   // order: [T4] sees what a dropped handle did
    const std::uint32_t* const address = f.state.address();
    f.show(phase::held, 0, 0);
    LASTLY_POINT("publishing");
    if (LASTLY_FAULT("untold") && !f.type().outcome_in(f)->started()) return true;
    while ((now & handle) != 0) {
        if (f.state.compare_exchange_weak(now, now | done, acq_rel, acquire)) {   // order: [T4] publishes the outcome: the last touch
            LASTLY_POINT("told");
            if ((now & waited) != 0) futex_wake_all(address);
            return true;
        }
    }
    return false;
}

}   // namespace

namespace {

// What the end of the task's errors registered: they are gone, and another one stands for them.
void run_without_error(run_record& r) {
    while (r.body_chain.deferred != nullptr || r.body_chain.early != nullptr) {   // again if an error of these does the same
        outcome_access::on_stack<void> last;
        if (r.start) outcome_access::started(last.value);
        if (r.ended == outcome_kind::cancelled) outcome_access::cancel(last.value, r.cause);
        if (r.ended == outcome_kind::failed) outcome_access::fail(last.value, std::make_exception_ptr(std::runtime_error("lastly: the task's error is gone; its end deferred this")));
        r.body_chain.result = &last.value;
        run_registered(r);
        forget_errors(r);
    }
}

// Nobody has the handle: the result goes here.
void end_result(frame& f, run_record& r) {
    outcome last(*f.type().outcome_in(f));
    r.body_chain.result = &last;
    r.is_unheld = r.is_worn = true;   // from here on only deferred finalizers are left to run
    const bool unread = (f.state.fetch_or(read, acq_rel) & read) == 0;   // order: [T5] one reporter only wins this
    if (unread && is_worth_reporting(last)) report_unread(*f.owner.load(relaxed), f, last);   // order: this thread stored it or got it with the frame
    f.type().destroy_result(f);
    run_registered(r);
}

}   // namespace

void run_late(frame& f, run_record& r) {
    r.is_worn = true;
    if (f.type().has_handle_part) run_registered(r);   // its outcome is there
    else run_without_error(r);
}

void publish_to_handle(frame& f, run_record& r) noexcept {
    if (r.abandoned) keep_frames();
    if (r.is_unheld) {
        run_registered(r);
    } else {
        if (hand_to_handle(f)) return;
        end_result(f, r);
        run_without_error(r);
    }
    f.show(phase::held, 0, 0);
    if ((f.state.fetch_or(done, acq_rel) & husk) == 0 && !r.abandoned) free_frame(f);   // order: [T4] a husk's finder frees after this
}

void leave_to_handles(pool_anchor& a) { walk_frames(&leave_to_handle, &a); }

bool is_done(const frame& f) noexcept {
    if (LASTLY_FAULT("S6") && f.owner.load(relaxed) == &nobodys_anchor()) return false;   // order: a planted fault, no matter
    return (f.state.load(acquire) & done) != 0;   // order: [T4] sees the outcome and all that the task did
}

namespace {

// Is it under way on some thread? Of a task whose handle is at hand.
bool is_running(const frame& f) noexcept {
    const phase p = phase_of(f.progress.load(relaxed));   // order: a hint: a look more or less
    return p == phase::running || p == phase::finalizing;
}

}   // namespace

bool wait_for_done(frame& f, std::chrono::nanoseconds limit) {
    if (is_done(f)) return true;
    f.owner.load(acquire)->refuse_to_wait_if_inherited();   // order: [F2] the handle's own frame
    refuse_to_wait_for_oneself(f);
    const auto deadline = deadline_after(limit);
    if (LASTLY_FAULT("W3") && this_thread.home != nullptr) this_thread.home->run_in_place(*this_thread.home->core, f);
    const bool has_woken = std::exchange(this_thread.has_woken, false), is_brief = limit < least_limit;
    const int at_least = has_woken || is_brief ? looks_after_wake : looks;
    const int at_most = is_brief ? at_least : at_least + looks_beside_it;
    for (int i = 0; i < at_most; ++i) {
        if (is_done(f)) return true;
        if (i >= at_least && !is_running(f)) break;
        pause_cpu();
    }
    handle_wait wait{f, deadline};
    const waiting told{f.owner.load(acquire), &handle_wait::is_over, &handle_wait::sleep, &wait, wait.is_endless()};   // order: [F2] the handle's own frame
    if (this_thread.home != nullptr) this_thread.home->stand_aside(told);
    else handle_wait::sleep(&wait);
    return is_done(f);
}

void wait_for_done(frame& f) {
    if (is_done(f)) return;
    refuse_to_wait_for_oneself(f);
    pool_anchor* const home = this_thread.home;
    if (home != nullptr && f.owner.load(acquire) == home && home->run_in_place(*home->core, f)) return;   // order: [F2] the handle's own frame
    wait_for_done(f, forever);
}

bool request_stop(frame& f, std::error_code cause) noexcept {
    context group;
    if (const std::uint32_t number = group_of(f)) group = group_at(number).context_from_outside();
    if (is_done(f)) return false;   // then the group may be another's by now
    std::error_code first;          // what stops it anyway came before
    if (stop_sources{attached_context(f), context_access::node_or_null(group), f.owner.load(acquire)->gate_now()}.find(first)) {   // order: [F2] the handle's own frame
        set_stop(f, first);
        return false;
    }
    return set_stop(f, cause ? cause : make_error_code(errc::cancelled));
}

void mark_read(frame& f) noexcept { f.state.fetch_or(read, acq_rel); }   // order: [T5] one reporter only wins this

void drop_handle(frame& f) noexcept {
    std::uint32_t now = f.state.load(acquire);   // order: [T4] sees the outcome if it is done
    while ((now & done) == 0) {
        if (f.state.compare_exchange_weak(now, now & ~handle, acq_rel, acquire)) return;   // order: [T4] the running thread frees after this
    }
    drop_done(f);
}

void discard_outside(frame& f, const char* what) {
    discard_frame(f);
    throw std::logic_error(std::string("lastly: ") + what + " outside a task of a pool");
}

void note_maker(frame& f) noexcept { f.stamp.store(fork_generation(), release); }   // order: [F2] shows a walker the building phase
bool is_inherited(const frame& f) noexcept { return f.stamp.load(relaxed) != fork_generation(); }   // order: its holder wrote it

namespace {

// The end of a frame that nobody accepted; also when a finalizer leaves the thread (P4).
struct frame_end {
    frame& f;
    ~frame_end() {
        f.type().destroy_result(f);
        free_frame(f);
    }
};

}   // namespace

void discard_frame(frame& f) {
    run_record r;
    r.start = false;
    r.rejected = true;
    r.cause = errc::discarded;
    const frame_end end{f};
    const run_scope scope(r);
    nothing_caught here;   // the task may go within a catch
    execute(f, r, f.type());
    here.restore();
}

}   // namespace lastly::detail
