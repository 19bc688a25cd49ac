// What the two kinds of chains, a task's and a block's, have in common.
// The task's own thread only. Invariant: the header shows what is pending after each change of it.
#pragma once

#include "core/task/anchor.hpp"
#include "lastly/detail/frame.hpp"

#include <cstddef>
#include <exception>

namespace lastly::detail {

// The frame's header shows how far the task is, and what is pending in its chain and its blocks.
inline void show_pending(run_record& r) noexcept {
    if (r.shown == nullptr) return;
    r.shown->show(r.finalizing ? phase::finalizing : phase::running, r.deferred_pending + r.inner_pending, r.attached_pending);
}
// A chain longer than the pool's chain_warning is reported, once a run and once a site.
inline bool is_long(const run_record& r, std::size_t length) noexcept {
    const std::size_t limit = r.pool != nullptr ? r.pool->chain_warning : 0;
    return limit != 0 && length > limit && !r.chain_reported;
}
void warn_of_length(run_record& r, std::size_t length) noexcept;
// An exception of a finalizer, to the sink.
// A finalizer left its thread (P4): counted as thrown, and told. Returns the error that stands for that.
std::exception_ptr tell_left_thread(run_record& r) noexcept;
void tell_thrown(run_record& r, const std::exception_ptr& error) noexcept;
chain_node* allocate_node(std::size_t size_bytes) noexcept;   // null: no memory
// Destroys all that `spent` leads to, and frees slab blocks.
void destroy_nodes(chain_node*& spent) noexcept;

}   // namespace lastly::detail
