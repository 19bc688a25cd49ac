// What the two kinds of chains, a task's and a block's, have in common.
// The task's own thread only. Invariant: the header shows what is pending after each change of it.
#pragma once

#include "core/task/anchor.hpp"
#include "lastly/detail/frame.hpp"

#include <cstddef>
#include <exception>

namespace lastly::detail {

// The run is one of that pool's: where it is counted, and how long a chain of its is reported, once a run and once a site.
inline void enter_pool(run_record& r, pool_anchor& a) noexcept {
    r.pool = &a;
    r.long_at = a.longest_chain;
}
// A finalizer left its thread (P4): counted as thrown, and told. Returns the error that stands for that.
std::exception_ptr tell_left_thread(run_record& r) noexcept;
// An exception of a finalizer, to the sink.
void tell_thrown(run_record& r, const std::exception_ptr& error) noexcept;
node_room allocate_node(std::size_t size_bytes) noexcept;
// Destroys all that `spent` leads to, and frees slab blocks.
void destroy_nodes(chain_node*& spent) noexcept;

// Within the catch of what a deferred finalizer threw. Whether its thread is left (P4): the unwinding has to go on.
bool deferred_threw(run_record& r);

// Runs what that chain of the run holds, until nothing is left that is to be called.
[[gnu::always_inline]] inline void run_nodes(run_record& r, chain_state& c) {
    while (chain_node* const n = c.deferred) {
        c.deferred = n->next;
        --c.deferred_pending;
        show_call(r);
        if (n->destroy != nullptr || n->block_bytes != 0) {   // else nothing is left to do for it
            n->next = c.spent;
            c.spent = n;
        }
        ++r.run;
        try {
            n->call(*n, *c.result);
            ++r.returned;
            if (c.early != nullptr) [[unlikely]] settle_early(r);
        } catch (...) {
            if (deferred_threw(r)) throw;
        }
    }
}

}   // namespace lastly::detail
