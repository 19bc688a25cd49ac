// The chain of deferred finalizers: nodes in the frame's spare room first, then in slab blocks; run last registered first.
// The task's own thread only. Invariants: 1. A node leaves `deferred` before its call: it is never called twice. 2. Nodes that
// ran are destroyed with the body (O3), and a destructor may register further ones. 3. What cannot be stored runs early (A3), between
// begin_early and end_early. Attached finalizers run in typed_frame.hpp, those of a block in inner_chain.cpp.
#include "core/task/chain.hpp"

#include "core/structures/frame_store.hpp"
#include "core/task/branch.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/fork.hpp"
#include "lastly/detail/fault.hpp"

#include <stdexcept>
#include <utility>

namespace lastly::detail {

void show_pending(run_record& r) noexcept {
    if (r.shown == nullptr) return;
    std::size_t deferred = r.inner_pending;
    for (const chain_state* c = r.chain; c != nullptr; c = c->outer) deferred += c->deferred_pending;
    r.shown->show(r.finalizing ? phase::finalizing : phase::running, deferred, r.attached_pending);
}

void warn_of_length(run_record& r, std::size_t length) noexcept {
    r.long_at = ~std::size_t{0};
    r.is_worn = true;
    error_sink& sink = sink_of(r);
    if (!sink.first_at(report_kind::chain_long, site_of(r))) return;
    error_report report;
    report.kind = report_kind::chain_long;
    report.name = name_of(r);
    report.site = site_of(r);
    report.count = length;
    sink.report(report);
}

void tell_thrown(run_record& r, const std::exception_ptr& error) noexcept {
    if (is_told(r, error)) return;   // it lets out what a fork has rethrown
    error_report report;
    report.kind = report_kind::finalizer_failed;
    report.name = name_of(r);
    report.site = site_of(r);
    report.error = error;
    sink_of(r).report(report);
}

node_room allocate_node(std::size_t size_bytes) noexcept { return {allocate_block({block_kind::node, size_bytes}), size_bytes}; }

node_room reserve_elsewhere(run_record& r, std::size_t size_bytes, std::size_t alignment) noexcept {
    if (alignment > alignof(chain_node) || size_bytes > run_record::room_bytes || std::exchange(r.uses_room, true)) return allocate_node(size_bytes);
    r.chain->spare = r.room + size_bytes;
    r.chain->spare_end = r.room + run_record::room_bytes;
    return {r.room, 0};
}

void destroy_nodes(chain_node*& spent) noexcept {
    while (chain_node* const n = spent) {
        spent = n->next;
        const std::size_t block_bytes = n->block_bytes;
        if (n->destroy != nullptr) n->destroy(*n);
        if (block_bytes != 0) release_block({block_kind::node, block_bytes}, n);
    }
}

void unreserve_node(node_room room) noexcept {
    if (room.block_bytes != 0) release_block({block_kind::node, room.block_bytes}, room.place);   // spare room comes back with the frame, or the block
}

bool begin_early(run_record& r) noexcept {
    ++r.attached;
    ++r.run;
    const bool was_finalizing = std::exchange(r.finalizing, true);
    show_pending(r);
    return was_finalizing;
}

void end_early(run_record& r, bool was_finalizing) noexcept {
    r.finalizing = was_finalizing;
    show_pending(r);
}

void early_threw(run_record& r, bool fails_the_task) noexcept {
    ++r.thrown;
    std::exception_ptr error = std::current_exception();
    if (!LASTLY_FAULT("A3-thrown")) tell_thrown(r, error);
    if (!fails_the_task || !r.chain->result->succeeded() || r.chain->early != nullptr) return;
    r.chain->early = std::move(error);   // a body that runs has not failed yet
    r.is_touched = r.chain->has_errors = true;
}

void settle_early(run_record& r) noexcept {
    if (r.chain->early == nullptr) return;
    const std::exception_ptr error = std::exchange(r.chain->early, nullptr);
    if (!r.chain->result->succeeded() || LASTLY_FAULT("E4-early")) return;   // the first error stays
    outcome_access::fail(*r.chain->result, error);
    keep_reported(r, error);
}

run_record& run_of_this_thread(run_record* wanted) {
    if (run_record* const here = wanted != nullptr ? find_here(*wanted) : nullptr) return *here;
    throw std::logic_error(wanted == nullptr ? "lastly: defer outside a task; nothing was registered"
                                             : "lastly: defer from another thread than the task's own; nothing was registered");
}

run_record& find_run_to_defer_to(run_record* wanted) {
    run_record& r = run_of_this_thread(wanted);
    if (r.scope != nullptr && !r.scope->is(branch_scope::open) && !LASTLY_FAULT("B2")) r.scope->open_chain();
    return r;
}

bool deferred_threw(run_record& r) {
    settle_early(r);   // what its defer could not store threw before
    if (!is_forced_unwind()) {
        finalizer_threw(r);
        return false;
    }
    finalizer_left_thread(r);   // the rest runs while the thread unwinds; of a branch's chain where that is closed
    if (r.body_is_over && r.chain->outer == nullptr) do_in_passing([&r] { r.task->type().finish(*r.task, r); });
    return true;
}

void run_deferred(run_record& r) { run_nodes(r, *r.chain); }

void destroy_spent(run_record& r) noexcept { destroy_nodes(r.chain->spent); }

}   // namespace lastly::detail
