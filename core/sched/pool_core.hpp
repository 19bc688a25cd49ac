// A pool's compiled half: its workers, its books, its gate, and who waits for what.
// Built and freed by the pool's owner; in between any thread reads it. It outlives the pool object when a task of the pool
// destroys that (S4): then the last thread inside frees it.
// Invariants: 1. Options do not change after construction. 2. Every accepted task is in exactly one of: the injector, a deque, a
// thread's hand. 3. `inside` counts the workers, and the threads that run a task of the pool without being one.
#pragma once

#include "core/base/cpus.hpp"
#include "core/report/watchdog.hpp"
#include "core/sched/account.hpp"
#include "core/sched/crowd.hpp"
#include "core/sched/idle.hpp"
#include "core/sched/living.hpp"
#include "core/sched/stand_in.hpp"
#include "core/sched/worker.hpp"
#include "core/structures/event_count.hpp"
#include "core/structures/injector.hpp"
#include "core/task/anchor.hpp"
#include "core/task/state.hpp"
#include "lastly/context.hpp"
#include "lastly/ledger.hpp"
#include "lastly/options.hpp"
#include "lastly/profile.hpp"

#include <memory>
#include <vector>

namespace lastly::detail {

struct thread_block;

class pool_core {
public:
    explicit pool_core(pool_options o);   // throws; starts no thread
    ~pool_core();
    pool_core(const pool_core&) = delete;
    pool_core& operator=(const pool_core&) = delete;

    const pool_options options;
    const unsigned cpus = usable_cpus();  // more workers than these cannot run at once
    error_sink sink;
    const context root;                   // what every task observes (S6)
    anchor_lease lease;
    pool_anchor* const anchor;
    injector entrance;
    deque helpers;                        // of whoever has `helpers_owner`: a thread that helps, and is no worker
    atomic<std::uint32_t> helpers_owner{0};
    idle_workers idle;
    crowd crowds;
    roster workers;
    stand_in_places stand_ins;
    std::unique_ptr<watchdog> guard;      // only with a finalizer budget

    atomic<account*> accounts{nullptr};
    // For threads that have no memory for an account: any thread adds.
    struct {
        atomic<std::uint64_t> attempts{0}, rejected{0}, attached{0}, run{0}, returned{0}, thrown{0}, arrived{0}, departed{0};
    } shared;

    atomic<std::uint64_t> unfinished{0};  // accepted and unfinished; used only with a capacity
    atomic<std::uint32_t> blocked{0};     // callers that block for room, or run their refused chain after that
    event_count room;                     // somebody waits for room (A5)
    event_count quiet;                    // somebody waits for quiescence
    event_count ended;                    // somebody waits for the end of a shutdown
    atomic<const thread_block*> ender{nullptr};   // whose thread ends it
    atomic<std::uint32_t> ending{0};      // 0 open, 1 somebody ends it, 2 its threads are gone and its books are final
    atomic<std::uint32_t> ownerless{0};   // S4: the last thread inside frees it
    atomic<std::uint32_t> inside{0};
    atomic<std::uint32_t> at_work{0};     // worker threads that were started and have not run their exit hook yet
    event_count left_work;                // somebody waits for them
    bool is_static = false;               // constant once it is open
    ledger_snapshot final_books;          // written before `ending` becomes 2

    pool_core* next_living = nullptr;     // both under the lock of living.cpp
    pool_core** to_living = nullptr;      // null: not in the list
    atomic<std::uint32_t> given_up{0};    // its budget at the process's end has passed: nobody waits for it again
    atomic<std::uint32_t> is_kept{0};     // never freed: a thread that nobody waits for goes on with it
};

// core/sched/books.cpp
ledger_snapshot take_ledger(pool_core& pool);
// The main columns only, as they were at the pool's end.
ledger_snapshot take_main_ledger(pool_core& pool);
bool is_quiescent(pool_core& pool) noexcept;
// Tasks that are over so far.
std::uint64_t count_retired(pool_core& pool) noexcept;
// Some task's outcome has gone to a handle, which may keep its frame.
bool may_be_held(pool_core& pool) noexcept;
// Some thread is between a task's, or a stolen branch's, beginning and its end.
bool runs_anything(pool_core& pool) noexcept;
// Every thread that came to a call of the pool has left it.
bool all_have_departed(pool_core& pool) noexcept;
// Tasks offered to the injector that nobody has taken yet.
bool injector_has_work(pool_core& pool) noexcept;
bool any_task_is_queued(pool_core& pool) noexcept;
// The same, or a branch that can be stolen.
bool any_queue_has_work(pool_core& pool) noexcept;
std::vector<live_task> running_tasks(pool_core& pool);

// core/sched/admission.cpp
// A thread's call of a pool: the pool is not freed before it ends (S4). Without memory for an account, a stay tells of it.
class call {
public:
    explicit call(pool_core& pool) noexcept;
    ~call();
    call(const call&) = delete;
    call& operator=(const call&) = delete;
    account* books() const noexcept { return books_; }

private:
    pool_core& pool_;
    account* const books_;
    stay stay_;   // only where there are no books
};
// Of a refused submission whose caller never comes back (P2).
void count_refusal(run_record& r) noexcept;
// After a task or a refusal is over on a thread that is no worker: whoever waits for quiescence looks again.
void tell_watchers(pool_core& pool) noexcept;
// Inside the body or a finalizer of an accepted task, however deep: the pool cannot close meanwhile. A refused task's chain does not count.
bool runs_accepted_task(const pool_core& pool) noexcept;

// core/sched/execution.cpp
// Runs frames one after the other, within what this thread runs when it is made; what a run leaves as it was in the record is not made anew.
class task_runner {
public:
    task_runner(pool_core& pool, account& books) noexcept;
    task_runner(const task_runner&) = delete;
    task_runner& operator=(const task_runner&) = delete;

    // A frame that this thread has the sole right to.
    inline void run(frame& f);   // for execution.cpp, which defines it
    // That frame, then what `next` gives until that is null, all taken from queues (a husk is thrown away).
    void run_all(frame* f, frame* (*next)(void*), void* argument);
    template <class Next>
    void run_all(frame* f, Next next) {
        run_all(f, [](void* n) -> frame* { return (*static_cast<Next*>(n))(); }, &next);
    }

private:
    friend class run_end;
    void prepare() noexcept;
    inline bool is_plain_stopped(frame& f) noexcept;   // likewise
    void learn_end(std::uint32_t gate) noexcept;

    pool_core& pool_;
    account& books_;
    run_record* const outer_;
    frame* const interrupted_;
    std::uint32_t number_ = 0;   // of the record's group; 0: it has none
    bool goes_on_ = false;       // for that group, after a member
    std::uint32_t gate_ = 0;     // that told of the pool's end; 0: none did
    bool is_bulk_ = false;       // a cause of which nobody need be told
    late_code end_;              // what it stops tasks with
    run_record record_;
};
// No body that runs on this thread goes on (P2): the chains of all of them run, innermost first, and their waiters are told. If a finalizer leaves the
// thread meanwhile, whoever catches that calls it again for the rest.
void end_runs_here(std::error_code cause);

// core/sched/branches.cpp
// Takes care that there is more on offer than there are idle workers, and wakes one of them.
void offer_more_branches(branch_deque& d) noexcept;
// Runs a branch that this worker has stolen.
void run_stolen(worker& w, branch& b);
// What its run counted and held is given back; then its forker is told.
void end_stolen(run_record& r, branch_end how) noexcept;

// core/sched/execution.cpp
// A worker that waits runs something meanwhile: one level deeper while it lives.
class deeper {
public:
    explicit deeper(worker& w) noexcept;
    ~deeper();
    // What ran on this level has come back.
    void end() noexcept { fresh_.restore(); }
    deeper(const deeper&) = delete;
    deeper& operator=(const deeper&) = delete;

private:
    worker& worker_;
    nothing_caught fresh_;   // by what waits below
};
void run_while_waiting(worker& w, branch& b);
// The frame, then what `next()` takes from a queue until that is null.
template <class Next>
void run_while_waiting(worker& w, frame* f, Next next) {
    deeper level(w);
    task_runner(w.pool, w.books).run_all(f, next);
    level.end();
}
// Claims the task where it stands in a queue, and runs it likewise. False: it stands in none, or the worker is as deep as it may.
bool run_in_place(pool_core& pool, frame& f);

// core/sched/crew.cpp
// `is_static`: the pool object has static storage, and its end is the process's, or an image's (P1).
pool_core* open_pool(pool_options options, bool is_static);   // throws as pool's constructor
void add_worker(pool_core& pool, bool stands_in);  // throws std::bad_alloc
std::error_code start_worker(worker& w) noexcept;
// The worker's thread is being left (P4): another one goes on in its place. Without one that is reported, and the worker is lost.
void replace_thread(worker& w) noexcept;
// Threads for the workers that were lost. False: none can be started.
bool revive_crew(pool_core& pool) noexcept;
// Adds a stand-in; it lends itself its seat when its start hook is over. False: no memory, no thread, or too many.
bool try_add_stand_in(pool_core& pool) noexcept;
// Quiescent for good: wakes and joins the workers. False: the deadline passed while one was in a hook of the user's; call again.
bool end_workers(pool_core& pool, std::chrono::steady_clock::time_point deadline, bool waits_on);
// Ends the watchdog, if there is one. False: the deadline passed while it was in a sink.
bool end_guard(pool_core& pool, std::chrono::steady_clock::time_point deadline, bool waits_on);
// Runs the user's hook, if there is one, on a worker; an exception goes to the error sink.
void call_user_hook(pool_core& pool, const std::function<void(unsigned)>& hook, unsigned worker) noexcept;
// A thread inside leaves; the last one frees an ownerless pool.
void leave_pool(pool_core& pool, account* books) noexcept;
// The pool is to be freed by this thread, now or when its outermost call or stay ends.
void free_once_out(pool_core& pool, account* books) noexcept;
// Errors that only handles keep are told, then the pool goes.
void free_pool(pool_core& pool) noexcept;

// core/sched/shutdown.cpp
// Together with gate_abrupt: `bits` may say why; who was first stays.
void close_gate(pool_core& pool, std::uint32_t bits) noexcept;
shutdown_report shut_down(pool_core& pool, bool abrupt, std::chrono::nanoseconds limit);
// The same without a limit. False: the process's end came first.
bool end_for_good(pool_core& pool, bool abrupt);
// True: the pool is closed for good. False: not by then, or this thread is inside, or the process's end came first.
bool close_until(pool_core& pool, bool abrupt, std::chrono::steady_clock::time_point deadline, bool waits_on);
// core/sched/image_end.cpp. Of a pool with static storage, by its destructor.
void end_with_image(pool_core& pool);
void wait_idle(pool_core& pool);
void destroy_pool(pool_core* pool) noexcept;
// The process ends (P1). `close_for_exit` returns at once, but for stop callbacks; `help_for_exit` runs chains of what did not start;
// `rest_for_exit` waits until nothing runs any more. False: the deadline has passed.
void close_for_exit(pool_core& pool) noexcept;
void close_for_signal(pool_core& pool, int signal) noexcept;   // likewise, with a cause that names it (P5)
bool help_for_exit(pool_core& pool, std::chrono::steady_clock::time_point deadline);
bool rest_for_exit(pool_core& pool, std::chrono::steady_clock::time_point deadline) noexcept;
// On stderr: which tasks did not let the pool end.
void tell_what_hangs(pool_core& pool, std::chrono::nanoseconds time) noexcept;
// A thread found nothing to do while somebody waits for quiescence.
void on_idle(pool_core& pool) noexcept;

}   // namespace lastly::detail
