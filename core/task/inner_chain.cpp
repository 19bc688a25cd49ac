// Blocks inside a body: defer_frame's compiled half (O6).
// The task's own thread only. Invariants: 1. A node leaves `deferred` before its call: it is never called twice. 2. Finalizers and
// their destructors are shielded (C4) and may register further ones: a block closes when none is left.
#include "core/task/chain.hpp"
#include "core/task/branch.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/defer.hpp"
#include "lastly/detail/defer_frame.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <stdexcept>
#include <utility>

namespace lastly::detail {

namespace {

void run_pending(inner_chain& c) {
    run_record& r = *c.run;
    while (chain_node* const n = c.deferred) {
        c.deferred = n->next;
        --c.pending;
        --r.inner_pending;
        show_call(r);
        n->next = c.spent;
        c.spent = n;
        ++r.run;
        try {
            n->call(*n, *r.chain->result);   // it takes no outcome
            ++r.returned;
        } catch (...) {
            if (is_forced_unwind()) {   // the rest runs while the thread unwinds (P4)
                tell_left_thread(r);
                throw;
            }
            ++r.thrown;
            if (!LASTLY_FAULT("O6-thrown")) tell_thrown(r, std::current_exception());
        }
    }
}

}   // namespace

void open_chain(inner_chain& c, run_record& wanted) {
    run_record* const here = find_here(wanted);
    if (here == nullptr || here != this_thread.current) {
        throw std::logic_error("lastly: a defer_frame on another thread than its task's, or for another task than the innermost");
    }
    c.run = here;
    c.scope = here->scope;
    c.outer = std::exchange(here->inner, &c);
}

run_record& run_to_defer_in(const inner_chain& c) {
    run_record& r = run_of_this_thread(c.run);
    if (&r != c.run || r.scope != c.scope) {
        throw std::logic_error("lastly: a branch defers in a defer_frame of what forked it; nothing was registered: make one inside the branch");
    }
    return r;
}

void close_chain(inner_chain& c) {
    run_record& r = *c.run;
    if (c.deferred != nullptr || c.is_closing) {
        if (!std::exchange(c.is_closing, true)) c.was_finalizing = std::exchange(r.finalizing, r.finalizing || !LASTLY_FAULT("O6-shield"));
        with_rest([&c] {
            while (c.deferred != nullptr || c.spent != nullptr) {
                run_pending(c);
                destroy_nodes(c.spent);
            }
        }, [&c] { close_chain(c); });
        r.finalizing = c.was_finalizing;
        show_pending(r);
    }
    inner_chain** link = &r.inner;
    while (*link != &c) link = &(*link)->outer;   // the first, if blocks nest as they must
    *link = c.outer;
}

node_room reserve_node(inner_chain& c, std::size_t size_bytes, std::size_t alignment) noexcept {
    if (LASTLY_FAULT("O6")) return task_chain{*c.run}.reserve(size_bytes, alignment);
    const std::size_t rounded = (size_bytes + alignof(chain_node) - 1) / alignof(chain_node) * alignof(chain_node);
    if (alignment > alignof(chain_node) || rounded > inner_chain::room_bytes - c.used_bytes) return allocate_node(size_bytes);
    return {&c.room[std::exchange(c.used_bytes, c.used_bytes + rounded)], 0};
}

void link_node(inner_chain& c, chain_node& n) noexcept {
    run_record& r = *c.run;
    if (LASTLY_FAULT("O6")) return task_chain{r}.link(n);
    chain_node** place = &c.deferred;
    while (LASTLY_FAULT("O6-order") && *place != nullptr) place = &(*place)->next;
    n.next = *place;
    *place = &n;
    ++c.pending;
    ++r.attached;
    ++r.inner_pending;
    show_one_more(r);
    if (c.pending > r.long_at) warn_of_length(r, c.pending);
}

}   // namespace lastly::detail
