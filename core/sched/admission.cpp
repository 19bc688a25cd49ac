// The way in: a submission is accepted, or its chain runs here and it is rejected.
// Any thread. Invariants: 1. An attempt is announced before the gate is read (A4): the closer sees the attempt, or the attempt
// sees the gate. 2. An accepted task is published, whatever memory is left. 3. The announcement of a thread that is no worker also
// counts in the injector's sum: no worker goes to sleep while a task is on its way in. See README.md here.
#include "core/base/clock.hpp"
#include "core/base/test_point.hpp"
#include "core/base/thread.hpp"
#include "core/sched/pool_core.hpp"
#include "core/sched/room.hpp"
#include "core/task/chain.hpp"
#include "core/task/group.hpp"
#include "core/task/run.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/build.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/handle.hpp"
#include "lastly/detail/thread_block.hpp"

namespace lastly::detail {

namespace {

bool is_rejecting(std::uint32_t gate, bool from_a_task) noexcept {
    if (LASTLY_FAULT("A6")) from_a_task = false;
    if (LASTLY_FAULT("A4")) return false;
    return (gate & gate_abrupt) != 0 || ((gate & gate_closed) != 0 && !from_a_task);
}

// To the worker's own deque.
inline void push(pool_core& pool, worker& w, frame& f, const group_core* group) noexcept {
    if (!w.tasks.push({&f, group != nullptr ? group->number() : 0})) {
        w.books.spilled.announce();
        pool.entrance.spill(f);
    }
    LASTLY_POINT("queued");
    pool.idle.notify();
}

// To the injector.
inline void push(pool_core& pool, account& books, frame& f) noexcept {
    pool.entrance.push(books.door.get(), f);
    LASTLY_POINT("queued");
    pool.idle.notify();
}

void enqueue(pool_core& pool, account& books, frame& f, const group_core* group) noexcept {
    if (LASTLY_FAULT("task-dropped") && reinterpret_cast<std::uintptr_t>(&f) / 64 % 512 == 7) return;
    if (is_own_worker(pool)) push(pool, *this_thread.self, f, group);
    else push(pool, books, f);
}

// A task that this thread runs keeps the pool alive, also when the thread is left (P4).
class stay_inside {
public:
    stay_inside(pool_core& pool, account& books) noexcept : pool_(pool), books_(books) {
        pool.inside.fetch_add(1, relaxed);   // order: the task keeps the pool alive until leave_pool
    }
    ~stay_inside() {
        tell_watchers(pool_);
        leave_pool(pool_, &books_);
    }
    stay_inside(const stay_inside&) = delete;
    stay_inside& operator=(const stay_inside&) = delete;

private:
    pool_core& pool_;
    account& books_;
};

// The caller's own run of a task that found no room (A5).
void run_here(pool_core& pool, account& books, frame& f) {
    if (!books.worker) books.withdrawn.add();
    const stay_inside here(pool, books);
    nothing_caught fresh;   // the submission may lie within a catch
    task_runner(pool, books).run_all(&f, [] { return nullptr; });
    fresh.restore();
}

// A thread's call of a pool begins. Null: no memory for an account.
account* arrive(pool_core& pool, stay& bare) noexcept {
    account* const books = account_for(pool);
    if (books != nullptr) {
        books->arrived.add();
    } else {
        pool.shared.arrived.fetch_add(1, acq_rel);   // order: [Q1] whoever frees the pool sees the arrival
        bare.begin(*pool.anchor, false);
    }
    return books;
}

// The arguments are what `arrive` returned and was given.
[[gnu::noinline]] void depart_otherwise(pool_core& pool, account* books, stay& bare) noexcept {
    if (books == nullptr) {
        pool.shared.departed.fetch_add(1, acq_rel);   // order: [Q1] whoever frees the pool sees the last touch
        bare.end();
        return;
    }
    const bool frees = books->arrived.read() == books->departed.read() + 1;   // its outermost call
    if (frees) books->frees_pool = false;
    books->departed.add();
    if (frees) free_once_out(pool, books);
}
inline void depart(pool_core& pool, account* books, stay& bare) noexcept {
    if (books != nullptr && !books->frees_pool) books->departed.add();
    else depart_otherwise(pool, books, bare);
}

// The set of columns for an attempt: late if the gate is seen closed before the announcement. Then nobody waits for it.
refusals account::* columns_now(pool_core& pool, bool from_a_task) noexcept {
    const bool late = is_rejecting(pool.anchor->gate().load(acquire), from_a_task);   // order: [G1] closed for good once seen
    return late ? &account::late : &account::main;
}

void announce(account& books, refusals account::* columns, bool sheltered) noexcept {
    if (LASTLY_FAULT("L1-attempts")) return;
    if (sheltered) (books.*columns).attempts.add();   // the task that submits is unfinished itself: the pool cannot close meanwhile
    else (books.*columns).attempts.announce();
}

void withdraw(account& books, refusals account::* columns) noexcept {
    if (columns == &account::main && !books.worker) books.withdrawn.add();
}

// From here on the frame is the pool's; in which column that is counted the caller knows.
inline void accept(pool_core& pool, account& books, frame& f, bool with_handle, group_core* group, unsigned place) noexcept {
    if (f.type().attached != 0 && !LASTLY_FAULT("L3-attached")) books.main.attached.add(f.type().attached);
    f.owner.store(pool.anchor, release);                 // order: [F2] shows a walker the building phase
    f.stamp.store(coarse_now_ms(), release);             // order: [F2] shows a walker the building phase
    f.state.store((with_handle ? handle : 0u) | (group != nullptr ? group->number() << group_shift : 0u), release);   // order: [F2] shows a walker the building phase
    if (group != nullptr) group->enter(place);
    f.show_phase(phase::queued);
}

struct verdict {
    std::error_code refused;       // empty: accepted, and the frame is out of this thread's hand
    refusals account::* columns;   // where a refusal is counted
};

verdict admit(pool_core& pool, account* books, frame& f, bool with_handle, patience p, blocked_caller& caller, group_core* group = nullptr) {
    if (books == nullptr) {
        pool.shared.attempts.fetch_add(1, seq_cst);   // order: [A1] the closer sees the attempt
        return {pool.anchor->is_inherited() ? make_error_code(errc::forked) : std::make_error_code(std::errc::not_enough_memory), &account::main};
    }
    const bool from_a_task = runs_accepted_task(pool);
    std::error_code refused;
    const room_result room = find_room(pool, f, p, group, refused, caller);
    const auto columns = columns_now(pool, from_a_task);
    announce(*books, columns, from_a_task && books->worker);
    LASTLY_POINT("announced");
    const std::uint32_t gate = pool.anchor->gate().load(seq_cst);   // order: [A1] after the announcement
    LASTLY_POINT("admitted");
    if (room == room_result::closed || columns == &account::late || is_rejecting(gate, from_a_task)) refused = errc::pool_closed;
    else if (room == room_result::full) refused = errc::pool_full;
    if (refused) {
        if (room == room_result::granted || room == room_result::run_here) give_room_back(pool);
        withdraw(*books, columns);
        return {refused, columns};
    }
    if (!LASTLY_FAULT("L1-accepted")) books->accepted.add();
    const bool runs_here = room == room_result::run_here;   // no queue lies between its entry and its look at the group's context (U8)
    accept(pool, *books, f, with_handle, group, runs_here ? group_core::shared_place : books->place_in_groups);
    if (runs_here) run_here(pool, *books, f);
    else enqueue(pool, *books, f, group);
    return {{}, columns};
}

void count_refusal(pool_core& pool, account* books, refusals account::* columns, run_record& r) noexcept {
    if (books != nullptr) {
        refusals& set = books->*columns;
        set.take_finalizers(r);
        if (!LASTLY_FAULT("L1-rejected")) set.rejected.add();
    } else {
        // order (block): [Q1] whoever reads the sum sees what was counted
        pool.shared.attached.fetch_add(r.attached, acq_rel);
        pool.shared.run.fetch_add(r.run, acq_rel);
        pool.shared.returned.fetch_add(r.returned, acq_rel);
        pool.shared.thrown.fetch_add(r.thrown, acq_rel);
        pool.shared.rejected.fetch_add(1, acq_rel);
    }
    tell_watchers(pool);
}

// The end of a refusal; also when a finalizer leaves the thread (P4).
struct refusal_end {
    pool_core& pool;
    account* const books;
    frame& f;
    refusals account::* const columns;
    run_record& r;

    ~refusal_end() {
        if (f.type().has_handle_part) f.type().destroy_result(f);
        free_frame(f);
        count_refusal(pool, books, columns, r);
    }
};

// Runs the chain of a task that is not accepted, and frees its frame.
void refuse(pool_core& pool, account* books, frame& f, const verdict& v) {
    run_record r;
    const refusal_end end{pool, books, f, v.columns, r};
    enter_pool(r, *pool.anchor);
    r.books = books;
    r.late = v.columns == &account::late;
    r.start = LASTLY_FAULT("A1");
    r.rejected = true;
    r.cause = v.refused;
    r.attached = f.type().attached;
    const run_scope scope(r);
    const shown_frame shown(books, f);
    nothing_caught here;   // the submission may lie within a catch
    execute(f, r, f.type());
    here.restore();
}

}   // namespace

bool runs_accepted_task(const pool_core& pool) noexcept {
    for (const run_record* r = this_thread.current; r != nullptr; r = r->outer) {
        if (r->pool == pool.anchor && !r->rejected) return true;
    }
    return false;
}

call::call(pool_core& pool) noexcept : pool_(pool), books_(arrive(pool, stay_)) {}
call::~call() { depart(pool_, books_, stay_); }

void tell_watchers(pool_core& pool) noexcept {
    if (pool.idle.has_watchers()) on_idle(pool);
}

// A submission whose frame could not be made: an attempt that is rejected.
void begin_refusal(run_record& r, pool_core* pool) noexcept {
    r.outer = this_thread.current;
    this_thread.current = &r;
    if (pool == nullptr) return;
    enter_pool(r, *pool->anchor);
    r.books = arrive(*pool, r.bare);
    if (r.books == nullptr) {
        pool->shared.attempts.fetch_add(1, seq_cst);   // order: [A1] the closer sees the attempt
        return;
    }
    const auto columns = columns_now(*pool, runs_accepted_task(*pool));
    r.late = columns == &account::late;
    announce(*r.books, columns, false);
    withdraw(*r.books, columns);
}

void count_refusal(run_record& r) noexcept { count_refusal(*r.pool->core, r.books, r.late ? &account::late : &account::main, r); }

void end_refusal(run_record& r) noexcept {
    this_thread.current = r.outer;
    if (r.pool == nullptr) return;
    count_refusal(r);
    depart(*r.pool->core, r.books, r.bare);
}

namespace {

// A task that runs on a worker of the pool submits, and nothing stands in the way: the pool cannot close before that task is over, so nobody
// looks for the attempt. False: some other case. With any planted fault, too: that one knows the long way.
[[gnu::always_inline]] inline bool spawn_at_once(pool_core& pool, frame& f, bool with_handle, group_core* group) noexcept {
    worker* const w = this_thread.self;
    const run_record* const parent = this_thread.current;
    if (w == nullptr || &w->pool != &pool || parent == nullptr || parent->pool != pool.anchor || parent->rejected) return false;
    if (pool.options.capacity != 0 || pool.anchor->abrupt() || LASTLY_ANY_FAULT()) return false;
    account& books = w->books;
    books.main.attempts.add();
    books.accepted.add();
    accept(pool, books, f, with_handle, group, books.place_in_groups);
    push(pool, *w, f, group);
    return true;
}

// A call that has arrived and announced its attempt ends: the pool has closed meanwhile.
[[noreturn, gnu::noinline, gnu::cold]] void end_refused(pool_core& pool, account& books, frame& f) {
    struct departure {   // also when a finalizer leaves the thread (P4)
        pool_core& from;
        account& books;
        stay none{};
        ~departure() { depart(from, &books, none); }
    };
    {
        const departure last{pool, books};
        withdraw(books, &account::main);
        refuse(pool, &books, f, {errc::pool_closed, &account::main});
    }
    throw_rejected(errc::pool_closed);
}

// A thread that is no worker submits, not for the first time, and nothing stands in the way. False: some other case, as above.
[[gnu::always_inline]] inline bool submit_at_once(pool_core& pool, frame& f, bool with_handle, group_core* group) {
    account* const books = this_thread.books;
    if (this_thread.self != nullptr || this_thread.current != nullptr || this_thread.pool_serial != pool.anchor->serial()) return false;
    atomic<std::uint32_t>& gate = pool.anchor->gate();
    if (pool.options.capacity != 0 || (gate.load(acquire) & (gate_closed | gate_abrupt)) != 0 || LASTLY_ANY_FAULT()) return false;   // order: [G1] closed for good once seen
    books->arrived.add();
    books->main.attempts.announce();
    LASTLY_POINT("announced");
    const bool is_closed = (gate.load(seq_cst) & (gate_closed | gate_abrupt)) != 0;   // order: [A1] after the announcement
    LASTLY_POINT("admitted");
    if (is_closed) end_refused(pool, *books, f);
    books->accepted.add();
    accept(pool, *books, f, with_handle, group, group_core::shared_place);
    push(pool, *books, f);
    stay none;   // not begun: there are books
    depart(pool, books, none);
    return true;
}

[[gnu::noinline]] void submit(pool_core& pool, frame& f, bool with_handle, group_core* group) {
    std::error_code refused;
    {
        const call here(pool);
        blocked_caller caller;
        const verdict v = admit(pool, here.books(), f, with_handle, patience::may_wait, caller, group);
        refused = v.refused;
        if (refused) refuse(pool, here.books(), f, v);
    }
    if (refused) throw_rejected(refused);
}

}   // namespace

void submit_frame(pool_core& pool, frame& f, bool with_handle) {
    if (!spawn_at_once(pool, f, with_handle, nullptr) && !submit_at_once(pool, f, with_handle, nullptr)) submit(pool, f, with_handle, nullptr);
}
void spawn_frame(pool_core& pool, group_core& g, frame& f, bool with_handle) {
    if (!spawn_at_once(pool, f, with_handle, &g) && !submit_at_once(pool, f, with_handle, &g)) submit(pool, f, with_handle, &g);
}

std::error_code try_submit_frame(pool_core& pool, frame& f, bool with_handle) noexcept {
    const call here(pool);
    blocked_caller never;
    const verdict v = admit(pool, here.books(), f, with_handle, patience::never, never);
    if (!v.refused) return {};
    if (LASTLY_FAULT("A2")) {
        run_record wrongly;
        wrongly.start = false;
        wrongly.cause = v.refused;
        const run_scope scope(wrongly);
        execute(f, wrongly, f.type());
    }
    run_record nothing_ran;
    count_refusal(pool, here.books(), v.columns, nothing_ran);
    return v.refused;
}

pool_core* pool_of_this_task() noexcept {
    const run_record* const r = this_thread.current;
    return r != nullptr && r->pool != nullptr ? r->pool->core : nullptr;
}

}   // namespace lastly::detail
