// See run.hpp.
#include "run.hpp"

#include <chrono>
#include <deque>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "file.hpp"
#include "hash_file.hpp"
#include "interrupt.hpp"
#include "tally.hpp"
#include "walk.hpp"

namespace checksum {
namespace {

constexpr auto look_around = std::chrono::milliseconds(50);

/// With --abort-after N the walk runs so many files ahead of N, waits until N are done, and then submits at this pace
/// until the pool is closed: so that the shutdown finds queued tasks and meets submissions, however quick the walk is.
constexpr std::uint64_t lead_before_abort = 256;
constexpr auto pace_before_abort = std::chrono::milliseconds(1);

class tree_run {
public:
    tree_run(const options& o, const part_store& parts, error_list& errors, progress& bar);
    tree_run(const tree_run&) = delete;
    tree_run& operator=(const tree_run&) = delete;
    ~tree_run() { tally_.give_up(); }       // an exception must not leave the aborter waiting

    run_result go();

private:
    struct entry {
        std::string path;
        lastly::task_handle<std::uint64_t> handle;
    };

    [[nodiscard]] lastly::pool_options pool_options_for(const options& o);
    void start_aborter();
    void walk_tree();
    bool submit(std::string&& path);
    bool go_on();
    void hold_before_abort();
    void wait_for_all();
    void cancel_rest();
    void ask_handles();
    void draw(const tally::counts& counts, bool walking);

    const options& options_;
    const part_store& parts_;
    error_list& errors_;
    progress& bar_;
    run_result result_;
    tally tally_;
    std::deque<entry> entries_;             // a deque: tasks refer to the paths
    bool cancelled_rest_ = false;
    bool aborted_ = false;                  // these two: the aborter's, read after it is joined
    std::exception_ptr aborter_error_;
    lastly::pool pool_;
    std::jthread aborter_;
};

tree_run::tree_run(const options& o, const part_store& parts, error_list& errors, progress& bar)
    : options_(o), parts_(parts), errors_(errors), bar_(bar), pool_(pool_options_for(o)) {
    result_.workers = pool_.workers();
}

lastly::pool_options tree_run::pool_options_for(const options& o) {
    lastly::pool_options p;
    p.workers = o.workers;
    p.name = "checksum";
    p.on_destroy = lastly::on_destroy::cancel;      // only matters if the main thread is thrown out of go()
    p.error_sink = [this](const lastly::error_report& report) {
        // What becomes of the bodies is asked of the handles; a finalizer's failure may be told nowhere else.
        if (report.kind == lastly::report_kind::finalizer_failed) errors_.add(report.what());
    };
    return p;
}

run_result tree_run::go() {
    const auto begin = std::chrono::steady_clock::now();
    start_aborter();
    walk_tree();
    wait_for_all();
    tally_.give_up();
    if (aborter_.joinable()) aborter_.join();
    if (aborter_error_) std::rethrow_exception(aborter_error_);
    result_.stopped = result_.stopped || aborted_;
    ask_handles();
    static_cast<void>(pool_.shutdown());
    result_.ledger = pool_.ledger();        // now: the report of a pool closed before tells of that moment
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
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

void tree_run::walk_tree() {
    const walk_calls calls{
        .file = [this](std::string&& path) { return submit(std::move(path)) && go_on(); },
        .error = [this](const std::string& text) { errors_.add(text); },
    };
    walk(options_.directory, parts_.id(), calls);
}

bool tree_run::submit(std::string&& path) {
    const std::uint64_t number = entries_.size();
    entry& e = entries_.emplace_back(entry{std::move(path), {}});
    try {
        e.handle = pool_.submit(
            [this, file = file_to_hash{e.path, number}](lastly::task_context& task) {
                try {
                    return hash_file(task, file, parts_);
                } catch (const part_error&) {
                    tally_.add_part_failure();
                    throw;
                }
            },
            lastly::named("checksum"),
            // Attached finalizers run last listed first: the part is gone before the file counts as done.
            lastly::finally([this](lastly::result<std::uint64_t>& r) {
                if (!r.rejected()) tally_.add(!r.cancelled(), r.succeeded() ? r.value() : 0);
            }),
            lastly::finally([this, number](const lastly::outcome& o) {
                if (!o.succeeded()) parts_.remove(number);
            }));
        return true;
    } catch (const lastly::task_rejected& rejection) {
        // Closed by the aborter. The rejected task's finalizers have run, on this thread.
        if (rejection.code() != lastly::errc::pool_closed) {
            errors_.add("cannot submit " + printable(e.path) + ": " + rejection.what());
        }
        entries_.pop_back();
        ++result_.rejected;
        return false;
    }
}

/// What the main thread looks after between two files: false ends the walk.
bool tree_run::go_on() {
    const tally::counts counts = tally_.now();
    draw(counts, true);
    if (interrupted() != 0) return false;
    if (counts.part_failed) return false;
    if (options_.cancel_after && counts.completed >= *options_.cancel_after) return false;
    if (options_.abort_after && entries_.size() >= *options_.abort_after &&
        entries_.size() - *options_.abort_after >= lead_before_abort) {
        hold_before_abort();
    }
    return interrupted() == 0;
}

void tree_run::hold_before_abort() {
    for (;;) {
        const tally::counts counts = tally_.wait_for(look_around, [this](const tally::counts& c) {
            return c.completed >= *options_.abort_after || c.part_failed;
        });
        if (counts.part_failed || interrupted() != 0) return;
        if (counts.completed >= *options_.abort_after) break;
        draw(counts, true);
    }
    std::this_thread::sleep_for(pace_before_abort);
}

void tree_run::wait_for_all() {
    const std::uint64_t all = entries_.size();
    tally_.wake_when_over(all);
    const auto to_be_cancelled = [this](const tally::counts& c) {
        if (cancelled_rest_) return false;
        return c.part_failed || (options_.cancel_after && c.completed >= *options_.cancel_after);
    };
    for (;;) {
        const tally::counts counts = tally_.wait_for(
            look_around, [&](const tally::counts& c) { return c.over >= all || to_be_cancelled(c); });
        if (to_be_cancelled(counts)) {
            result_.part_failed = counts.part_failed;
            result_.stopped = !counts.part_failed;
            cancel_rest();
        }
        if (interrupted() != 0 && result_.signal == 0) {
            result_.signal = interrupted();
            static_cast<void>(pool_.shutdown_now());
        }
        if (counts.over >= all) return;
        draw(counts, false);
    }
}

void tree_run::cancel_rest() {
    cancelled_rest_ = true;
    for (entry& e : entries_) {
        if (!e.handle.ready()) static_cast<void>(e.handle.cancel());
    }
}

void tree_run::ask_handles() {
    for (std::uint64_t number = 0; number < entries_.size(); ++number) {
        entry& e = entries_[number];
        try {
            result_.bytes += e.handle.get();
            result_.hashed.push_back({std::move(e.path), number});
        } catch (const lastly::task_cancelled&) {
            ++result_.cancelled;
        } catch (const std::system_error& error) {
            ++result_.failed;
            errors_.add(error.what());
        } catch (const std::exception& error) {
            ++result_.failed;
            errors_.add("cannot hash " + printable(e.path) + ": " + error.what());
        }
    }
}

void tree_run::draw(const tally::counts& counts, bool walking) {
    bar_.update({"hashing", counts.over, entries_.size(), walking, counts.bytes});
}

}  // namespace

run_result hash_tree(const options& o, const part_store& parts, error_list& errors, progress& bar) {
    return tree_run(o, parts, errors, bar).go();
}

}  // namespace checksum
