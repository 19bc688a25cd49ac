// The worker's loop: own tasks, then a search, then sleep. See worker.hpp, and README.md here.
#include "core/sched/worker.hpp"

#include "core/sched/pool_core.hpp"
#include "core/structures/frame_store.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

namespace lastly::detail {

namespace {

constexpr std::uint64_t magazines_kept = 1024;   // free frames beyond this many magazines of a size go back to the system
constexpr unsigned pauses_a_round = 8;
constexpr std::uint32_t rounds_before_yield = 64;

std::uint32_t next_random(std::uint64_t& state) noexcept {   // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return static_cast<std::uint32_t>(state * 0x2545f4914f6cdd1du >> 32);
}

// Takes over a batch: the first to run now, the rest to the deque, where others can steal it.
frame* take_batch(worker& w) noexcept {
    frame* batch[256];
    const std::size_t got = w.pool.entrance.take(w.intake.get(), batch, w.pool.options.tuning.injector_batch);
    if (got == 0) return nullptr;
    deque_item items[256];
    for (std::size_t i = 1; i < got; ++i) {
        __builtin_prefetch(batch[i], 1);   // its lines lie in the submitter's cache, or in memory
        items[i - 1].task = batch[i];
    }
    if (got > 1 && !w.tasks.push_all(items, got - 1)) {
        for (std::size_t i = 1; i < got; ++i) {   // the deque cannot grow: back to where they can wait
            w.books.spilled.announce();
            w.pool.entrance.spill(*batch[i]);
        }
    }
    w.books.taken.add(got);   // after they can be found in the deque: nobody who looks for work misses them meanwhile
    return batch[0];
}

frame* take_one(worker& w) noexcept {
    frame* f = nullptr;
    if (w.pool.entrance.take(w.intake.get(), &f, 1) == 0) return nullptr;
    w.books.taken.add();
    return f;
}

// The turn of those who would otherwise wait for ever behind tasks that keep submitting tasks (O7).
frame* take_fairly(worker& w) noexcept {
    if (LASTLY_FAULT("O7")) return nullptr;
    deque_item oldest;
    const bool injector_first = w.ticks / w.pool.options.tuning.injector_interval % 2 == 0;
    if (injector_first) {
        if (frame* const f = take_one(w)) return f;
    }
    if (w.tasks.take_oldest(oldest)) return oldest.task;
    return injector_first ? nullptr : take_one(w);
}

frame* next_own(worker& w) noexcept {
    if (++w.ticks % w.pool.options.tuning.injector_interval == 0) {
        if (frame* const f = take_fairly(w)) return f;
    }
    deque_item youngest;
    return w.tasks.pop(youngest) ? youngest.task : nullptr;
}

frame* steal_from_others(worker& w, bool& contended) noexcept {
    const auto count = static_cast<std::uint32_t>(w.pool.workers.size());
    const std::uint32_t attempts = w.pool.options.tuning.steal_attempts;
    deque_item item;
    for (std::uint32_t i = 0; count > 1 && i < attempts; ++i) {
        const std::uint32_t victim = (w.index + 1 + next_random(w.random) % (count - 1)) % count;
        if (w.pool.workers[victim]->tasks.steal(item, contended)) return item.task;
    }
    return nullptr;
}

// A bounded number of rounds. Null: nothing was found.
frame* search_rounds(worker& w) noexcept {
    const std::uint32_t rounds = w.pool.options.tuning.spin_rounds;
    for (std::uint32_t round = 0; round < rounds; ++round) {
        bool contended = false;
        if (frame* const f = take_batch(w)) return f;
        if (frame* const f = steal_from_others(w, contended)) return f;
        if ((w.pool.anchor->gate().load(acquire) & gate_gone) != 0) return nullptr;   // order: [G1] sees the final state
        if (round >= rounds_before_yield) yield_thread();
        else for (unsigned i = 0; i < pauses_a_round; ++i) pause_cpu();
    }
    return nullptr;
}

bool no_work_yet(void* self) noexcept { return !any_queue_has_work(static_cast<worker*>(self)->pool); }

// Searches, and sleeps when there is nothing. Null: the pool is gone.
frame* search(worker& w) noexcept {
    pool_core& pool = w.pool;
    if (pool.idle.start_search()) on_idle(pool);
    for (;;) {
        if (frame* const f = search_rounds(w)) {
            if (pool.idle.stop_search() && any_queue_has_work(pool)) pool.idle.notify();
            return f;
        }
        if ((pool.anchor->gate().load(acquire) & gate_gone) != 0) {   // order: [G1] sees the final state
            pool.idle.stop_search();
            return nullptr;
        }
        trim(magazines_kept, &no_work_yet, &w);
        if (pool.idle.prepare(w.index)) on_idle(pool);
        if (any_queue_has_work(pool) || (pool.anchor->gate().load(seq_cst) & gate_gone) != 0) {   // order: [I4] after the seat was taken: the last to set it wakes every seat
            pool.idle.cancel(w.index);
            yield_thread();   // the work may be on its way: its submitter wants the CPU
        } else {
            pool.idle.commit(w.index);
        }
    }
}

}   // namespace

void worker_main(void* self) noexcept {
    worker& w = *static_cast<worker*>(self);
    pool_core& pool = w.pool;
    this_thread.home = pool.anchor;
    this_thread.self = &w;
    this_thread.books = &w.books;
    this_thread.pool_serial = pool.anchor->serial();
    call_user_hook(pool, pool.options.on_worker_start, w.index);
    for (;;) {
        frame* f = next_own(w);
        if (f == nullptr) f = search(w);
        if (f == nullptr) break;
        run_from_queue(pool, w.books, *f);
    }
    call_user_hook(pool, pool.options.on_worker_exit, w.index);
    pool.at_work.fetch_sub(1, seq_cst);   // order: [B4] the hook is over
    pool.left_work.notify_all();
    this_thread.home = nullptr;
    this_thread.self = nullptr;
    this_thread.books = nullptr;
    this_thread.pool_serial = 0;
    leave_pool(pool, &w.books);
}

frame* take_any(pool_core& pool, account& books) noexcept {
    frame* f = nullptr;
    if (pool.entrance.take(nullptr, &f, 1) != 0) {
        books.taken.add();
        return f;
    }
    deque_item item;
    for (const auto& w : pool.workers) {
        bool contended = true;
        while (contended) {
            contended = false;
            if (w->tasks.steal(item, contended)) return item.task;
        }
    }
    return nullptr;
}

}   // namespace lastly::detail
