// A task's account, kept outside the library: a cell in memory that the judge's process shares and that survives this one.
// Every event adds to a field of one word, so that what happens twice shows; plain fields beside it are written by whoever the library says
// is next (submitter, body, finalizers in their order, waiter), so that a wrong order, a second run or a missing publication shows.
// Relaxed additions only: stronger ones would hide the library's races from the thread sanitizer.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace lastly::stress {

// What happens to a task, as fields of its word. `thrown`: finalizers that were left by an exception. `told`: waiters that were released.
enum class event : unsigned {
    submitted, refused, begun, over, attached_0, attached_1, attached_2, registered, deferred, thrown,
    saw_succeeded, saw_failed, saw_cancelled, saw_rejected, told, alive
};

struct field {
    unsigned shift, bits;
};
// `alive`, the captures not yet destroyed, comes last: one destroyed twice borrows from nobody.
constexpr field field_of(event e) noexcept {
    constexpr unsigned bits[] = {3, 3, 3, 3, 3, 3, 3, 8, 8, 6, 3, 3, 3, 3, 3, 6};
    unsigned shift = 0;
    for (unsigned i = 0; i < static_cast<unsigned>(e); ++i) shift += bits[i];
    return {shift, bits[static_cast<unsigned>(e)]};
}
static_assert(field_of(event::alive).shift + field_of(event::alive).bits <= 64);

constexpr std::uint64_t one(event e) noexcept { return std::uint64_t{1} << field_of(e).shift; }
constexpr unsigned count_of(std::uint64_t word, event e) noexcept {
    return static_cast<unsigned>(word >> field_of(e).shift & ((std::uint64_t{1} << field_of(e).bits) - 1));
}

// Outcomes that the law allows, as a set.
namespace ends {
inline constexpr std::uint8_t succeeded = 1, failed = 2, cancelled = 4, rejected = 8, any = 15;
}   // namespace ends

// What will lawfully become of a task: written by its submitter, read by the judge.
struct task_plan {
    std::uint8_t attached = 1;           ///< finalizers attached at submission, at most 3
    std::uint8_t waiters = 0;            ///< who will be told that it is over
    std::uint8_t ends = ends::any;       ///< outcomes that may be
    bool must_begin = false;             ///< the body runs, whatever else happens
    bool must_not_begin = false;
    bool edited = false;                 ///< a finalizer replaces the outcome (E3)
    bool discarded = false;              ///< made, and destroyed unsubmitted: belongs to no ledger
    bool unbooked = false;               ///< its pool ends without showing its ledger
    bool left = false;                   ///< its body, or a finalizer, was left for good: captures stay (P2)
    bool cut = false;                    ///< its process may end at any moment without running anything (P7): what happened at all happened once
};

// The first rule that the plain fields saw broken.
enum class broken : std::uint8_t {
    nothing, body_out_of_turn, finalizer_beside_body, deferred_out_of_order, attached_out_of_order, touched_after_told, told_too_early, capture_spoiled, outcome_changed,
    finalizer_beside_another, deferred_at_once, started_wrong
};

/// One task's account. 32 bytes; cleared by the judge between rounds.
struct alignas(32) cell {
    enum class stage : std::uint8_t { unused, submitted, running, finalizing, told };

    std::atomic<std::uint64_t> word{0};
    task_plan plan{};
    stage at = stage::unused;
    broken fault = broken::nothing;
    std::uint8_t attached_left = 0;
    bool registering = false;            // within a call of defer: what it cannot store runs at once (A3)
    bool busy = false;                   // its body, or one of its finalizers, runs
    std::uint8_t saw = 0;                // the outcome that the last finalizer saw
    std::uint16_t depth = 0;             // deferred finalizers that are to come

    void add(event e) noexcept { word.fetch_add(one(e), std::memory_order_relaxed); }
    void take(event e) noexcept { word.fetch_sub(one(e), std::memory_order_relaxed); }
    void blame(broken b) noexcept {
        if (fault == broken::nothing) fault = b;
    }

    unsigned count(event e) const noexcept { return count_of(word.load(std::memory_order_relaxed), e); }

    // Around its body and each of its finalizers; what was before has to be handed back.
    bool enter() noexcept {
        if (busy && !registering) blame(broken::finalizer_beside_another);
        return std::exchange(busy, true);
    }
    void leave(bool before) noexcept { busy = before; }

    void submit(task_plan p) noexcept {
        plan = p;
        std::atomic_signal_fence(std::memory_order_seq_cst);   // first: its process may be killed here
        attached_left = p.attached;
        at = stage::submitted;
        add(event::submitted);
    }
    void refuse() noexcept { add(event::refused); }
    void begin() noexcept {
        if (at != stage::submitted) blame(broken::body_out_of_turn);
        at = stage::running;
        add(event::begun);
    }
    void end() noexcept {
        if (at != stage::running) blame(broken::body_out_of_turn);
        at = stage::finalizing;
        add(event::over);
    }
    // By its body, which from here on never goes on: it calls exit, or waits for what does (P2).
    void leave_for_good() noexcept {
        plan.left = true;
        busy = false;
        end();
    }
    // It goes on all the same: what it waited for has exited on another thread. None of its finalizers may have run.
    void come_back() noexcept {
        if (attached_left != plan.attached || depth != count(event::registered)) blame(broken::finalizer_beside_body);
        plan.left = false;
        busy = true;
        at = stage::running;
        take(event::over);
    }
    // By one of its finalizers, which never goes on.
    void leave_finalizer_for_good() noexcept {
        plan.left = true;
        busy = false;
    }
    // Before the call of defer; returns the finalizer's place.
    std::uint16_t register_one() noexcept {
        add(event::registered);
        registering = true;
        return depth++;
    }
    // After it; `stored`: it did not throw, so the finalizer has not run.
    void registered(std::uint16_t place, bool stored) noexcept {
        registering = false;
        if (stored && depth != place + 1) blame(broken::deferred_at_once);
    }
    void run_deferred(std::uint16_t place) noexcept {
        if (at == stage::told) blame(broken::touched_after_told);
        else if (at == stage::submitted || (at == stage::running && !registering)) blame(broken::finalizer_beside_body);
        else if (depth != place + 1) blame(broken::deferred_out_of_order);
        depth = place;
        add(event::deferred);
    }
    // `position` as listed; `end`: the outcome it was shown, as one of `ends`; `started`: what that says of the body.
    void run_attached(unsigned position, std::uint8_t end, bool started) noexcept {
        if (started != (count(event::begun) != 0)) blame(broken::started_wrong);
        if (at == stage::told) blame(broken::touched_after_told);
        else if (at == stage::running) blame(broken::finalizer_beside_body);
        else if (depth != 0 || attached_left != position + 1) blame(broken::attached_out_of_order);
        at = stage::finalizing;
        attached_left = static_cast<std::uint8_t>(position);
        add(static_cast<event>(static_cast<unsigned>(event::attached_0) + position));
        if (position == 0) see(end);
    }
    static constexpr event saw_event(std::uint8_t end) noexcept {
        return end == ends::succeeded ? event::saw_succeeded : end == ends::failed ? event::saw_failed : end == ends::cancelled ? event::saw_cancelled : event::saw_rejected;
    }
    void see(std::uint8_t end) noexcept {
        saw = end;
        add(saw_event(end));
    }
    // The last finalizer changed the outcome that it was shown.
    void see_instead(std::uint8_t end) noexcept {
        take(saw_event(saw));
        see(end);
    }
    // Is there nothing left of it, as whoever waited for it may expect? The witness's own look: by a waiter that was released.
    void expect_over() noexcept {
        if (busy || at == stage::running || attached_left != 0 || depth != 0 || count(event::alive) != 0) blame(broken::told_too_early);
    }
    // By a waiter that was released; by the last one, if there are several.
    void tell(std::uint8_t end) noexcept {
        expect_over();
        if (saw == 0) see(end);
        else if (saw != end) blame(broken::outcome_changed);
        at = stage::told;
        add(event::told);
    }
};
static_assert(sizeof(cell) == 32);

/// A capture that knows whether it is where it should be. Its owner is counted in the task's `alive`; moving hands that over.
class canary {
public:
    explicit canary(cell& c) noexcept : task_(&c), self_(this) { c.add(event::alive); }
    canary(canary&& o) noexcept : task_(o.task_), self_(this), is_owner_(o.is_owner_) {
        o.check();
        o.is_owner_ = false;
    }
    canary& operator=(canary&&) = delete;
    ~canary() {
        check();
        if (is_owner_) {
            if (task_->at == cell::stage::told) task_->blame(broken::touched_after_told);
            task_->take(event::alive);
        }
        *const_cast<const canary* volatile*>(&self_) = nullptr;   // volatile: whoever uses it from now on has to see that
    }
    /// The task; blames whoever uses a capture that was moved from, copied as bytes, or destroyed.
    cell& task() const noexcept {
        if (!is_owner_) task_->blame(broken::capture_spoiled);
        check();
        return *task_;
    }

private:
    void check() const noexcept {
        if (self_ != this) task_->blame(broken::capture_spoiled);
    }

    cell* task_;
    const canary* self_;
    bool is_owner_ = true;
};

}   // namespace lastly::stress
