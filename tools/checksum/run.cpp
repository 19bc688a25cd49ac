// See run.hpp.
#include "run.hpp"

#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "file.hpp"
#include "interrupt.hpp"

namespace checksum {
namespace {

constexpr auto look_around = std::chrono::milliseconds(50);

class tree_run {
public:
    tree_run(const options& o, const part_store& parts, error_list& errors, progress& bar);
    tree_run(const tree_run&) = delete;
    tree_run& operator=(const tree_run&) = delete;
    ~tree_run() { tally_.give_up(); }       // an exception must not leave the aborter waiting

    run_result go();

private:
    [[nodiscard]] lastly::pool_options pool_options_for(const options& o);
    void start_aborter();
    void begin(lastly::task_group& all);
    void watch(lastly::task_group& all);
    void draw(const tally::counts& counts);

    const options& options_;
    error_list& errors_;
    progress& bar_;
    run_result result_;
    tally tally_;
    hashed_files hashed_;
    bool aborted_ = false;                  // these two: the aborter's, read after it is joined
    std::exception_ptr aborter_error_;
    work work_;                             // refers to the pool, whose tasks use it until the pool is gone
    lastly::pool pool_;
    std::jthread aborter_;
};

tree_run::tree_run(const options& o, const part_store& parts, error_list& errors, progress& bar)
    : options_(o), errors_(errors), bar_(bar), work_{pool_, o, parts, errors, tally_, hashed_}, pool_(pool_options_for(o)) {
    result_.workers = pool_.workers();
}

lastly::pool_options tree_run::pool_options_for(const options& o) {
    lastly::pool_options p;
    p.workers = o.workers;
    p.name = "checksum";
    p.on_destroy = lastly::on_destroy::cancel;      // only matters if the main thread is thrown out of go()
    p.error_sink = [this](const lastly::error_report& report) {
        // Bodies' failures are told by finalizers of their tasks; a finalizer's own failure may be told nowhere else.
        if (report.kind == lastly::report_kind::finalizer_failed) errors_.add(report.what());
    };
    return p;
}

run_result tree_run::go() {
    const auto begun = std::chrono::steady_clock::now();
    start_aborter();
    const lastly::context everything = lastly::context::background();
    const lastly::cancel_source limit =
        options_.deadline ? lastly::with_timeout(everything, *options_.deadline) : lastly::with_cancel(everything);
    {
        lastly::task_group all(pool_, limit.context(), lastly::group_policy::collect);
        begin(all);
        watch(all);
        wait_for_all(all);
    }
    tally_.give_up();
    if (aborter_.joinable()) aborter_.join();
    if (aborter_error_) std::rethrow_exception(aborter_error_);
    result_.stopped = result_.stopped || aborted_;
    result_.hashed = hashed_.take();
    result_.counts = tally_.now();
    static_cast<void>(pool_.shutdown());
    result_.ledger = pool_.ledger();        // now: the report of a pool closed before tells of that moment
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return std::move(result_);
}

/// A thread of its own, so that the shutdown and the submissions truly meet.
void tree_run::start_aborter() {
    if (options_.cancel_after) tally_.wake_when_completed(*options_.cancel_after);
    if (!options_.abort_after) return;
    tally_.wake_when_completed(*options_.abort_after);
    aborter_ = std::jthread([this, count = *options_.abort_after] {
        try {
            if (!tally_.wait_until_completed(count)) return;
            aborted_ = true;
            static_cast<void>(pool_.shutdown_now());
        } catch (...) {
            aborter_error_ = std::current_exception();
        }
    });
}

void tree_run::begin(lastly::task_group& all) {
    try {
        spawn_directory(all, work_, options_.directory, true);
    } catch (const lastly::task_rejected& rejection) {
        // Closed by the aborter. The rejected task's finalizers have run, on this thread.
        if (rejection.code() == lastly::errc::pool_closed) return;
        errors_.add("cannot submit " + printable(options_.directory) + ": " + rejection.what());
    }
}

/// Returns when the top directory's task is over.
void tree_run::watch(lastly::task_group& all) {
    bool cancelled = false;
    const auto to_be_cancelled = [&](const tally::counts& c) {
        if (cancelled) return false;
        return c.part_failed || (options_.cancel_after && c.files.completed() >= *options_.cancel_after);
    };
    for (;;) {
        const tally::counts counts = tally_.wait_for(
            look_around, [&](const tally::counts& c) { return c.over || to_be_cancelled(c); });
        if (to_be_cancelled(counts)) {
            cancelled = true;
            result_.stopped = !counts.part_failed;
            all.cancel();
        }
        if (interrupted() != 0 && result_.signal == 0) {
            result_.signal = interrupted();
            static_cast<void>(pool_.shutdown_now());
        }
        if (counts.over) return;
        draw(counts);
    }
}

void tree_run::draw(const tally::counts& counts) {
    bar_.update({"hashing", counts.files.over(), counts.found, counts.unlisted != 0, counts.bytes});
}

}  // namespace

run_result hash_tree(const options& o, const part_store& parts, error_list& errors, progress& bar) {
    return tree_run(o, parts, errors, bar).go();
}

}  // namespace checksum
