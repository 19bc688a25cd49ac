// What is seen of a case, compared exactly with the model. See combination_case.hpp.
#include "stress/scenarios/combination_case.hpp"

#include <cstring>

namespace lastly::stress::scenarios {

// The pool's sink: any of its threads, and those that submit to it.
void one_case::note(const error_report& r) {
    reports_[static_cast<std::size_t>(r.kind)].fetch_add(1, std::memory_order_relaxed);
    const failure f = failure_of(r.error);
    if (r.kind == report_kind::finalizer_failed) {
        if (f.of == whose::finalizer) told_[f.number].fetch_add(1, std::memory_order_relaxed);
        else check(case_.is_refused() && case_.do_ == finalizers::edit && f.of == whose::library, "the sink was told of an exception that no finalizer threw");
    } else {
        check(f == expected_.end.error && r.cause == expected_.end.cause, "the sink was told of another error, or cause, than its outcome's");
    }
    check(std::strcmp(r.name, "of the table") == 0, "the sink was told another name");
    check(r.site.file != nullptr && std::strstr(r.site.file, "combination_task") != nullptr, "the sink was told another creation site");
}

void one_case::compare_books(const ledger_snapshot& b) const {
    const ledger_snapshot& e = expected_.books;
    check(b.attempts == e.attempts && b.accepted == e.accepted && b.rejected == e.rejected, "L1: its pool counts other submissions");
    check(b.succeeded == e.succeeded && b.failed == e.failed && b.cancelled == e.cancelled, "L2: its pool counts other outcomes");
    check(b.finalizers_attached == e.finalizers_attached && b.finalizers_run == e.finalizers_run && b.finalizers_returned == e.finalizers_returned && b.finalizers_thrown == e.finalizers_thrown,
          "L3: its pool counts other finalizers");
    check(b.live == 0 && b.held == e.held, "L4: its pool shows tasks that live, or that a handle keeps, as it should not");
}

// What its handle shows, and then gives.
void one_case::compare_handle() {
    handle_.wait();
    tell(*cell_, handle_);
    const view shown = view_of(handle_.outcome()), &e = expected_.end;
    check(shown.kind == e.kind, "it ended otherwise");
    check(shown.cause == e.cause, "it was cancelled with another cause");
    check(shown.error == e.error, "another exception is stored");
    check(shown.started == e.started, "its outcome says otherwise whether it began");
    try {
        const int value = handle_.get();
        check(e.kind == outcome_kind::succeeded && value == expected_.value, "its value is another, or none was to be had");
    } catch (const task_cancelled& t) {
        check(e.kind == outcome_kind::cancelled && t.code() == e.cause, "get says that it was cancelled, or with another cause");
    } catch (...) {
        check(e.kind == outcome_kind::failed && failure_of(std::current_exception()) == e.error, "get threw another exception");
    }
}

// When the pool is gone.
void one_case::compare() const {
    check(refused_ == expected_.refused, "its submitter was told another cause");
    for (unsigned i = 0; i < case_.attached; ++i) check(seen_[i] == expected_.seen[i], "an attached finalizer was shown another outcome");
    check(cell_->count(event::deferred) == expected_.deferred, "another number of deferred finalizers ran");
    check(cell_->count(event::thrown) == expected_.thrown, "another number of finalizers threw");
    check(submitted_.load(std::memory_order_relaxed) == expected_.submitted, "its finalizers submitted another number of tasks");
    check(more_begun_.load(std::memory_order_relaxed) == (expected_.accepted ? expected_.submitted : 0), "another number of tasks that its finalizers submitted began");
    for (std::size_t kind = 0; kind < reports_.size(); ++kind) check(reports_[kind].load(std::memory_order_relaxed) == expected_.reports[kind], "E4, E5: its sink was told more, or less");
    const bool throws = case_.do_ == finalizers::throw_;
    for (unsigned i = 0; i < told_.size(); ++i) {
        const bool is_there = i < most_attached ? i < case_.attached : case_.begins() && i - most_attached < case_.deferred;
        check(told_[i].load(std::memory_order_relaxed) == (throws && is_there ? 1u : 0u), "E4: its sink was not told once of each exception of a finalizer");
    }
}

}   // namespace lastly::stress::scenarios
