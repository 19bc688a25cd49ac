// What the tasks' last finalizers tell the main thread: how many files are done.
// Any thread may call anything. One mutex, held for a few instructions once a file; opening the file costs
// a thousand times as much.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace checksum {

class tally {
public:
    struct counts {
        std::uint64_t completed = 0;    // bodies that ran to an end: succeeded or failed
        std::uint64_t over = 0;         // accepted tasks whose chain is through, cancelled ones included
        std::uint64_t bytes = 0;        // hashed by those that succeeded
        bool part_failed = false;       // some part file could not be written
    };

    /// An accepted task is over.
    void add(bool completed, std::uint64_t bytes) {
        const std::lock_guard lock(mutex_);
        counts_.completed += completed ? 1U : 0U;
        counts_.bytes += bytes;
        ++counts_.over;
        if (counts_.completed == wanted_completed_ || counts_.over == wanted_over_) changed_.notify_all();
    }

    void add_part_failure() {
        const std::lock_guard lock(mutex_);
        counts_.part_failed = true;
        changed_.notify_all();
    }

    /// To be called before the first task: waiters are woken when so many are completed.
    void wake_when_completed(std::uint64_t count) {
        const std::lock_guard lock(mutex_);
        wanted_completed_ = count;
    }

    /// All tasks are accepted, so many of them: waiters are woken when that many are over.
    void wake_when_over(std::uint64_t count) {
        const std::lock_guard lock(mutex_);
        wanted_over_ = count;
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

    /// Waits until so many are completed; false if give_up() came first.
    bool wait_until_completed(std::uint64_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return counts_.completed >= count || given_up_; });
        return counts_.completed >= count;
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

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    counts counts_;
    std::uint64_t wanted_completed_ = never;
    std::uint64_t wanted_over_ = never;
    bool given_up_ = false;
};

}  // namespace checksum
