// Reading a pool's books: the ledger, the quiescence that follows from it, and which tasks run now.
// Any thread. Invariant: what ends a task is read before what begins one, so that equal sums mean that nothing was unfinished at
// the moment between (L1, W5).
#include "core/base/clock.hpp"
#include "core/sched/pool_core.hpp"
#include "core/structures/frame_store.hpp"
#include "core/structures/frame_view.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/fault.hpp"

#include <initializer_list>

namespace lastly::detail {

namespace {

struct held_count {
    const pool_anchor* owner;
    std::uint64_t count;
};

void count_if_held(frame& f, void* argument) {
    auto& held = *static_cast<held_count*>(argument);
    frame_view v{};
    if (look(f, v) && v.owner == held.owner && phase_of(v.progress) == phase::held && is_kept(f)) ++held.count;
}

struct running_list {
    const pool_anchor* owner;
    std::uint64_t now_ms;
    std::vector<live_task>& tasks;
};

void note_if_running(frame& f, void* argument) {
    auto& list = *static_cast<running_list*>(argument);
    frame_view v{};
    if (!look(f, v) || v.owner != list.owner) return;
    const phase p = phase_of(v.progress);
    if (p != phase::running && p != phase::finalizing) return;
    const std::uint64_t age_ms = list.now_ms > v.stamp ? list.now_ms - v.stamp : 0;
    list.tasks.push_back({v.name, v.site, p == phase::running ? task_state::running : task_state::finalizing,
                          std::chrono::milliseconds(age_ms), pending_of(v.progress)});
}

template <class Visit>
void each_account(const pool_core& pool, Visit visit) {
    for (const account* a = pool.accounts.load(seq_cst); a != nullptr; a = a->next) visit(*a);   // order: [B1] sees the accounts; [A1] after the gate was closed
}

}   // namespace

namespace {

// What ends comes first, then what begins; `columns` are the sets of refusals that count.
ledger_snapshot sum(pool_core& pool, std::initializer_list<refusals account::*> columns) {
    ledger_snapshot s;
    std::uint64_t retired = 0;
    // order (block): [Q1] sees what was counted
    s.rejected = pool.shared.rejected.load(acquire);
    s.finalizers_thrown = pool.shared.thrown.load(acquire);
    s.finalizers_returned = pool.shared.returned.load(acquire);
    s.finalizers_run = pool.shared.run.load(acquire);

    each_account(pool, [&](const account& a) {
        retired += a.retired.read();
        s.succeeded += a.succeeded.read();
        s.failed += a.failed.read();
        s.cancelled += a.cancelled.read();
        for (const auto set : columns) {
            s.rejected += (a.*set).rejected.read();
            s.finalizers_thrown += (a.*set).thrown.read();
            s.finalizers_returned += (a.*set).returned.read();
            s.finalizers_run += (a.*set).run.read();
        }
    });
    s.finalizers_attached = pool.shared.attached.load(acquire);   // order: [Q1] sees what was counted
    each_account(pool, [&](const account& a) {
        s.accepted += a.accepted.read();
        for (const auto set : columns) s.finalizers_attached += (a.*set).attached.read();
    });
    each_account(pool, [&](const account& a) {
        for (const auto set : columns) s.attempts += (a.*set).attempts.read();
    });
    s.attempts += pool.shared.attempts.load(acquire);   // order: [Q1] sees what was counted
    s.live = s.accepted - retired;
    held_count held{pool.anchor, 0};
    if (may_be_held(pool) && !LASTLY_FAULT("L4-held")) walk_frames(&count_if_held, &held);
    s.held = held.count;
    return s;
}

}   // namespace

bool may_be_held(pool_core& pool) noexcept {
    std::uint64_t handed_out = 0;
    each_account(pool, [&](const account& a) { handed_out += a.handed_out.read(); });
    return handed_out != 0;
}

ledger_snapshot take_ledger(pool_core& pool) { return sum(pool, {&account::main, &account::late}); }
ledger_snapshot take_main_ledger(pool_core& pool) { return sum(pool, {&account::main}); }

bool is_quiescent(pool_core& pool) noexcept {
    if (LASTLY_FAULT("W5")) return true;
    std::uint64_t over = pool.shared.rejected.load(acquire);   // order: [Q1] sees the refusal's chain
    each_account(pool, [&](const account& a) { over += a.retired.read() + a.main.rejected.read(); });
    std::uint64_t begun = 0;
    each_account(pool, [&](const account& a) { begun += a.main.attempts.read(); });
    begun += pool.shared.attempts.load(seq_cst);   // order: [A1] after the gate was closed
    return over == begun;
}

std::uint64_t count_retired(pool_core& pool) noexcept {
    std::uint64_t over = 0;
    each_account(pool, [&](const account& a) { over += a.retired.read(); });
    return over;
}

bool runs_anything(pool_core& pool) noexcept {
    bool runs = false;
    each_account(pool, [&](const account& a) { runs = runs || a.now.load(acquire) != nullptr; });   // order: [K2] sees what was shown before
    return runs;
}

bool all_have_departed(pool_core& pool) noexcept {
    std::uint64_t departed = pool.shared.departed.load(acquire);   // order: [Q1] sees the thread's last touch
    each_account(pool, [&](const account& a) { departed += a.departed.read(); });
    std::uint64_t arrived = pool.shared.arrived.load(acquire);     // order: [Q1] sees the thread's arrival
    each_account(pool, [&](const account& a) { arrived += a.arrived.read(); });
    return departed == arrived;
}

bool injector_has_work(pool_core& pool) noexcept {
    std::uint64_t gone = 0, offered = 0;
    each_account(pool, [&](const account& a) { gone += a.taken.read() + a.withdrawn.read(); });
    each_account(pool, [&](const account& a) { offered += a.spilled.read() + (a.worker ? 0 : a.main.attempts.read()); });
    return offered != gone;
}

bool any_task_is_queued(pool_core& pool) noexcept {
    if (injector_has_work(pool) && !LASTLY_FAULT("recheck-injector")) return true;
    const unsigned crew = pool.workers.size();
    for (unsigned i = 0; i < crew && !LASTLY_FAULT("recheck-deques"); ++i) {
        if (pool.workers[i].tasks.size() != 0) return true;
    }
    return pool.helpers.size() != 0;
}

bool any_queue_has_work(pool_core& pool) noexcept {
    if (any_task_is_queued(pool)) return true;
    const unsigned crew = pool.workers.size();
    for (unsigned i = 0; i < crew; ++i) {
        if (pool.workers[i].branches.size() != 0) return true;
    }
    return false;
}

std::vector<live_task> running_tasks(pool_core& pool) {
    std::vector<live_task> tasks;
    if (LASTLY_FAULT("S2")) return tasks;
    running_list list{pool.anchor, coarse_now_ms(), tasks};
    walk_frames(&note_if_running, &list);
    return tasks;
}

}   // namespace lastly::detail
