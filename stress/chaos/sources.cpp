// See sources.hpp. The library's hooks do not say whether they have failed: what is armed still afterwards fails when it is asked as often.
#include "stress/chaos/sources.hpp"

#include "core/base/thread.hpp"
#include "core/sched/account.hpp"
#include "core/structures/frame_store.hpp"
#include "core/task/context.hpp"

namespace lastly::stress::chaos {

namespace {

using lastly::detail::block_kind;

// Did the one that was armed fail in time? `fails` asks once more for what may fail.
template <class Fails>
bool has_failed(unsigned nth, Fails fails) {
    for (unsigned i = 0; i < nth; ++i) {
        if (fails()) return false;
    }
    return true;
}

bool slab_fails() {
    constexpr std::size_t bytes = 32 << 10;   // such a block is a run of slabs
    void* const block = lastly::detail::allocate_block({block_kind::node, bytes});
    if (block == nullptr) return true;
    lastly::detail::release_block({block_kind::node, bytes}, block);
    return false;
}

bool node_fails() {
    try {
        static_cast<void>(with_cancel());
        return false;
    } catch (const std::bad_alloc&) {
        return true;
    }
}

bool thread_fails() {
    lastly::detail::thread t;
    if (t.start([](void*) {}, nullptr, "probe")) return true;
    t.join();
    return false;
}

// From the armed one on, accounts fail for good.
bool accounts_fail() {
    pool_options o;
    o.workers = 1;
    try {
        const pool probe(std::move(o));
        return false;
    } catch (const std::bad_alloc&) {
        return true;
    }
}

constexpr source of_memory[] = {
    {"allocation", shortage::memory, [](unsigned nth) { fail_allocations(nth, false); }, [](unsigned) { return stop_failing() != 0; }},
    {"all allocations from number", shortage::memory, [](unsigned nth) { fail_allocations(nth, true); }, [](unsigned) { return stop_failing() != 0; }},
    {"slab", shortage::memory, &lastly::detail::fail_slabs, [](unsigned nth) { return has_failed(nth, &slab_fails); }},
    {"context node", shortage::memory, &lastly::detail::fail_context_nodes, [](unsigned nth) { return has_failed(nth, &node_fails); }},
    {"accounts from number", shortage::memory, &lastly::detail::fail_accounts, [](unsigned) {
         const bool failed = accounts_fail();
         lastly::detail::fail_accounts(0);
         return failed;
     }},
};
constexpr source of_threads[] = {
    {"thread", shortage::threads, &lastly::detail::fail_thread_start, [](unsigned nth) { return has_failed(nth, &thread_fails); }},
};

}   // namespace

std::span<const source> memory_sources() noexcept { return of_memory; }
std::span<const source> thread_sources() noexcept { return of_threads; }

}   // namespace lastly::stress::chaos
