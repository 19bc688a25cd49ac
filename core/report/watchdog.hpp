// A thread that looks now and then at which finalizers run, and reports those that outlast the pool's budget, again and again
// (C4); and what a destructor says while it waits (S3).
// The watchdog's own thread; started and stopped by its pool. Invariant: it reads headers only (frame_view.hpp), so that the watched
// threads pay two release stores a task.
#pragma once

#include "core/base/futex.hpp"
#include "core/base/thread.hpp"
#include "core/report/sink.hpp"
#include "lastly/profile.hpp"

#include <chrono>
#include <vector>

namespace lastly::detail {

struct frame;

class watchdog {
public:
    // `probe` appends the frames that run now. Throws std::system_error if the thread cannot be started.
    // `tell` hands a report to the pool's sink as a visitor. A sink may destroy the pool: the watchdog may then be gone on return.
    watchdog(std::chrono::nanoseconds budget, void (*tell)(void*, const error_report&), void (*probe)(void*, std::vector<frame*>&), void* pool);
    ~watchdog();
    void tell_to_stop() noexcept;
    // Its last look is over: it may be destroyed without a wait.
    bool has_ended() const noexcept;
    // Waits for that, at most until the deadline: it may be in a sink.
    void ends_until(std::chrono::steady_clock::time_point deadline) noexcept;
    // Is this its thread, in a sink that it told?
    bool is_this_thread() const noexcept;
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

private:
    struct sighting {
        frame* task;
        std::uint64_t progress;
        std::chrono::steady_clock::time_point since, reported;
    };
    static void main(void* self) noexcept;
    void watch();
    // False: the watchdog is gone.
    bool look_at(frame& f, std::chrono::steady_clock::time_point now);

    const std::chrono::nanoseconds budget_;
    void (*const tell_)(void*, const error_report&);
    void (*const probe_)(void*, std::vector<frame*>&);
    void* const pool_;
    std::vector<sighting> seen_, before_;

    futex_word stop_{0};
    futex_word ended_{0};
    thread thread_;
};

// One message on stderr: who waits for a pool, for how long, and for which tasks.
enum class who_waits { its_destructor, the_process };
void tell_what_is_waited_for(who_waits who, const char* pool, std::chrono::nanoseconds waited, std::uint64_t unfinished,
                             std::vector<live_task> (*running)(void*), void* argument) noexcept;

}   // namespace lastly::detail
