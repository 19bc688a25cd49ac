// What the library keeps for a thread: one constant-initialised block, so that reaching it is one addition to a register.
// The thread itself only. Each floor fills its own slot; what may outlive a pool is reached by the pool's serial number.
#pragma once

#include <cstdint>

namespace lastly::detail {

struct run_record;
struct account;
struct worker;
class frame_cache;
class pool_anchor;
struct stay;
class blocked_caller;
class watchdog;

struct thread_block {
    run_record* current = nullptr;        // core/task: the innermost run on this thread
    frame_cache* frames = nullptr;        // core/structures/frame_store: made at the first frame
    stay* staying = nullptr;              // core/task: the innermost stay with a pool that no account tells of
    blocked_caller* blocked = nullptr;    // core/sched/room: the innermost submission of this thread that has waited for room
    watchdog* watching = nullptr;         // core/report: the watchdog whose thread this is
    pool_anchor* home = nullptr;          // core/sched: the pool whose worker this is; null on other threads
    worker* self = nullptr;               // core/sched: likewise
    std::uint64_t pool_serial = 0;        // core/sched: whose account is cached
    account* books = nullptr;             // core/sched: the cached account
    account* all_books = nullptr;         // core/sched: every account of this thread
    void** caught = nullptr;              // core/base/thread: where the C++ ABI keeps this thread's innermost caught exception; null: not asked yet
    std::uintptr_t scarce_stack = 0;      // core/base/thread: below this address less than a quarter of the stack is left; 0: not known
#ifdef LASTLY_FAULTS
    std::uint64_t points = 0;             // core/base/test_point: what this thread's moments follow from
    std::uint64_t points_seed = 0;        // core/base/test_point: the seed that it belongs to
#endif
    bool exit_armed = false;              // the call at the thread's end is set
    bool has_woken = false;               // core/sched/idle: this thread has woken a worker, and has not waited for a task since
};

extern constinit thread_local thread_block this_thread __attribute__((tls_model("initial-exec"), visibility("default")));

}   // namespace lastly::detail
