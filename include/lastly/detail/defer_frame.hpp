// The finalizers of a block inside a body (O6): the part of lastly::defer_frame that knows types, and what compiled code sees of it.
// The task's own thread only. Invariants: 1. Open blocks of a run are linked from its record, innermost first, from construction to
// the end of destruction. 2. A node leaves `deferred` before its call. 3. Nodes lie in the object first, then in slab blocks.
#pragma once

#include <lastly/detail/defer.hpp>
#include <lastly/detail/export.hpp>
#include <lastly/detail/frame.hpp>

#include <cstddef>
#include <utility>

namespace lastly::detail {

struct inner_chain {
    run_record* run;
    inner_chain* outer;                     // the open block around this one
    branch_scope* scope;                    // where the run was forking then
    chain_node* deferred = nullptr;         // to run, last registered first
    chain_node* spent = nullptr;            // ran; destroyed before the block ends
    std::size_t pending = 0;
    std::size_t used_bytes = 0;             // of the room
    bool is_closing = false;                // its finalizers run
    bool was_finalizing = false;            // before that
    static constexpr std::size_t room_bytes = 128;   // two lambdas of four words each
    alignas(chain_node) std::byte room[room_bytes];
};

LASTLY_EXPORT run_record& run_to_defer_in(const inner_chain& c);     // std::logic_error on another thread, and in a branch that began later
LASTLY_EXPORT void open_chain(inner_chain& c, run_record& wanted);   // std::logic_error unless that is what this thread runs innermost
LASTLY_EXPORT void close_chain(inner_chain& c);                      // runs and destroys what is pending; the block is closed then; throws nothing, but passes on forced unwinding
LASTLY_EXPORT node_room reserve_node(inner_chain& c, std::size_t size_bytes, std::size_t alignment) noexcept;
LASTLY_EXPORT void link_node(inner_chain& c, chain_node& n) noexcept;

// Where a finalizer is registered: a block's chain. It is called without an outcome, and the task's outcome stays the body's.
struct inner_chain_ref {
    static constexpr bool with_outcome = false;
    static constexpr bool fails_the_task = false;

    run_record& run;
    inner_chain& chain;

    node_room reserve(std::size_t size_bytes, std::size_t alignment) const noexcept { return reserve_node(chain, size_bytes, alignment); }
    void link(chain_node& n) const noexcept { link_node(chain, n); }
};

template <class F, class... Args>
void defer_in(inner_chain& c, F&& f, Args&&... args) {
    defer_to(inner_chain_ref{run_to_defer_in(c), c}, std::forward<F>(f), std::forward<Args>(args)...);
}

}   // namespace lastly::detail
