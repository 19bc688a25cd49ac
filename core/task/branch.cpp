// See branch.hpp, and lastly/detail/fork.hpp for scopes. Chains of branches: README.md here.
// The thread that runs the branch. Invariants: 1. While a scope is open the record points to the branch's chain, and the task's, or an
// outer branch's, waits. 2. A branch's chain runs before anybody is told that the branch is over.
#include "core/task/branch.hpp"

#include "core/task/chain.hpp"
#include "core/task/context.hpp"
#include "core/task/group.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/fault.hpp"

#include <memory>
#include <utility>

namespace lastly::detail {

namespace {

bool is_forked_from(const run_record& r, const run_record& wanted) noexcept {
    for (const run_record* up = r.forked_from; up != nullptr; up = up->forked_from) {
        if (up == &wanted) return true;
    }
    return false;
}

// Once the branch's chain has run: nothing of it is pending.
[[gnu::always_inline]] inline void restore(branch_scope& s) noexcept {
    run_record& r = s.run;
    r.chain = s.chain.outer;
    r.finalizing = s.finalizing;
    if (r.shown != nullptr) r.shown->show_phase(r.finalizing ? phase::finalizing : phase::running);
    if (s.chain.has_errors) std::destroy_at(&s.chain);   // else that would do nothing
    s.marks &= ~(branch_scope::open | branch_scope::ending);
}

// What the scope's forker will be told of a branch that is over.
void keep(branch_scope& s, std::exception_ptr error, branch_end how) noexcept {
    if (s.is(branch_scope::failed) && LASTLY_FAULT("B1-lowest")) static_cast<void>(s.take_error());
    if (!s.is(branch_scope::failed)) s.keep_error(std::move(error), how);
    else if (!LASTLY_FAULT("B1-others")) tell_branch_error(s.run, error, how);
}

[[gnu::always_inline]] inline void run_branch_chain(branch_scope& s) {
    run_record& r = s.run;
    r.finalizing = true;
    s.marks |= branch_scope::ending;
    for (;;) {
        if (s.chain.early != nullptr) [[unlikely]] settle_early(r);
        run_nodes(r, s.chain);
        if (s.chain.spent == nullptr && s.chain.early == nullptr) [[likely]] return;
        if (r.abandoned) s.chain.spent = nullptr;   // one of them may be what left the run
        else destroy_spent(r);
    }
}

}   // namespace

run_record* find_here(const run_record& wanted) noexcept {
    for (run_record* r = current_run(); r != nullptr; r = r->outer) {
        if (r == &wanted || is_forked_from(*r, wanted)) return r;
    }
    return nullptr;
}

void branch_scope::keep_error(std::exception_ptr e, branch_end end) noexcept {
    std::construct_at(&error, std::move(e));
    how = end;
    marks |= failed;
}

std::exception_ptr branch_scope::take_error() noexcept {
    std::exception_ptr first = std::move(error);
    std::destroy_at(&error);
    marks &= ~failed;
    return first;
}

void branch_scope::end() {
    if (is(failed)) {
        const std::exception_ptr untold = take_error();
        tell_branch_error(run, untold, how);
    }
    if (is(open)) close_branch(*this);
}

namespace {

void left_thread(branch_scope& s) {
    if (LASTLY_FAULT("B4-left")) return;
    if (!s.is(branch_scope::open)) s.open_chain();
    s.chain.has_errors = true;
    body_left_thread(s.run);
    const bool forker_is_told = s.run.forked_from != nullptr && s.outer == nullptr;
    if (!forker_is_told) keep_told(s.run, s.run.chain->result->error());   // what forked it is left, too, and fails with the same
    else if (s.run.outer != nullptr) keep_told(*s.run.outer, s.run.chain->result->error());   // so is what waits beneath it on this thread
    close_branch(s);
}

// A branch that did not succeed: what its forker will be told.
[[gnu::noinline, gnu::cold]] void restore_and_keep(branch_scope& s) {
    run_record& r = s.run;
    const outcome& o = s.chain.own.value;
    const bool failed = o.failed();
    const bool is_known = failed ? is_told(r, o.error()) : is_bulk_cause(o.cause()) || (r.group != nullptr && r.group->context()->stopped());
    std::exception_ptr error = failed ? o.error() : std::move(s.chain.thrown);
    restore(s);
    keep(s, std::move(error), is_known ? branch_end::told : failed ? branch_end::failed : branch_end::cancelled);
}

void close(branch_scope& s) {
    while (s.is(branch_scope::open)) {   // again if the sink, told of an error, deferred something
        run_branch_chain(s);
        if (!s.chain.has_errors || s.chain.own.value.succeeded()) [[likely]] restore(s);
        else restore_and_keep(s);
    }
}

}   // namespace

bool branch_threw(branch_scope& s) {
    if (is_forced_unwind()) {
        do_in_passing([&s] { left_thread(s); });
        return true;
    }
    if (!s.is(branch_scope::open)) s.open_chain();
    s.chain.has_errors = true;
    s.chain.thrown = std::current_exception();
    body_threw(s.run);
    return false;
}

void close_branch(branch_scope& s) {
    with_rest([&s] { close(s); }, [&s] { close_branch(s); });   // if a finalizer of its leaves the thread
}

branch_end end_of(const branch& b) noexcept {
    return static_cast<branch_end>(b.state.load(acquire) >> branch::end_shift & 0xf);   // order: [J5] sees the end
}

void take_end(branch& b, branch_scope& s) noexcept {
    const branch_end how = end_of(b);
    if (how != branch_end::well) {
        std::exception_ptr error = std::move(b.error);
        std::destroy_at(&b.error);
        keep(s, std::move(error), how);
    }
    close_branch(s);   // what the sink deferred here
}

void abandon_branch(branch_scope& s, std::error_code cause) {
    if (s.is(branch_scope::open)) {
        if (!s.is(branch_scope::ending)) {
            s.chain.has_errors = true;
            outcome_access::cancel(*s.run.chain->result, cause);
        }
        run_branch_chain(s);
        restore(s);
    }
    s.run.scope = s.outer;
}

namespace {

[[noreturn]] void rethrow_first(branch_scope& s) {
    std::exception_ptr first = s.take_error();
    if (s.how == branch_end::told && !LASTLY_FAULT("E4-branch")) keep_told(s.run, first);   // whoever lets it out, nobody is told twice
    std::rethrow_exception(std::move(first));
}

}   // namespace

void end_fork(branch_scope& s) {
    if (s.is(branch_scope::open)) close_branch(s);
    if (s.is(branch_scope::failed)) rethrow_first(s);
}

void tell_branch_error(run_record& r, const std::exception_ptr& error, branch_end how) noexcept {
    if (how == branch_end::told || is_told(r, error)) return;
    error_report report;
    report.kind = how == branch_end::cancelled ? report_kind::cancelled : report_kind::failed;
    report.name = name_of(r);
    report.site = site_of(r);
    if (how == branch_end::cancelled) report.cause = stop_cause(r);
    else report.error = error;
    sink_of(r).report(report);
}

void begin_stolen(run_record& r, branch& b) noexcept {
    run_record& from = b.of->run;
    r.forked_from = &from;
    r.root = &root_of(from);
    r.task = from.task;
    enter_pool(r, *from.pool);
    r.group = from.group;
    r.part = &b;
    r.finalizing = b.of->finalizing && !LASTLY_FAULT("C4-branch");
}

void keep_chunk_error(loop_end& end, branch_scope& s) noexcept {
    if (s.is(branch_scope::failed)) {
        std::exception_ptr error = s.take_error();   // if the object goes here, its destructor may defer: before the close
        if (end.state.exchange(loop_end::failed, relaxed) == loop_end::failed) {   // order: one keeper only; what it keeps is read after the join (J5)
            tell_branch_error(s.run, error, s.how);
        } else {
            end.error = std::move(error);
            end.how = s.how;
        }
    }
    close_branch(s);   // what the sink deferred here
}

void stop_loop(loop_end& end) noexcept {
    std::uint32_t now = loop_end::going;
    end.state.compare_exchange_strong(now, loop_end::stopped, relaxed, relaxed);   // order: a hint for others; whoever joins sees it (J5)
}

void throw_loop_error(loop_end& end, branch_scope& s) {
    if (end.error == nullptr) throw_if_stopped(s.run);
    s.keep_error(std::move(end.error), end.how);
    rethrow_first(s);
}

}   // namespace lastly::detail
