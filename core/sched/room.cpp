// See room.hpp; edge C1 in README.md here.
#include "core/sched/room.hpp"

#include "core/sched/pool_core.hpp"
#include "core/sched/stand_in.hpp"
#include "core/task/context.hpp"
#include "core/task/group.hpp"
#include "core/task/state.hpp"
#include "core/task/stop_listener.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <utility>

namespace lastly::detail {

namespace {

bool take_room(pool_core& pool) noexcept {
    std::uint64_t now = pool.unfinished.load(seq_cst);   // order: [C1] after the caller's intent to wait was published
    while (now < pool.options.capacity) {
        if (pool.unfinished.compare_exchange_weak(now, now + 1, seq_cst, seq_cst)) return true;   // order: [C1] as the load above
    }
    return false;
}

// A caller's wait until there is room, the pool closes, or it is asked to stop.
class room_wait {
public:
    room_wait(pool_core& pool, frame& f, group_core* group) noexcept
        : pool_(pool), of_group_(group != nullptr ? group->context_from_outside() : context{}),   // no member of it is under way yet
          listener_(attached_context(f), context_access::node_or_null(of_group_),
                                 [](void* p) { static_cast<pool_core*>(p)->room.notify_all(); }, &pool) {}

    room_result wait(std::error_code& cause) {
        stand_aside(*pool_.anchor, *this, true);
        cause = cause_;
        return result_;
    }

    bool is_over() noexcept {
        if ((pool_.anchor->gate().load(seq_cst) & gate_closed) != 0) result_ = room_result::closed;   // order: [C1] the closer sets the gate, then looks at the waiters
        else if ((cause_ = listener_.cause()) && !LASTLY_FAULT("A5-stop")) result_ = room_result::stopped;
        else return take_room(pool_);
        return true;
    }
    void sleep() noexcept { pool_.room.wait([this] { return is_over(); }); }

private:
    pool_core& pool_;
    const context of_group_;
    stop_listener listener_;
    std::error_code cause_;
    room_result result_ = room_result::granted;
};

}   // namespace

void blocked_caller::blocks_in(pool_core& pool) noexcept {
    pool_ = &pool;
    outer_ = std::exchange(this_thread.blocked, this);
    pool.blocked.fetch_add(1, seq_cst);   // order: [C1] before it looks at the gate
}
void blocked_caller::end() noexcept {
    this_thread.blocked = outer_;
    pool_->blocked.fetch_sub(1, seq_cst);   // order: [Q1] before the look at the watchers
    tell_watchers(*pool_);
}
blocked_caller::~blocked_caller() {
    if (pool_ != nullptr) end();
}
void blocked_caller::leave_all() noexcept {
    while (this_thread.blocked != nullptr) this_thread.blocked->end();
}

bool is_own_worker(const pool_core& pool) noexcept { return this_thread.home == pool.anchor; }

room_result find_room(pool_core& pool, frame& f, patience p, group_core* group, std::error_code& cause, blocked_caller& caller) {
    if (pool.options.capacity == 0 || take_room(pool) || LASTLY_FAULT("A5")) return room_result::granted;
    const overflow policy = pool.options.overflow;
    const bool worker = is_own_worker(pool);
    if (policy == overflow::reject || (p == patience::never && !(worker && policy == overflow::block))) return room_result::full;
    if (policy == overflow::block && !worker) {
        caller.blocks_in(pool);
        return room_wait(pool, f, group).wait(cause);
    }
    pool.unfinished.fetch_add(1, seq_cst);   // order: [C1] counts beyond the capacity
    return policy == overflow::block ? room_result::granted : room_result::run_here;
}

void give_room_back(pool_core& pool) noexcept {
    if (pool.options.capacity == 0) return;
    pool.unfinished.fetch_sub(1, seq_cst);   // order: [C1] before the look at the blocked callers
    if (!LASTLY_FAULT("A5-told")) pool.room.notify_all();
}

}   // namespace lastly::detail
