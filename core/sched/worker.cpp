// The worker's loop: own tasks, then a search, then sleep. See worker.hpp, and README.md here.
#include "core/sched/worker.hpp"

#include "core/base/process.hpp"
#include "core/base/test_point.hpp"
#include "core/sched/intake.hpp"
#include "core/sched/pool_core.hpp"
#include "core/structures/frame_store.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <algorithm>
#include <utility>

namespace lastly::detail {

namespace {

constexpr std::uint64_t magazines_kept = 1024;   // free frames beyond this many magazines of a size go back to the system
constexpr unsigned pauses_a_round = 8;
constexpr unsigned enough_on_offer = 8;    // branches that a busy worker keeps public: each is larger than the next
constexpr std::uint32_t rounds_before_yield = 64;
constexpr std::uint32_t before_yield_in_a_crowd = 4, rounds_in_a_crowd = 8;   // where more are awake than there are CPUs: those that have work need theirs

// The turn of those who would otherwise wait for ever behind tasks that keep submitting tasks (O7).
frame* take_fairly(worker& w) noexcept {
    if (this_thread.self == nullptr) end_child();   // a sink or a destructor forked, and came back in the child
    if (LASTLY_FAULT("O7")) return nullptr;
    constexpr unsigned injector = 0, own_oldest = 1, others = 2;
    w.tasks_to_turn = w.pool.options.tuning.injector_interval;
    w.turn = (w.turn + 1) % 3;
    if (w.turn == others) {   // a worker may hang in one of its tasks, and nobody be idle who would steal the rest
        w.others_are_next = !LASTLY_FAULT("O7-others");
        return nullptr;
    }
    if (w.turn == injector) {
        if (frame* const f = take_one(w)) return f;
    }
    deque_item oldest;
    if (w.tasks.take_oldest(oldest)) return oldest.task;
    return w.turn == own_oldest ? take_one(w) : nullptr;
}

frame* next_own(worker& w) noexcept {
    if (--w.tasks_to_turn == 0) {
        if (frame* const f = take_fairly(w)) return f;
        if (w.others_are_next) return nullptr;
    }
    deque_item youngest;
    return w.tasks.pop(youngest) ? youngest.task : nullptr;
}

// After a task, for a worker that need not ask whether it is in excess.
frame* next_in_a_row(void* self) noexcept {
    worker& w = *static_cast<worker*>(self);
    return w.is_stand_in ? nullptr : next_own(w);
}

// The next to run, for a worker that need not search.
finding next(worker& w) noexcept {
    if (std::exchange(w.others_are_next, false)) {
        if (const finding f = steal_from_others(w, 1, 1)) return f;
    }
    return {next_own(w), nullptr};
}

// A bounded number of rounds.
finding search_rounds(worker& w) noexcept {
    const pool_core& pool = w.pool;
    const std::uint32_t workers = pool.options.workers, most = pool.options.tuning.spin_rounds;
    const bool is_crowded = pool.idle.awake() > pool.cpus;
    const std::uint32_t rounds = is_crowded ? std::min(most, std::max(rounds_in_a_crowd, most / workers * pool.cpus)) : most;
    const std::uint32_t yields_from = is_crowded ? before_yield_in_a_crowd : rounds_before_yield;
    for (std::uint32_t round = 0; round < rounds; ++round) {
        if (frame* const f = take_batch(taker_of(w))) return {f, nullptr};
        if (const finding f = steal_from_others(w, pool.options.tuning.steal_attempts, deque::most_at_once)) return f;   // many: so that the way pays
        if (pool.anchor->gone()) return {};
        if (round >= yields_from) yield_thread();
        else for (unsigned i = 0; i < pauses_a_round; ++i) pause_cpu();
    }
    return take_from_anybody(w.pool);
}

bool no_work_yet(void* self) noexcept {
    pool_core& pool = static_cast<worker*>(self)->pool;
    return !any_queue_has_work(pool) && !pool.anchor->gone();   // else its owner trims
}

// A searcher that leaves for another reason than that there is nothing.
void stop_searching(pool_core& pool) noexcept {
    if (pool.idle.stop_search() && any_queue_has_work(pool)) pool.idle.notify();
}

// Takes its seat. True: it was not wanted, and others search, so that it need not look for work once more.
bool go_to_sleep(worker& w, bool is_wanted) noexcept {
    pool_core& pool = w.pool;
    if (is_wanted) {
        if (pool.idle.prepare(w.index)) on_idle(pool);
        return false;
    }
    const auto others = pool.idle.prepare_unlooked(w.index);
    if (pool.idle.awake() < pool.cpus) pool.idle.wake_napper();   // more went to sleep than were too many
    if (others.watch) on_idle(pool);
    return others.search;
}

// Searches, and sleeps when there is nothing. Nothing: the pool is gone.
finding search(worker& w, bool is_searcher) noexcept {
    pool_core& pool = w.pool;
    if (this_thread.self == nullptr) end_child();
    turn_to(w.books, nullptr);
    wait_for_more(w);
    if (!is_searcher) {
        if (frame* const f = take_next_batch(w)) return {f, nullptr};
        if (pool.idle.start_search()) on_idle(pool);
    }
    for (;;) {
        if (w.is_stand_in && pool.stand_ins.excess.load(relaxed) != 0) {   // order: a hint; lie_down_if_excess decides
            stop_searching(pool);
            if (!lie_down_if_excess(w) && pool.idle.start_search()) on_idle(pool);
        }
        const bool is_wanted = pool.crowds.hold_back(pool);
        if (const finding f = is_wanted ? search_rounds(w) : finding{}) {
            stop_searching(pool);
            return f;
        }
        if (pool.anchor->gone()) {
            pool.idle.stop_search();
            return {};
        }
        if (is_wanted) trim(magazines_kept, &no_work_yet, &w);
        LASTLY_POINT("going-to-sleep");
        const bool others_look = go_to_sleep(w, is_wanted);
        LASTLY_POINT("prepared");
        if ((!others_look && any_queue_has_work(pool)) || (pool.anchor->gate().load(seq_cst) & gate_gone) != 0) {   // order: [I4] after the seat was taken: the last to set it wakes every seat
            if (pool.idle.cancel(w.index)) yield_thread();   // the work may be on its way: its submitter wants the CPU
            else stay_down(w);
        } else {
            LASTLY_POINT("asleep");
            pool.idle.commit(w.index);
        }
    }
}

unsigned least_on_offer(const pool_core& pool) noexcept { return std::min(pool.options.workers, enough_on_offer); }

}   // namespace

worker::worker(pool_core& p, unsigned i, bool stands_in, account& a)
    : pool(p), index(i), is_stand_in(stands_in), books(a), branches(&p, least_on_offer(p), std::max(least_on_offer(p), std::min(p.options.workers, p.cpus)), p.idle.word(), &offer_more_branches), tasks_to_turn(p.options.tuning.injector_interval), random(0x9e3779b97f4a7c15u * (i + 1)), last_victim(i) {}

namespace {

// While it lives, this thread may be left by its tasks: then another one takes over (P4).
class tenure {
public:
    explicit tenure(worker& w) noexcept : worker_(w) {}
    ~tenure() {
        if (!is_over_) replace_thread(worker_);
    }
    void end() noexcept { is_over_ = true; }
    tenure(const tenure&) = delete;
    tenure& operator=(const tenure&) = delete;

private:
    worker& worker_;
    bool is_over_ = false;
};

}   // namespace

void worker_main(void* self) {
    worker& w = *static_cast<worker*>(self);
    pool_core& pool = w.pool;
    while (w.handed_over.load(acquire) == 0) yield_thread();   // order: [B8] sees the threads that are noted as this worker's
    w.clock.store(cpu_clock_of_this_thread(), relaxed);   // order: a hint: whose CPU time to ask for
    w.left.join();   // its thread_local objects go now
    this_thread.home = pool.anchor;
    this_thread.self = &w;
    this_thread.books = &w.books;
    this_thread.pool_serial = pool.anchor->serial();
    call_user_hook(pool, pool.options.on_worker_start, w.index);
    tenure here(w);
    task_runner tasks(pool, w.books);
    bool is_searcher = w.is_stand_in && !w.is_up_already;
    if (is_searcher) begin_asleep(w);
    for (;;) {
        if (this_thread.self == nullptr) end_child();   // as in take_fairly
        if (w.is_stand_in && !is_searcher) is_searcher = lie_down_if_excess(w);
        finding f = is_searcher ? finding{} : next(w);
        if (!f) f = search(w, std::exchange(is_searcher, false));
        if (!f) break;
        if (f.task != nullptr) tasks.run_all(f.task, &next_in_a_row, &w);
        else run_stolen(w, *f.part);
    }
    here.end();
    call_user_hook(pool, pool.options.on_worker_exit, w.index);
    pool.at_work.fetch_sub(1, seq_cst);   // order: [B4] the hook is over
    pool.left_work.notify_all();
    leave_worker();
    leave_pool(pool, &w.books);
}

void leave_worker() noexcept {
    this_thread.home = nullptr;
    this_thread.self = nullptr;
    this_thread.books = nullptr;
    this_thread.pool_serial = 0;
}

helper::helper(pool_core& pool, account& books) noexcept
    : pool_(pool), books_(books), is_owner_(pool.helpers_owner.exchange(1, acquire) == 0) {}   // order: [B9] sees the deque as the last owner left it
helper::~helper() {
    if (is_owner_) pool_.helpers_owner.store(0, release);   // order: [B9] hands the deque on
}

frame* helper::next() noexcept {
    if (is_owner_) {
        deque_item youngest;
        if (pool_.helpers.pop(youngest)) return youngest.task;
        if (frame* const f = take_batch({pool_, books_, pool_.helpers, nullptr})) return f;
        return steal_from_anybody(pool_);
    }
    frame* f = nullptr;
    if (pool_.entrance.take(nullptr, &f, 1) == 0) return steal_from_anybody(pool_);
    books_.taken.add();
    return f;
}

void fetch_batch(worker& w) noexcept {
    if (take_over(taker_of(w), 0, nullptr) != 0) w.pool.idle.notify();
}

bool run_anything(worker& w) {
    finding f{next_own(w), nullptr};
    if (!f) f.task = take_batch(taker_of(w));
    if (!f) f = take_from_anybody(w.pool);
    if (f.task != nullptr) run_while_waiting(w, f.task, [] { return nullptr; });
    else if (f.part != nullptr) run_while_waiting(w, *f.part);
    return static_cast<bool>(f);
}

}   // namespace lastly::detail
