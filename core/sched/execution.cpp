// From a frame in hand to a task that is over: run, count, publish, retire.
// The thread that holds the frame. Invariants: 1. The ledger's columns are counted before the outcome is published (O4), `retired`
// after: equal sums mean that no thread touches a frame of the pool any more. 2. Nothing of the pool is touched after `retired`,
// except by threads that are counted inside.
#include "core/sched/pool_core.hpp"
#include "core/task/completion.hpp"
#include "core/task/group.hpp"
#include "core/task/run.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/fault.hpp"

#include <optional>
#include <utility>

namespace lastly::detail {

namespace {

void count_outcome(account& books, outcome_kind kind) noexcept {
    switch (kind) {
    case outcome_kind::succeeded:
        if (!LASTLY_FAULT("L2-succeeded")) books.succeeded.add();
        break;
    case outcome_kind::failed:
        if (!LASTLY_FAULT("L2-failed")) books.failed.add();
        break;
    default:
        if (!LASTLY_FAULT("L2-cancelled")) books.cancelled.add();
    }
}

}   // namespace

void run_frame(pool_core& pool, account& books, frame& f) noexcept {
    run_record r;
    r.pool = pool.anchor;
    if (const std::uint32_t number = f.state.load(relaxed) >> group_shift) r.group = &group_at(number);   // order: this thread holds the frame
    if (books.credit_of != r.group) turn_to(books, r.group);
    const stop_sources others{attached_context(f), r.group != nullptr ? r.group->context() : nullptr, pool.anchor->abrupt() && !LASTLY_FAULT("S1")};
    r.start = !find_stop(f, others, r.cause) || LASTLY_FAULT("C2");
    std::optional<run_scope> scope(std::in_place, r);   // until after publish: that may run a destructor or the sink
    if (LASTLY_FAULT("O4") && f.type().has_handle_part) f.state.fetch_or(done, acq_rel);   // order: [T4] a planted fault: too early
    std::optional<shown_frame> shown(std::in_place, &books, f);   // until after publish, too
    execute(f, r);
    if (LASTLY_FAULT("O4-count")) {
        publish(f, r);
        for (int i = 0; i < 1000; ++i) yield_thread();
    }
    books.main.take_finalizers(r);
    count_outcome(books, r.ended);
    const bool bounded = pool.options.capacity != 0;
    if (bounded) pool.unfinished.fetch_sub(1, seq_cst);   // order: [C1] before the look at the blocked callers; whoever is told finds room
    if (!LASTLY_FAULT("O4-count")) publish(f, r);
    shown.reset();
    books.main.take_finalizers(r);
    if (bounded) pool.room.notify_all();
    if (!LASTLY_FAULT("L4-retired")) books.retired.add();
    scope.reset();
    if (r.group != nullptr) earn_credit(books, *r.group);   // whoever waits for the group finds nothing of this task alive
}

void run_from_queue(pool_core& pool, account& books, frame& f) noexcept {
    if (f.type().has_handle_part && take_from_queue(f) == take_result::was_husk) return;
    run_frame(pool, books, f);
}

}   // namespace lastly::detail
