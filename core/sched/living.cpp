// See living.hpp; edge P1 in README.md here.
#include "core/sched/living.hpp"

#include "core/base/clock.hpp"
#include "core/base/process.hpp"
#include "core/sched/pool_core.hpp"
#include "lastly/detail/thread_block.hpp"

#include <mutex>
#include <utility>

namespace lastly::detail {

namespace {

constinit std::mutex list_mutex;   // a pool's start and end only, and the process's
constinit pool_core* list = nullptr;
constinit atomic<std::uint32_t> stage{static_cast<std::uint32_t>(process_stage::living)};

// Under the mutex, too.
struct exit_times {
    std::chrono::steady_clock::time_point hang_began{}, hang_ended{}, exit_began{};
    bool is_exit() const noexcept { return exit_began != std::chrono::steady_clock::time_point(); }
};
constinit exit_times times;

// Registered in a destructor that `exit` called, it runs right after that one; in another one, when the process ends some day.
void note_exit(int) noexcept {
    constexpr auto right_after = std::chrono::seconds(1);
    const std::lock_guard lock(list_mutex);
    const auto now = steady_now();
    if (!times.is_exit()) times.exit_began = now - times.hang_ended < right_after ? times.hang_began : now;
}

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

std::chrono::nanoseconds time_of_exit() noexcept {
    const std::lock_guard lock(list_mutex);
    return times.is_exit() ? steady_now() - times.exit_began : std::chrono::nanoseconds(0);
}

void note_hang(std::chrono::steady_clock::time_point begin) noexcept {
    const std::lock_guard lock(list_mutex);
    times.hang_began = begin;
    times.hang_ended = steady_now();
    if (!times.is_exit()) on_exit_call(&note_exit);   // without memory the budgets add up
}

pool_core* first_living() noexcept { return list; }

void hold_living() noexcept { list_mutex.lock(); }

void release_living(bool in_child) noexcept {
    if (in_child) {
        for (pool_core* p = std::exchange(list, nullptr); p != nullptr; p = p->next_living) {
            p->anchor->gate().fetch_or(gate_closed | gate_abrupt | gate_forked, seq_cst);   // order: [G1] of whoever comes later in the child
            p->to_living = nullptr;
        }
        if (worker* const w = this_thread.self) w->tasks_to_turn = 1;   // if it comes back to its loop, it looks there first
        this_thread.home = nullptr;
        this_thread.self = nullptr;
        this_thread.books = nullptr;
        this_thread.all_books = nullptr;
        this_thread.pool_serial = 0;
        times = {};
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
