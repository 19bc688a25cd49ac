// See living.hpp; edge P1 in README.md here.
#include "core/sched/living.hpp"

#include "core/sched/pool_core.hpp"
#include "lastly/detail/thread_block.hpp"

#include <mutex>
#include <utility>

namespace lastly::detail {

namespace {

constinit std::mutex list_mutex;   // a pool's start and end only, and the process's
constinit pool_core* list = nullptr;
constinit atomic<std::uint32_t> stage{static_cast<std::uint32_t>(process_stage::living)};

}   // namespace

process_stage stage_of_process() noexcept { return static_cast<process_stage>(stage.load(seq_cst)); }   // order: [P1] sees the list as it stays; after a waiter was counted

bool begin_process_end() noexcept {
    const std::lock_guard lock(list_mutex);
    std::uint32_t living = static_cast<std::uint32_t>(process_stage::living);
    return stage.compare_exchange_strong(living, static_cast<std::uint32_t>(process_stage::ending), seq_cst, seq_cst);   // order: [P1] the list does not change from now on
}

void end_process_end() noexcept {
    stage.store(static_cast<std::uint32_t>(process_stage::over), seq_cst);   // order: [P1] before the waiters are looked for
    for (pool_core* p = first_living(); p != nullptr; p = p->next_living) {
        p->quiet.notify_all();
        p->ended.notify_all();
        p->left_work.notify_all();
    }
}

bool join_living(pool_core& pool) noexcept {
    const std::lock_guard lock(list_mutex);
    if (stage_of_process() != process_stage::living) return false;
    pool.next_living = list;
    pool.to_living = &list;
    if (list != nullptr) list->to_living = &pool.next_living;
    list = &pool;
    return true;
}

bool leave_living(pool_core& pool) noexcept {
    const std::lock_guard lock(list_mutex);
    if (pool.to_living == nullptr) return true;   // made while the process was ending
    if (stage_of_process() != process_stage::living) return false;
    *pool.to_living = pool.next_living;
    if (pool.next_living != nullptr) pool.next_living->to_living = pool.to_living;
    return true;
}

pool_core* first_living() noexcept { return list; }

void hold_living() noexcept { list_mutex.lock(); }

void release_living(bool in_child) noexcept {
    if (in_child) {
        for (pool_core* p = std::exchange(list, nullptr); p != nullptr; p = p->next_living) {
            p->anchor->gate().fetch_or(gate_closed | gate_abrupt | gate_forked, seq_cst);   // order: [G1] of whoever comes later in the child
            p->to_living = nullptr;
        }
        if (worker* const w = this_thread.self) w->ticks = w->pool.options.tuning.injector_interval - 1;   // if it comes back to its loop, it looks there first
        this_thread.home = nullptr;
        this_thread.self = nullptr;
        this_thread.books = nullptr;
        this_thread.all_books = nullptr;
        this_thread.pool_serial = 0;
        stage.store(static_cast<std::uint32_t>(process_stage::living), seq_cst);   // order: [P1] no other thread is there
    }
    list_mutex.unlock();
}

std::size_t living_count() noexcept {
    const std::lock_guard lock(list_mutex);
    std::size_t n = 0;
    for (const pool_core* p = list; p != nullptr; p = p->next_living) ++n;
    return n;
}

}   // namespace lastly::detail
