// From a frame in hand to a task that is over: run, count, publish, retire.
// The thread that holds the frame. Invariants: 1. The ledger's columns are counted before the outcome is published (O4), `retired`
// after: equal sums mean that no thread touches a frame of the pool any more. 2. Nothing of the pool is touched after `retired`,
// except by threads that are counted inside.
#include "core/sched/pool_core.hpp"
#include "core/sched/room.hpp"
#include "core/task/chain.hpp"
#include "core/task/completion.hpp"
#include "core/task/context.hpp"
#include "core/task/group.hpp"
#include "core/task/run.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/build.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <memory>
#include <utility>

namespace lastly::detail {

namespace {

[[gnu::always_inline]] inline void count_outcome(account& books, outcome_kind kind) noexcept {
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

// The chain has run: the outcome is counted, then published.
[[gnu::always_inline]] inline void conclude_as(pool_core& pool, account& books, frame& f, run_record& r, const frame_ops& type, bool is_plain) noexcept {
    const bool has_handle = !is_plain && type.has_handle_part;
    const auto publish_it = [&] {
        if (has_handle) publish_to_handle(f, r);
        else if (!r.abandoned) free_frame(f, type, is_plain);   // else its captures may be in use for as long as the process lives
    };
    if (LASTLY_FAULT("O4-count")) {
        publish_it();
        for (int i = 0; i < 1000; ++i) yield_thread();
    }
    if (r.is_touched && (r.body_chain.deferred != nullptr || r.body_chain.early != nullptr)) run_late(f, r);
    books.main.take_finalizers(r);
    if (!has_handle || !std::exchange(r.is_counted, true)) {   // else what it called in `publish` has exited
        count_outcome(books, r.ended);
        if (has_handle) books.handed_out.add();
        if (pool.options.capacity != 0) give_room_back(pool);   // whoever is told of the outcome finds room
    }
    if (!LASTLY_FAULT("O4-count")) publish_it();
    if (has_handle) books.main.take_finalizers(r);   // what was registered meanwhile
}
[[gnu::noinline]] void conclude(pool_core& pool, account& books, frame& f, run_record& r) noexcept { conclude_as(pool, books, f, r, f.type(), false); }

// Nothing of it is left.
void retire(account& books) noexcept {
    if (!LASTLY_FAULT("L4-retired")) books.retired.add();
}

// Does this thread go on for that group after a member that interrupted what is given? It may go on for another group, or with a hook.
bool goes_on_for(const account& books, const group_core* g, const run_record* interrupted) noexcept {
    if (!books.worker || this_thread.self == nullptr) return false;   // or this is a child, where nothing goes on
    const worker& w = *this_thread.self;
    return interrupted == nullptr ? !w.in_hook : interrupted->group == g || w.awaited == g;
}

// A member is over on this thread, which goes on with what it had interrupted (core/task/group.hpp).
[[gnu::noinline]] void leave_group(account& books, group_core& g, const run_record* interrupted) noexcept {
    g.leave(books.place_in_groups);
    if (!books.worker) return g.tell(books.place_in_groups);
    turn_to(books, &g);
    if (!goes_on_for(books, &g, interrupted)) turn_to(books, nullptr);
}

}   // namespace

namespace {

std::uint32_t gate_for_stops(const pool_core& pool) noexcept { return LASTLY_FAULT("S1") ? 0 : pool.anchor->gate_now(); }

[[gnu::noinline]] bool is_stopped(const pool_core& pool, frame& f, run_record& r) noexcept {
    std::error_code cause;
    if (!find_stop(f, {attached_context(f), r.group != nullptr ? r.group->context() : nullptr, gate_for_stops(pool)}, cause)) return false;
    r.cause = cause;
    return true;
}

}   // namespace

// The pool's end, as the gate tells it, is what stops tasks from now on.
[[gnu::noinline]] void task_runner::learn_end(std::uint32_t gate) noexcept {
    gate_ = gate;
    end_ = end_cause(gate);
    is_bulk_ = is_bulk_cause(end_);
}

// A task with neither handle nor context of its own learns of its stop from its group and its pool.
[[gnu::always_inline]] inline bool task_runner::is_plain_stopped(frame& f) noexcept {
    run_record& r = record_;
    if (r.group != nullptr) return (pool_.anchor->abrupt() || r.group->context()->stopped()) && is_stopped(pool_, f, r);
    const std::uint32_t gate = gate_for_stops(pool_);
    if ((gate & gate_abrupt) == 0) return false;
    if (gate != gate_) learn_end(gate);
    r.cause = end_;
    r.is_dropped = is_bulk_;
    return true;
}

// A frame's run around its execution: at its end, also when the thread is left, the task is counted, published and retired. Until it is
// published, which may run a destructor or the sink, it is this thread's current run, and the watchdog sees it.
class run_end {
public:
    run_end(task_runner& by, frame& f, const frame_ops& type) noexcept : by_(by), task_(f), type_(type) {
        this_thread.current = &by.record_;
        by.books_.now.store(&f, release);   // order: [K2] the watchdog sees a frame that was handed out
    }
    [[gnu::always_inline]] ~run_end() {
        run_record& r = by_.record_;
        account& books = by_.books_;
        if (type_.is_plain) conclude_as(by_.pool_, books, task_, r, type_, true);
        else conclude(by_.pool_, books, task_, r);
        books.now.store(by_.interrupted_, release);   // order: [K2] the task that was interrupted is shown again
        retire(books);
        this_thread.current = by_.outer_;
        if (r.group == nullptr) return;   // else whoever waits for the group finds nothing of this task alive
        if (by_.goes_on_ && books.works_for == r.group) r.group->leave(books.place_in_groups);
        else leave_group(books, *r.group, by_.outer_);
    }
    run_end(const run_end&) = delete;
    run_end& operator=(const run_end&) = delete;

private:
    task_runner& by_;
    frame& task_;
    const frame_ops& type_;
};

task_runner::task_runner(pool_core& pool, account& books) noexcept
    : pool_(pool), books_(books), outer_(this_thread.current), interrupted_(books.now.load(relaxed)) {   // order: this thread's own
    prepare();
}

// The record is as it was made, but for what is the same in each run.
void task_runner::prepare() noexcept {
    number_ = 0;
    enter_pool(record_, *pool_.anchor);
    record_.outer = outer_;
    record_.books = &books_;
    if (books_.worker && this_thread.self != nullptr) record_.forks = &this_thread.self->branches;
}

[[gnu::always_inline]] inline void task_runner::run(frame& f) {
    run_record& r = record_;
    const frame_ops& type = f.type();
    static_cast<run_marks&>(r) = run_marks();
    if (const std::uint32_t number = f.state.load(relaxed) >> group_shift; number != number_) {   // order: this thread holds the frame
        number_ = number;
        r.group = number != 0 ? &group_at(number) : nullptr;
        goes_on_ = goes_on_for(books_, r.group, outer_);
    }
    if (books_.works_for != r.group && books_.worker) turn_to(books_, r.group);
    if (type.is_plain ? is_plain_stopped(f) : is_stopped(pool_, f, r)) r.start = LASTLY_FAULT("C2");
    if (LASTLY_FAULT("O4") && type.has_handle_part) f.state.fetch_or(done, acq_rel);   // order: [T4] a planted fault: too early
    {
        const run_end end(*this, f, type);
        execute(f, r, type);
    }
    if (r.is_worn || r.shared_word.load(relaxed) != 0) {   // order: this thread's own by now: its branches are over
        std::destroy_at(&r);
        std::construct_at(&r);
        prepare();
    }
}

void task_runner::run_all(frame* f, frame* (*next)(void*), void* argument) {
    for (; f != nullptr; f = next(argument)) {
        if (f->type().has_handle_part && take_from_queue(*f) == take_result::was_husk) continue;
        run(*f);
    }
}

void end_runs_here(std::error_code cause) {
    if (this_thread.self != nullptr) {
        while (this_thread.self->branches.pop()) {}   // what nobody has begun is not begun
    }
    for (run_record* r = this_thread.current; r != nullptr; r = r->outer) {
        this_thread.current = r;   // those above it are over
        abandon(*r, cause);
        if (r->books != nullptr) r->books->now.store(nullptr, release);   // order: [K2] it is over
        if (r->part != nullptr) {
            end_stolen(*r, branch_end::left);
        } else if (r->books != nullptr && !r->rejected) {
            pool_core& pool = *r->pool->core;
            conclude(pool, *r->books, *r->task, *r);
            retire(*r->books);
            this_thread.current = r->outer;
            if (r->group != nullptr) leave_group(*r->books, *r->group, r->outer);
            if (r->books->worker) turn_to(*r->books, nullptr);   // those beneath it may need whoever waits for the group
            tell_watchers(pool);
        } else if (r->rejected && r->pool != nullptr) {
            count_refusal(*r);   // the call never departs: it is beneath
        }
    }
    this_thread.current = nullptr;
    blocked_caller::leave_all();
    if (this_thread.self == nullptr) return;
    this_thread.self->books.now.store(nullptr, release);   // order: [K2] a stolen branch is over
    turn_to(this_thread.self->books, nullptr);
    tell_watchers(this_thread.self->pool);
}

namespace {

bool is_husk(const frame& f) noexcept {
    const frame_ops* const ops = f.ops.load(relaxed);   // order: a thief may have it, and the frame be another's, or zeros: then the pop fails
    return ops != nullptr && ops->has_handle_part && (f.state.load(acquire) & taken) != 0;   // order: [T1] sees the claim
}

constexpr deque_filter husks{[](const deque_item& item, void*) { return is_husk(*item.task); }, nullptr};

// Husks at the young end of the worker's own deque, where waits leave them.
void throw_husks_away(worker& w) noexcept {
    for (deque_item item; w.tasks.pop_if(husks, item);) take_from_queue(*item.task);
}

constexpr std::uint32_t husks_before_sweep = 64;

// Husks in places that a busy worker does not come to: at the old ends of deques, and in the injector.
void sweep(worker& w) noexcept {
    const unsigned crew = w.pool.workers.size();
    deque_item item;
    for (unsigned i = 0; i < crew; ++i) {
        while (w.pool.workers[i].tasks.steal_if(husks, item)) take_from_queue(*item.task);
    }
    while (w.pool.helpers.steal_if(husks, item)) take_from_queue(*item.task);
    fetch_batch(w);
    throw_husks_away(w);
}

// The frame, if it is the youngest in the worker's own deque: then it leaves no husk. False also if somebody was faster.
bool take_youngest(worker& w, frame& f) noexcept {
    const deque_filter is_it{[](const deque_item& item, void* wanted) { return item.task == wanted; }, &f};
    deque_item item;
    return w.tasks.pop_if(is_it, item) && take_from_queue(f) == take_result::mine;
}

}   // namespace

deeper::deeper(worker& w) noexcept : worker_(w) {
    ++worker_.help_depth;
    offer_all_branches(w.branches);   // of what waits below: nobody comes back to it before this is over
}
deeper::~deeper() {
    --worker_.help_depth;
    if (worker_.in_hook) tell_watchers(worker_.pool);   // whoever waits for quiescence would not hear of it before the hook ends
}

void run_while_waiting(worker& w, branch& b) {
    deeper level(w);
    run_stolen(w, b);
    level.end();
}

bool run_in_place(pool_core& pool, frame& f) {
    worker& w = *this_thread.self;
    if (w.help_depth >= pool.options.tuning.help_depth) return false;
    const bool leaves_husk = !take_youngest(w, f);
    if (leaves_husk && !claim_in_place(f)) return false;
    {
        deeper level(w);
        task_runner(pool, w.books).run(f);
        level.end();
    }
    throw_husks_away(w);
    if (leaves_husk && ++w.husks_left % husks_before_sweep == 0) sweep(w);
    return true;
}

}   // namespace lastly::detail
