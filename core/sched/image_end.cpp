// The end of a pool with static storage: `exit`, or `dlclose`, destroys it (P1).
// The destructor's thread, and one that helps it. Invariants: 1. Nothing that hangs holds the image's end up beyond the budget. 2. What has not ended
// then is left as it is, and said. Step by step in core/process/README.md.
#include "core/base/clock.hpp"
#include "core/base/futex.hpp"
#include "core/base/thread.hpp"
#include "core/sched/pool_core.hpp"
#include "lastly/detail/thread_block.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <utility>

namespace lastly::detail {

namespace {

using time_point = std::chrono::steady_clock::time_point;

// Helps with the chains of a pool whose image ends, on a thread of its own: one that hangs does not keep the image's end.
struct exit_helper {
    pool_core& pool;
    const time_point deadline;
    thread self{};
    futex_word is_done{0};

    static void main(void* raw) {
        auto& me = *static_cast<exit_helper*>(raw);
        with_rest([&me] {
            close_for_exit(me.pool);   // runs stop callbacks
            help_for_exit(me.pool, me.deadline);
        }, [raw] { main(raw); });
        me.is_done.store(1, release);   // order: [P2] sees what it did with the pool
        futex_wake_all(me.is_done.address());
    }
    bool wait(time_point until) noexcept {
        while (is_done.load(acquire) == 0) {   // order: [P2] before the pool is freed
            if (!futex_wait_until(is_done, 0, until)) return is_done.load(acquire) != 0;   // order: [P2] before the pool is freed
        }
        return true;
    }
};

bool has_guests(pool_core& pool) noexcept { return !all_have_departed(pool) || pool.lease.has_visitors(); }

}   // namespace

// If what was destroyed before it has used that up, it still has a sixteenth, again and again while tasks end.
void end_with_image(pool_core& pool) {
    constexpr auto moment = std::chrono::milliseconds(20), to_leave = std::chrono::milliseconds(1000);   // beyond the budget, for threads that have nothing to do
    const auto budget = pool.options.exit_budget, share = budget / 16;
    const time_point begin = steady_now(), deadline = deadline_after(budget), by_now = std::max(deadline - time_of_exit(), begin + share);
    auto helper = std::unique_ptr<exit_helper>(new (std::nothrow) exit_helper{pool, deadline});
    if (helper == nullptr || helper->self.start(&exit_helper::main, helper.get(), "lastly-exit")) {
        helper = nullptr;
        close_for_exit(pool);
        help_for_exit(pool, deadline);
    }
    const auto ends_by = [&](time_point until) {
        if (helper != nullptr && !helper->wait(until)) return false;
        if (helper != nullptr) helper->self.join();
        helper = nullptr;
        if (!close_until(pool, false, until, false)) return false;
        while (has_guests(pool) && steady_now() < until) yield_thread();   // refused chains
        return !has_guests(pool);
    };
    const auto ends_in_time = [&] {
        std::uint64_t before = std::numeric_limits<std::uint64_t>::max();
        for (time_point until = by_now; !ends_by(until); until = std::min(deadline, steady_now() + share)) {
            const std::uint64_t live = take_ledger(pool).live;
            if (until == deadline || live >= std::exchange(before, live)) return false;
        }
        return true;
    };
    if (ends_in_time() || (rest_for_exit(pool, deadline_after(moment)) && ends_by(deadline_after(to_leave)))) return free_pool(pool);
    static_cast<void>(helper.release());   // it may be in a chain still
    note_hang(begin);
    if (stage_of_process() == process_stage::over) return;   // another thread has ended the process meanwhile, and this pool with it
    if (this_thread.current != nullptr) {   // what hangs may wait for what runs here, and go on when exit has left that
        pool.is_kept.store(1, release);   // order: [P2] whoever ends the process waits once more
        return;
    }
    pool.given_up.store(1, release);   // order: [P2] whoever ends the process leaves it out
    tell_what_hangs(pool, steady_now() - begin);
}

}   // namespace lastly::detail
