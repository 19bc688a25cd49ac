// Branches among workers: offered, stolen, joined (W1, W2). See lastly/detail/fork.hpp, and README.md here.
// offer: the deque's worker. run_stolen: a worker with a branch in its hand. join_stolen: the worker that forked it. Invariants:
// 1. A waiter runs parts of the branch that it waits for, and nothing else; then it sleeps, and another thread takes its place.
// 2. Whatever a thief counted, held or made for a branch is given back before the branch is over.
#include "core/base/process.hpp"
#include "core/base/test_point.hpp"
#include "core/base/thread.hpp"
#include "core/sched/pool_core.hpp"
#include "core/sched/stand_in.hpp"
#include "core/task/branch.hpp"
#include "core/task/chain.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>

namespace lastly::detail {

namespace {

constexpr unsigned pauses_a_round = 8;

// More of them are public: somebody may have to be woken.
void announce(branch_deque& d, bool is_more) noexcept {
    if (is_more && !LASTLY_FAULT("branch-wake")) d.pool->idle.notify();
}

// Returns once the branch is over.
void sleep_until_over(branch& b) noexcept {
    std::uint32_t now = b.state.fetch_or(branch::waited, acq_rel) | branch::waited;   // order: [J5] sees the end if it is over; else the thief sees the waiter
    while ((now & branch::over) == 0) {
        futex_wait(b.state, now);
        now = b.state.load(acquire);   // order: [J5] sees the end
    }
}

struct branch_wait {
    branch& awaited;
    bool is_over() const noexcept { return awaited.is_over(); }
    void sleep() const noexcept { sleep_until_over(awaited); }
};

// Runs parts of the branch until it is over, or none was to be found for a while.
void help_branch(worker& w, branch& b) {
    for (std::uint32_t round = 0; round < w.pool.options.tuning.spin_rounds; ++round) {
        const std::uint32_t now = b.state.load(acquire);   // order: [J4] sees the thief's base; [J5] the end
        if ((now & branch::over) != 0) return;
        if ((now & branch::running) != 0 && w.help_depth < w.pool.options.tuning.help_depth && !is_stack_scarce()) {
            if (branch* const part = w.pool.workers[now >> branch::thief_shift].branches.steal_part_of(b)) {
                run_while_waiting(w, *part);
                round = 0;
                continue;
            }
        }
        for (unsigned i = 0; i < pauses_a_round; ++i) pause_cpu();
    }
}

// The last touch of a stolen branch: `over`, and above it what became of it.
void finish(branch& b, branch_end how) noexcept {
    const std::uint32_t* const address = b.state.address();
    const std::uint32_t end = branch::over | static_cast<std::uint32_t>(how) << branch::end_shift;
    if ((b.state.exchange(end, acq_rel) & branch::waited) != 0) futex_wake_all(address);   // order: [J5] publishes all that the branch did
    LASTLY_POINT("branch-told");
    if (LASTLY_FAULT("branch-touched")) b.base = -1;
}

}   // namespace

void offer_more_branches(branch_deque& d) noexcept { announce(d, d.offer(d.wanted_for(d.pool->idle.idle_count()))); }

void offer_all_branches(branch_deque& d) noexcept {
    if (!LASTLY_FAULT("branches-hidden")) announce(d, d.offer_all());
}

namespace {

struct endless_wait {
    static bool is_over() noexcept { return false; }
    static void sleep() noexcept {
        for (const futex_word never{0};;) futex_wait(never, 0);
    }
};

// A stolen branch's run: at its end, also when the thread is left, its forker is told.
class stolen_end {
public:
    explicit stolen_end(branch_scope& s) noexcept : scope_(s) {}
    ~stolen_end() {
        scope_.run.told_before = nullptr;   // its forker holds the error alone from now on (O4)
        if (scope_.is(branch_scope::open)) close_branch(scope_);   // what that error's end deferred
        const bool failed = scope_.is(branch_scope::failed);
        if (failed) std::construct_at(&scope_.run.part->error, scope_.take_error());
        end_stolen(scope_.run, failed ? scope_.how : branch_end::well);
    }
    stolen_end(const stolen_end&) = delete;
    stolen_end& operator=(const stolen_end&) = delete;

private:
    branch_scope& scope_;
};

// While it lives the watchdog sees how far this branch is; then the branch, or task, that it interrupted.
class shown_part {
public:
    shown_part(account& books, run_record& r) noexcept : books_(books), run_(r), seen_(&books, books.part.header) {
        r.shown = &books.part.header;
        books.part.begin(r);
    }
    ~shown_part() {
        run_.shown = nullptr;
        for (run_record* outer = run_.outer; outer != nullptr; outer = outer->outer) {
            if (outer->shown != &books_.part.header) continue;
            books_.part.begin(*outer);
            show_pending(*outer);
            return;
        }
    }
    shown_part(const shown_part&) = delete;
    shown_part& operator=(const shown_part&) = delete;

private:
    account& books_;
    run_record& run_;
    const shown_frame seen_;
};

// A branch called exit: the process ends (B4).
[[noreturn]] void leave_for_good(worker& w) noexcept {
    with_rest([] {
        if (!LASTLY_FAULT("B4")) end_runs_here(errc::process_exit);
    }, [&w] { leave_for_good(w); });
    endless_wait wait;
    stand_aside(*w.pool.anchor, wait, false);
    std::terminate();   // not reached
}

}   // namespace

void run_stolen(worker& w, branch& b) {
    b.base = w.branches.end();
    b.state.fetch_add(w.index << branch::thief_shift | branch::running, release);   // order: [J4] publishes the base
    run_record r;
    begin_stolen(r, b);
    r.forks = &w.branches;
    turn_to(w.books, nullptr);   // what it holds of another group's would keep that waiting
    outcome_access::on_stack<void> nothing;
    r.body_chain.result = &nothing.value;
    const run_scope here(r);
    const shown_part shown(w.books, r);
    branch_scope s(r);
    const stolen_end end(s);
    b.call(b, s);
}

void end_stolen(run_record& r, branch_end how) noexcept {
    if (this_thread.self == nullptr) end_child();   // it forked
    account& books = this_thread.self->books;
    r.told_before = nullptr;   // as above, where the process exits
    if (!LASTLY_FAULT("L3-branch")) books.main.take_finalizers(r);
    turn_to(books, nullptr);   // for a waiter that goes on with a task of another group
    finish(*r.part, how);
}

bool is_run_of(const run_record* r, const pool_core& pool) noexcept { return r != nullptr && r->pool == pool.anchor; }

std::size_t workers_of(const pool_core& pool) noexcept { return pool.options.workers; }

void join_in_passing(branch& b, branch_scope& s, branch_deque& d, std::int64_t at) {
    nothing_caught here;   // but the unwinding that the caller has caught
    if (d.pop(at)) b.call(b, s);
    else join_stolen(b, s);
    here.restore();        // not if the thread is left once more: then that one goes on
}

namespace {

// A stolen branch is over before the stack beneath it goes, also when what was run here in the wait leaves the thread (P4).
class branch_join {
public:
    branch_join(worker& w, branch& b, branch_scope& s) noexcept : worker_(w), awaited_(b), scope_(s) {}
    ~branch_join() {
        branch_wait wait{awaited_};
        stand_aside(*worker_.pool.anchor, wait, false);   // runs nothing more here
        if (end_of(awaited_) == branch_end::left) leave_for_good(worker_);
        take_end(awaited_, scope_);
    }
    branch_join(const branch_join&) = delete;
    branch_join& operator=(const branch_join&) = delete;

private:
    worker& worker_;
    branch& awaited_;
    branch_scope& scope_;
};

}   // namespace

void join_stolen(branch& b, branch_scope& s) {
    if (this_thread.self == nullptr) end_child();   // something here forked: the thief is not in the child
    worker& w = *this_thread.self;
    const branch_join join(w, b, s);
    help_branch(w, b);
    branch_wait wait{b};
    stand_aside(*w.pool.anchor, wait, true);
}

}   // namespace lastly::detail
