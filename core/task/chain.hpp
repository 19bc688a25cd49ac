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
// An exception of a finalizer, to the sink.
// A finalizer left its thread (P4): counted as thrown, and told. Returns the error that stands for that.
std::exception_ptr tell_left_thread(run_record& r) noexcept;
void tell_thrown(run_record& r, const std::exception_ptr& error) noexcept;
chain_node* allocate_node(std::size_t size_bytes) noexcept;   // null: no memory
// Destroys all that `spent` leads to, and frees slab blocks.
void destroy_nodes(chain_node*& spent) noexcept;

}   // namespace lastly::detail
