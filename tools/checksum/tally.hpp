// What the tasks' last finalizers tell the main thread: how many files and directories are done, and how they ended.
// Any thread may call anything. One mutex, held for a few instructions a few times a file; opening the file costs
// a thousand times as much.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include <lastly/lastly.hpp>

namespace checksum {

/// How the tasks of one kind ended.
struct endings {
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t rejected = 0;

    void add(const lastly::outcome& o) noexcept {
        switch (o.kind()) {
            case lastly::outcome_kind::succeeded: ++succeeded; break;
            case lastly::outcome_kind::failed: ++failed; break;
            case lastly::outcome_kind::cancelled: ++cancelled; break;
            case lastly::outcome_kind::rejected: ++rejected; break;
        }
    }
    /// Bodies that ran to an end.
    [[nodiscard]] std::uint64_t completed() const noexcept { return succeeded + failed; }
    [[nodiscard]] std::uint64_t over() const noexcept { return succeeded + failed + cancelled; }
};

class tally {
public:
    struct counts {
        endings files;
        endings directories;
        std::uint64_t found = 0;            // files that the walk has come across
        std::uint64_t unlisted = 1;         // directories found whose entries are not all known; the top is there from the start
        std::uint64_t bytes = 0;            // hashed by the files that succeeded
        bool part_failed = false;           // some part file could not be written
        bool out_of_descriptors = false;    // something could not be opened for want of a descriptor
        bool deadline_passed = false;       // some task was cancelled by the deadline
        bool over = false;                  // the top directory's task, and so all below it
    };

    void add_found_file() { change([](counts& c) { ++c.found; }); }
    void add_found_directory() { change([](counts& c) { ++c.unlisted; }); }
    void add_listed_directory() { change([](counts& c) { --c.unlisted; }); }

    /// A file's task is over, or was rejected.
    void add_file(const lastly::outcome& o, std::uint64_t bytes) {
        change([&](counts& c) {
            c.files.add(o);
            c.bytes += bytes;
            note_deadline(c, o);
            if (c.files.completed() == wanted_completed_) changed_.notify_all();
        });
    }

    /// A directory's task is over, or was rejected; the top one's is the last.
    void add_directory(const lastly::outcome& o, bool is_top) {
        change([&](counts& c) {
            c.directories.add(o);
            note_deadline(c, o);
            c.over = c.over || is_top;
            if (is_top) changed_.notify_all();
        });
    }

    void add_part_failure() {
        change([&](counts& c) {
            c.part_failed = true;
            changed_.notify_all();
        });
    }

    void add_want_of_descriptors() { change([](counts& c) { c.out_of_descriptors = true; }); }

    /// To be called before the first task: waiters are woken when so many files are completed.
    void wake_when_completed(std::uint64_t count) {
        const std::lock_guard lock(mutex_);
        wanted_completed_ = count;
    }

    /// Nobody needs to wait for completed files any longer.
    void give_up() {
        const std::lock_guard lock(mutex_);
        given_up_ = true;
        changed_.notify_all();
    }

    [[nodiscard]] counts now() const {
        const std::lock_guard lock(mutex_);
        return counts_;
    }

    /// Waits until so many files are completed; false if give_up() came first.
    bool wait_until_completed(std::uint64_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return counts_.files.completed() >= count || given_up_; });
        return counts_.files.completed() >= count;
    }

    /// Waits until `enough(counts)`, but not for longer than `limit`.
    template <class Enough>
    counts wait_for(std::chrono::milliseconds limit, Enough enough) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, limit, [&] { return enough(counts_); });
        return counts_;
    }

private:
    static constexpr std::uint64_t never = ~std::uint64_t{0};

    template <class Change>
    void change(Change by) {
        const std::lock_guard lock(mutex_);
        by(counts_);
    }
    static void note_deadline(counts& c, const lastly::outcome& o) noexcept {
        if (o.cancelled() && o.cause() == lastly::errc::deadline_exceeded) c.deadline_passed = true;
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    counts counts_;
    std::uint64_t wanted_completed_ = never;
    bool given_up_ = false;
};

}  // namespace checksum
