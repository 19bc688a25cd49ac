// See run.hpp.
#include "core/task/run.hpp"

#include "core/structures/frame_store.hpp"
#include "core/task/branch.hpp"
#include "core/task/chain.hpp"
#include "core/task/context.hpp"
#include "core/task/group.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/build.hpp"
#include "lastly/detail/defer_frame.hpp"
#include "lastly/detail/handle.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <functional>
#include <stdexcept>

namespace lastly::detail {

run_scope::run_scope(run_record& r) noexcept {
    r.outer = this_thread.current;
    this_thread.current = &r;
}
run_scope::~run_scope() { this_thread.current = this_thread.current->outer; }

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

constexpr std::uint32_t has_cause = 2, has_context = 4;   // parts of a record's shared word

bool is_shielded(const run_record& r) noexcept { return r.finalizing || r.task == nullptr || r.pool == nullptr; }

bool find_stop(const run_record& r, std::error_code& cause) noexcept {
    if (is_shielded(r) && !(r.finalizing && LASTLY_FAULT("C4"))) return false;
    if (LASTLY_FAULT("C1")) return false;
    const run_record& root = root_of(r);
    if ((root.shared_word.load(acquire) & has_cause) != 0) {   // order: [Y3] it was told of one before: that one stays (E2)
        cause = root.cause;
        return true;
    }
    return find_stop(*r.task, stops_of(r), cause);
}

// That record as this thread has it: a stolen branch may ask through what belongs to its forker.
run_record& as_seen_here(run_record& r) noexcept {
    if (this_thread.current == &r) return r;
    run_record* const here = find_here(r);
    return here != nullptr && !LASTLY_FAULT("C4-asked") ? *here : r;
}

}   // namespace

stop_sources stops_of(const run_record& r) noexcept {
    const run_record& root = root_of(r);
    if ((root.shared_word.load(acquire) & has_context) != 0) return {context_access::node_or_null(root.own), nullptr, 0};   // order: [Y3] it stops with all of them
    return {attached_context(*r.task), r.group != nullptr ? r.group->context() : nullptr, r.pool->gate_now()};
}

namespace {

// The first stop that any part of the body is told of stays (E2), and is the one that stops its context.
bool tell_stop(run_record& asked, std::error_code& cause) noexcept {
    run_record& r = as_seen_here(asked);
    if (!find_stop(r, cause)) return false;
    run_record& root = root_of(r);
    if (LASTLY_FAULT("E2-told")) return true;
    if ((root.shared_word.load(acquire) & has_cause) == 0) {   // order: [Y3] sees the cause
        std::uint32_t parts = begin_writing(root.shared_word);
        context_node* const own = (parts & has_context) != 0 ? context_access::node_or_null(root.own) : nullptr;
        if ((parts & has_cause) == 0 && (own == nullptr || own->stopped())) {
            root.cause = own != nullptr ? own->cause() : cause;
            parts |= has_cause;
        }
        end_writing(root.shared_word, parts);
        if ((parts & has_cause) == 0) return false;   // the context that another branch made will have stopped in a moment
    }
    cause = root.cause;
    return true;
}

// A context below all that may stop that task; what it was told of before, or what its handle said, stops it at once (E2).
context make_own(run_record& root, bool is_told) {
    context_node* const parents[] = {attached_context(*root.task), root.group != nullptr ? root.group->context() : nullptr, root.pool->root};
    context_node* const node = context_node::make(parents);
    context own = context_access::adopt(node);
    std::error_code first;
    if (is_told) first = root.cause;
    if (!first && root.task->type().has_handle_part && !LASTLY_FAULT("C3-own")) first = give_node(*root.task, *node);
    if (first && !node->cancel(first) && node->cause() != first) own = context_access::adopt(context_node::make_stopped(first, node->deadline()));
    return own;
}

}   // namespace

std::error_code stop_cause(run_record& r) noexcept {
    std::error_code cause;
    tell_stop(r, cause);
    return cause;
}

bool stop_requested(run_record& r) noexcept {
    std::error_code cause;
    return tell_stop(r, cause);
}

void throw_if_stopped(run_record& r) {
    std::error_code cause;
    if (tell_stop(r, cause)) throw task_cancelled(cause);
}

const context& context_of(run_record& asked) {
    static const context never_stopped = context::background();
    run_record& r = as_seen_here(asked);
    if (is_shielded(r)) return never_stopped;
    run_record& root = root_of(r);
    if ((root.shared_word.load(acquire) & has_context) == 0) {   // order: [Y3] sees the context
        const std::uint32_t parts = begin_writing(root.shared_word);
        try {
            if ((parts & has_context) == 0) root.own = make_own(root, (parts & has_cause) != 0);
        } catch (...) {
            end_writing(root.shared_word, parts);
            throw;
        }
        end_writing(root.shared_word, parts | has_context);
    }
    return root.own;
}

void body_threw(run_record& r) noexcept {
    std::error_code cause;
    try {
        throw;
    } catch (const task_cancelled&) {
        if (tell_stop(r, cause) && !LASTLY_FAULT("E1")) outcome_access::cancel(*r.chain->result, cause);
        else outcome_access::fail(*r.chain->result, std::current_exception());
    } catch (...) {
        outcome_access::fail(*r.chain->result, std::current_exception());
    }
}

void body_left_thread(run_record& r) noexcept {
    if (LASTLY_FAULT("P4")) return;
    try {
        throw std::system_error(make_error_code(errc::thread_exited), "lastly: the thread was left");
    } catch (...) {
        outcome_access::fail(*r.chain->result, std::current_exception());   // std::bad_alloc, if not even that can be made
    }
}

void finalizer_threw(run_record& r) noexcept {
    if (LASTLY_FAULT("rest-skipped")) r.attached_pending = 0;
    if (!LASTLY_FAULT("L3-thrown")) ++r.thrown;
    std::exception_ptr error = std::current_exception();
    tell_thrown(r, error);
    if (LASTLY_FAULT("E4")) return;
    if (r.chain->result->succeeded()) outcome_access::fail(*r.chain->result, error);
    else if (!outcome_access::failed_in_setter(*r.chain->result, error)) return;   // it had failed otherwise
    keep_reported(r, std::move(error));
}

std::exception_ptr tell_left_thread(run_record& r) noexcept {
    ++r.thrown;
    std::exception_ptr error;
    try {
        throw std::system_error(make_error_code(errc::thread_exited), "lastly: the thread was left in a finalizer");
    } catch (...) {
        error = std::current_exception();   // std::bad_alloc, if not even that can be made
    }
    tell_thrown(r, error);
    return error;
}

void finalizer_left_thread(run_record& r) noexcept {
    if (LASTLY_FAULT("P4-finalizer")) r.attached_pending = 0;
    std::exception_ptr error = tell_left_thread(r);
    if (!r.chain->result->succeeded()) return;
    outcome_access::fail(*r.chain->result, error);
    keep_reported(r, std::move(error));
}

bool attached_threw(run_record& r, frame* f) {
    settle_early(r);   // what its defer could not store threw before
    if (!is_forced_unwind()) {
        finalizer_threw(r);
        return false;
    }
    finalizer_left_thread(r);
    if (r.body_is_over) do_in_passing([&] { f->type().finish(*f, r); });   // the rest runs while the thread unwinds
    return true;
}

void abandon(run_record& r, std::error_code cause) {
    r.abandoned = true;
    r.returned = r.run - r.thrown;   // a finalizer that was left counts as run
    r.chain->spent = nullptr;
    while (r.inner != nullptr || r.scope != nullptr) {
        const bool block_is_deeper = r.inner != nullptr && r.inner->scope == r.scope;   // opened within it
        if (!block_is_deeper) {
            abandon_branch(*r.scope, cause);
        } else {
            r.inner->spent = nullptr;
            close_chain(*r.inner);
        }
    }
    if (r.is_unheld) return;   // `publish` goes on with it
    if (r.rejected && !r.body_is_over) {
        auto& unbuilt = static_cast<refusal_record&>(r);
        return unbuilt.finish_chain(unbuilt);
    }
    if (r.forked_from != nullptr || r.task == nullptr) return;
    if (!r.body_is_over) outcome_access::cancel(*r.chain->result, cause);
    r.task->type().finish(*r.task, r);
}

void forget_errors(run_record& r) noexcept {
    r.is_worn = true;   // their destructors may leave more in it
    r.body_chain.reported = r.told_before = nullptr;
}

void throw_rejected(std::error_code cause) { throw task_rejected(cause); }

}   // namespace lastly::detail
