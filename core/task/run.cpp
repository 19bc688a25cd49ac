// See run.hpp.
#include "core/task/run.hpp"

#include "core/structures/frame_store.hpp"
#include "core/task/context.hpp"
#include "core/task/group.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/build.hpp"
#include "lastly/detail/handle.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <stdexcept>

namespace lastly::detail {

run_scope::run_scope(run_record& r) noexcept {
    r.outer = this_thread.current;
    this_thread.current = &r;
}
run_scope::~run_scope() { this_thread.current = this_thread.current->outer; }

void execute(frame& f, run_record& r) noexcept {
    const frame_ops& ops = f.type();
    r.task = &f;
    const std::size_t used = (ops.size_bytes + alignof(chain_node) - 1) / alignof(chain_node) * alignof(chain_node);
    r.spare = f.at(used);
    r.spare_end = f.at(usable_bytes(ops.size_bytes));
    if (r.spare > r.spare_end) r.spare = r.spare_end;
    r.attached_pending = ops.attached;
    ops.execute(f, r);
    r.reported = nullptr;   // whoever takes the error next holds it alone (O4)
}

const char* name_of(const run_record& r) noexcept {
    if (r.name != nullptr) return r.name;
    return r.task != nullptr && r.site.file == nullptr ? name_of(*r.task) : "";
}

creation_site site_of(const run_record& r) noexcept {
    if (r.site.file != nullptr) return r.site;
    return r.task != nullptr ? r.task->site() : creation_site{"(unknown)", 0};
}

error_sink& sink_of(const run_record& r) noexcept { return r.pool != nullptr ? *r.pool->sink : process_sink(); }

run_record* current_run() noexcept { return this_thread.current; }

bool runs_task_of(const pool_anchor& a) noexcept {
    for (const run_record* r = this_thread.current; r != nullptr; r = r->outer) {
        if (r->pool == &a) return true;
    }
    return false;
}

namespace {

bool is_own_thread(const run_record& r) noexcept {
    for (const run_record* here = this_thread.current; here != nullptr; here = here->outer) {
        if (here == &r) return true;
    }
    return false;
}

bool find_stop(const run_record& r, std::error_code& cause) noexcept {
    if ((r.finalizing && !LASTLY_FAULT("C4")) || r.task == nullptr || r.pool == nullptr) return false;
    if (LASTLY_FAULT("C1")) return false;
    if (r.cause) {   // it was told of one before: that one stays (E2)
        cause = r.cause;
        return true;
    }
    return find_stop(*r.task, stops_of(r), cause);
}

}   // namespace

stop_sources stops_of(const run_record& r) noexcept {
    if (context_node* const own = context_access::node_or_null(r.own)) return {own, nullptr, false};   // it stops with all of them
    return {attached_context(*r.task), r.group != nullptr ? r.group->context() : nullptr, r.pool->abrupt()};
}

namespace {

// The first stop that the body is told of stays (E2); other threads that it lends its task_context to change nothing.
bool tell_stop(run_record& r, std::error_code& cause) noexcept {
    if (!find_stop(r, cause)) return false;
    if (is_own_thread(r) && !LASTLY_FAULT("E2-told")) r.cause = cause;
    return true;
}

}   // namespace

bool stop_requested(run_record& r) noexcept {
    std::error_code cause;
    return tell_stop(r, cause);
}

void throw_if_stopped(run_record& r) {
    std::error_code cause;
    if (tell_stop(r, cause)) throw task_cancelled(cause);
}

const context& context_of(run_record& r) {
    static const context never_stopped = context::background();
    if (r.finalizing || r.task == nullptr || r.pool == nullptr) return never_stopped;
    if (context_access::node_or_null(r.own) == nullptr) {
        context_node* const parents[] = {attached_context(*r.task), r.group != nullptr ? r.group->context() : nullptr, r.pool->root};
        context_node* const node = context_node::make(parents);
        context own = context_access::adopt(node);
        std::error_code first = r.cause;   // what it was told of, or what its handle said, before the node was there (E2)
        if (!first && r.task->type().has_handle_part && !LASTLY_FAULT("C3-own")) first = give_node(*r.task, *node);
        if (first && !node->cancel(first) && node->cause() != first) own = context_access::adopt(context_node::make_stopped(first, node->deadline()));
        r.own = std::move(own);
    }
    return r.own;
}

void body_threw(run_record& r) noexcept {
    std::error_code cause;
    try {
        throw;
    } catch (const task_cancelled&) {
        if (find_stop(r, cause) && !LASTLY_FAULT("E1")) outcome_access::cancel(*r.result, cause);
        else outcome_access::fail(*r.result, std::current_exception());
    } catch (...) {
        outcome_access::fail(*r.result, std::current_exception());
    }
}

void finalizer_threw(run_record& r) noexcept {
    if (!LASTLY_FAULT("L3-thrown")) ++r.thrown;
    error_report report;
    report.kind = report_kind::finalizer_failed;
    report.name = name_of(r);
    report.site = site_of(r);
    report.error = std::current_exception();
    sink_of(r).report(report);
    if (LASTLY_FAULT("E4")) return;
    if (r.result->succeeded()) outcome_access::fail(*r.result, report.error);
    else if (!outcome_access::failed_in_setter(*r.result, report.error)) return;   // it had failed otherwise
    r.reported = std::move(report.error);
}

void throw_rejected(std::error_code cause) { throw task_rejected(cause); }
void throw_no_task(const char* what) { throw std::logic_error(std::string("lastly: ") + what + " outside a task of a pool"); }

}   // namespace lastly::detail
