// A pool's threads: started, named, ended; and who frees a pool that nobody owns any more.
// The constructor's thread, the thread that ends the pool, and the workers themselves. Invariants: 1. The list of workers is complete
// before the first of them runs. 2. If not all can be started, those that were are joined (S5). 3. A thread that is counted inside
// may touch the pool until it leaves.
#include "core/base/clock.hpp"
#include "core/base/process.hpp"
#include "core/sched/pool_core.hpp"
#include "core/sched/stand_in.hpp"
#include "core/task/context.hpp"
#include "core/task/completion.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <cstdio>
#include <new>

namespace lastly::detail {

namespace {

void collect_running(void* pool, std::vector<frame*>& frames) {
    const account* a = static_cast<pool_core*>(pool)->accounts.load(acquire);   // order: [B1] sees the accounts
    for (; a != nullptr; a = a->next) {
        if (frame* const f = a->now.load(acquire)) frames.push_back(f);   // order: [K2] sees a frame that was handed out
    }
}

void tell_as_visitor(void* pool, const error_report& report) {
    pool_core& core = *static_cast<pool_core*>(pool);
    if (const visit here(*core.anchor); here) core.sink.report(report);
}

// The threads are gone: what still stands in a queue was claimed there, and is over (W1).
void empty_queues(pool_core& pool) noexcept {
    deque_item item;
    for (unsigned i = 0; i < pool.workers.size(); ++i) {
        while (pool.workers[i].tasks.take_oldest(item)) take_from_queue(*item.task);
    }
    while (pool.helpers.take_oldest(item)) take_from_queue(*item.task);
    frame* f = nullptr;
    while (pool.entrance.take(nullptr, &f, 1) != 0) {
        pool.workers[0].books.taken.add();   // its thread counts no more
        take_from_queue(*f);
    }
}

// Workers' last hooks may take long, and may wait for the pool whose task ends this one.
struct leave_wait {
    pool_core& pool;
    std::chrono::steady_clock::time_point deadline;
    bool all_left = false;

    bool look() noexcept { return all_left = pool.at_work.load(seq_cst) == 0; }   // order: [B4] sees that the hooks are over
    bool is_in_vain() const noexcept { return stage_of_process() == process_stage::over; }
    bool is_over() noexcept { return look() || is_in_vain() || steady_now() >= deadline; }
    void sleep() noexcept { pool.left_work.wait([this] { return look() || is_in_vain(); }, deadline); }
};

// So may the sink that the watchdog tells; that of a pool that dies may be visited, and a refused task's chain run, by other threads.
struct guard_wait {
    watchdog& guard;
    std::chrono::steady_clock::time_point deadline;

    bool is_over() const noexcept { return guard.has_ended() || steady_now() >= deadline; }
    void sleep() const noexcept { guard.ends_until(deadline); }
};
struct departures_wait {
    pool_core& pool;

    bool is_over() const noexcept { return all_have_departed(pool); }
    void sleep() const noexcept {
        while (!is_over()) yield_thread();
    }
};
struct visitors_wait {
    anchor_lease& lease;

    bool is_over() const noexcept { return !lease.has_visitors(); }
    void sleep() const noexcept { lease.await_visitors(); }
};

void make_workers(pool_core& pool) {
    for (unsigned i = 0; i < pool.options.workers; ++i) add_worker(pool, false);
}

void start_workers(pool_core& pool) {
    for (unsigned i = 0; i < pool.options.workers; ++i) {
        const std::error_code refused = start_worker(pool.workers[i]);
        if (!refused || LASTLY_FAULT("S5")) continue;
        end_workers(pool, std::chrono::steady_clock::time_point::max(), true);
        throw std::system_error(refused, "lastly: worker " + std::to_string(i) + " of pool " + pool.options.name +
                                             " cannot be started; those started before were ended");
    }
}

}   // namespace

void add_worker(pool_core& pool, bool stands_in) {
    account* const books = add_account(pool, true);
    if (books == nullptr) throw std::bad_alloc();
    const unsigned index = pool.workers.size();
    if (index < pool.options.workers) books->place_in_groups = index;
    auto made = std::make_unique<worker>(pool, index, stands_in, *books);
    made->intake = pool.entrance.make_consumer();
    pool.workers.add(std::move(made));
}

namespace {

struct thread_name {
    char text[16];
};
thread_name name_of(const worker& w) noexcept {
    thread_name name{};
    std::snprintf(name.text, sizeof name.text, "%.11s/%u", w.pool.options.name.c_str(), w.index);
    return name;
}

}   // namespace

std::error_code start_worker(worker& w) noexcept {
    pool_core& pool = w.pool;
    pool.inside.fetch_add(1, relaxed);    // order: before the worker that lowers it runs
    pool.at_work.fetch_add(1, relaxed);   // order: before the worker that lowers it runs
    const std::error_code refused = w.self.start(&worker_main, &w, name_of(w).text);
    w.has_thread = !refused;
    if (refused) {
        pool.inside.fetch_sub(1, relaxed);    // order: it never was there
        pool.at_work.fetch_sub(1, relaxed);   // order: it never was there
    }
    return refused;
}

namespace {

// A new thread goes on as that worker. False: none can be started.
bool hand_over(worker& w) noexcept {
    pool_core& pool = w.pool;
    {
        const std::lock_guard lock(pool.stand_ins.growth);   // the owner may be leaving its threads to themselves
        w.is_up_already = true;
        w.handed_over.store(0, relaxed);   // order: before the thread that reads it is started
        thread next;
        if (next.start(&worker_main, &w, name_of(w).text)) {
            w.handed_over.store(1, relaxed);   // order: no thread waits for it
            return false;                      // this one is joined, as ever
        }
        w.left.swap(w.self);   // joined by the next one
        w.self.swap(next);
        if (pool.stand_ins.nobody_joins) w.self.detach();
    }
    w.handed_over.store(1, release);   // order: [B8] publishes the thread: the pool may be gone from now on
    return true;
}

// Some of them have a thread again.
bool restart_lost_workers(pool_core& pool) noexcept {
    const std::lock_guard lock(pool.stand_ins.growth);   // one thread at a time does so; the owner may be leaving its threads to themselves
    bool any = false;
    for (unsigned i = 0; i < pool.workers.size(); ++i) {
        worker& w = pool.workers[i];
        if (w.is_lost.exchange(0, acq_rel) == 0) continue;   // order: [B8] sees what the lost thread wrote
        w.is_up_already = true;
        w.left.swap(w.self);   // joined by the next one
        if (start_worker(w)) {
            w.left.swap(w.self);
            w.is_lost.store(1, release);   // order: [B8] as it was
            continue;
        }
        if (pool.stand_ins.nobody_joins) w.self.detach();
        any = true;
    }
    return any;
}

}   // namespace

bool revive_crew(pool_core& pool) noexcept {
    if (restart_lost_workers(pool)) return true;
    tell_watchers(pool);   // who saw one at work meanwhile
    return false;
}

void replace_thread(worker& w) noexcept {
    pool_core& pool = w.pool;
    turn_to(w.books, nullptr);
    call_user_hook(pool, pool.options.on_worker_exit, w.index);
    leave_worker();
    if (hand_over(w)) return;   // the pool may be gone
    error_report report;
    report.kind = report_kind::worker_lost;
    report.name = pool.options.name.c_str();
    report.site = {"(worker)", w.index};
    pool.sink.report(report);
    if (w.tasks.size() != 0) pool.idle.notify();
    w.is_lost.store(1, release);          // order: [B8] from here on another thread may take over
    pool.at_work.fetch_sub(1, seq_cst);   // order: [B4] its exit hook is over
    tell_watchers(pool);                  // perhaps it was the last, and they have to do what is left
    pool.left_work.notify_all();
    leave_pool(pool, &w.books);
}

bool try_add_stand_in(pool_core& pool) noexcept {
    unsigned last = pool.workers.size() - 1;
    if (!pool.workers[last].is_stand_in || pool.workers[last].has_thread) {   // else one whose thread could not be started before
        if (pool.workers.is_full()) return false;
        try {
            add_worker(pool, true);
        } catch (const std::bad_alloc&) {
            return false;
        }
        ++last;
    }
    pool.idle.reserve(last);
    if (start_worker(pool.workers[last])) {
        pool.idle.unreserve(last);
        return false;
    }
    if (pool.stand_ins.nobody_joins) pool.workers[last].self.detach();
    return true;
}

pool_core::pool_core(pool_options o)
    : options(std::move(o)), sink(&options.error_sink, options.name.c_str()), root(context_access::adopt(context_node::make({}))),
      anchor(lease.get()), idle(options.workers, options.tuning.max_stand_ins), workers(options.workers + options.tuning.max_stand_ins) {
    anchor->core = this;
    anchor->root = context_access::node(root);
    anchor->stand_aside = &stand_aside;
    anchor->sink = &sink;
    anchor->longest_chain = options.chain_warning != 0 ? options.chain_warning : ~std::size_t{0};
    anchor->workers = options.workers;
    anchor->run_in_place = &run_in_place;
    anchor->free_once_out = [](pool_core& pool) { lastly::detail::free_once_out(pool, account_for(pool)); };
    lease.open();
}

pool_core::~pool_core() {
    constexpr bool waits_on = true;
    end_guard(*this, event_count::no_deadline, waits_on);
    guard.reset();
    departures_wait calls{*this};
    stand_aside(*anchor, calls, waits_on);
    empty_queues(*this);
    lease.shut();
    visitors_wait visits{lease};   // a visitor may still submit, and be rejected
    stand_aside(*anchor, visits, waits_on);
    leave_accounts(*this);
}

pool_core* open_pool(pool_options options, bool is_static) {
    auto pool = std::make_unique<pool_core>(std::move(options));
    pool->is_static = is_static;
    make_workers(*pool);
    if (pool->options.finalizer_budget.count() > 0) {
        pool->guard = std::make_unique<watchdog>(pool->options.finalizer_budget, &tell_as_visitor, &collect_running, pool.get());
    }
    start_workers(*pool);
    if (!join_living(*pool)) close_for_exit(*pool);   // made while the process ends: it rejects everything
    return pool.release();
}

bool end_workers(pool_core& pool, std::chrono::steady_clock::time_point deadline, bool waits_on) {
    pool.anchor->gate().fetch_or(gate_closed | gate_gone, seq_cst);   // order: [G1] the final state; [I4] before the seats are emptied
    pool.idle.wake_all();
    leave_wait wait{pool, deadline};
    stand_aside(*pool.anchor, wait, waits_on);
    if (!wait.all_left) return false;
    for (unsigned i = 0; i < pool.workers.size(); ++i) pool.workers[i].self.join();
    empty_queues(pool);
    return true;
}

bool end_guard(pool_core& pool, std::chrono::steady_clock::time_point deadline, bool waits_on) {
    if (pool.guard == nullptr || pool.guard->is_this_thread()) return true;   // then its sink destroys the pool
    pool.guard->tell_to_stop();
    guard_wait wait{*pool.guard, deadline};
    stand_aside(*pool.anchor, wait, waits_on);
    return pool.guard->has_ended();
}

void call_user_hook(pool_core& pool, const std::function<void(unsigned)>& hook, unsigned worker) noexcept {
    if (!hook) return;
    this_thread.self->in_hook = true;
    try {
        hook(worker);
    } catch (...) {
        error_report report;
        report.kind = report_kind::failed;
        report.name = "worker hook";
        report.site = {"(pool_options)", worker};
        report.error = std::current_exception();
        pool.sink.report(report);
    }
    if (this_thread.self == nullptr) end_child();   // it forked
    this_thread.self->in_hook = false;
}

void free_pool(pool_core& pool) noexcept {
    context_access::node(pool.root)->cancel(errc::pool_shutdown);
    if (may_be_held(pool)) leave_to_handles(*pool.anchor);
    pool.sink.tell_suppressed();
    const bool may_be_touched = pool.given_up.load(acquire) != 0 || pool.is_kept.load(acquire) != 0;   // order: [P2] by what its end has left behind
    if (!may_be_touched && leave_living(pool)) delete &pool;
}

void free_once_out(pool_core& pool, account* books) noexcept {
    if (stay* const here = stay::of(*pool.anchor)) here->frees_pool = true;
    else if (books != nullptr && books->arrived.read() != books->departed.read()) books->frees_pool = true;
    else free_pool(pool);
}

void leave_pool(pool_core& pool, account* books) noexcept {
    if (pool.inside.fetch_sub(1, acq_rel) != 1) return;    // order: [B3] the last one sees what the others did
    if (pool.ownerless.load(acquire) == 0) return;         // order: [B3] sees the owner's last words
    free_once_out(pool, books);
}

}   // namespace lastly::detail
