// See watchdog.hpp.
#include "core/report/watchdog.hpp"

#include "core/base/clock.hpp"
#include "core/base/process.hpp"
#include "core/structures/frame_view.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <algorithm>
#include <cstdio>
#include <system_error>

namespace lastly::detail {

watchdog::watchdog(std::chrono::nanoseconds budget, void (*tell)(void*, const error_report&),
                   void (*probe)(void*, std::vector<frame*>&), void* pool)
    : budget_(budget), tell_(tell), probe_(probe), pool_(pool) {
    const std::error_code refused = thread_.start(&watchdog::main, this, "lastly-watchdog");
    if (refused) throw std::system_error(refused, "lastly: the watchdog thread of a pool with a finalizer budget cannot be started");
}

void watchdog::tell_to_stop() noexcept {
    stop_.store(1, release);   // order: [K1] the watchdog ends after this
    futex_wake_all(stop_.address());
}

bool watchdog::has_ended() const noexcept { return ended_.load(acquire) != 0; }   // order: [K3] sees that it has told its last
bool watchdog::is_this_thread() const noexcept { return this_thread.watching == this; }

void watchdog::ends_until(std::chrono::steady_clock::time_point deadline) noexcept {
    while (!has_ended() && futex_wait_until(ended_, 0, deadline)) {}
}

watchdog::~watchdog() {
    tell_to_stop();
    if (is_this_thread()) {   // the sink that it told destroyed the pool
        this_thread.watching = nullptr;
        thread_.detach();
    }
    thread_.join();
}

void watchdog::main(void* self) noexcept {
    this_thread.watching = static_cast<watchdog*>(self);
    this_thread.watching->watch();
    watchdog* const still_there = this_thread.watching;
    if (still_there == nullptr) return;
    still_there->ended_.store(1, release);   // order: [K3] it has told its last
    futex_wake_all(still_there->ended_.address());
}

void watchdog::watch() {
    const auto tick = std::max<std::chrono::nanoseconds>(budget_ / 4, std::chrono::milliseconds(1));
    std::vector<frame*> running;
    while (stop_.load(acquire) == 0) {   // order: [K1] sees the end
        futex_wait_until(stop_, 0, deadline_after(tick));
        try {
            running.clear();
            probe_(pool_, running);
            std::sort(running.begin(), running.end());   // a frame that is just being handed on may be seen twice
            running.erase(std::unique(running.begin(), running.end()), running.end());
            before_.swap(seen_);
            seen_.clear();
            const auto now = steady_now();
            for (frame* const f : running) {
                if (!look_at(*f, now)) return;
            }
        } catch (const std::bad_alloc&) {   // no memory to remember by: the next tick begins anew
            seen_.clear();
        }
    }
}

bool watchdog::look_at(frame& f, std::chrono::steady_clock::time_point now) {
    frame_view v{};
    if (!look(f, v) || phase_of(v.progress) != phase::finalizing) return true;
    sighting s{&f, v.progress, now, now};
    const auto known = std::find_if(before_.begin(), before_.end(),
                                    [&](const sighting& b) { return b.task == &f && b.progress == v.progress; });
    if (known != before_.end()) s = *known;
    if (now - s.reported >= budget_ && !LASTLY_FAULT("C4-budget") && now - s.since >= budget_) {
        error_report report;
        report.kind = report_kind::finalizer_overdue;
        report.name = v.name;
        report.site = v.site;
        report.age = now - s.since;
        const std::uint32_t told_in = fork_generation();
        tell_(pool_, report);
        if (fork_generation() != told_in) end_child();   // the sink forked
        if (this_thread.watching != this) return false;
        s.reported = now;
    }
    seen_.push_back(s);
    return true;
}

void tell_what_is_waited_for(who_waits who, const char* pool, std::chrono::nanoseconds waited, std::uint64_t unfinished,
                             std::vector<live_task> (*running)(void*), void* argument) noexcept {
    const no_cancellation meanwhile;
    const char* const format = who == who_waits::its_destructor ? "lastly: the destructor of pool %s has been waiting for %.1f s; tasks unfinished: %llu\n"
                                                                : "lastly: the process ends, and has waited for pool %s for %.1f s; tasks unfinished: %llu\n";
    std::fprintf(stderr, format, pool, std::chrono::duration<double>(waited).count(), static_cast<unsigned long long>(unfinished));
    try {
        std::size_t shown = 0;
        for (const live_task& t : running(argument)) {
            if (++shown > 8) break;
            std::fprintf(stderr, "lastly:   %s (%s:%u) %s for %.1f s, %u finalizers pending\n", *t.name != '\0' ? t.name : "a task",
                         t.site.file, t.site.line, t.state == task_state::running ? "running" : "finalizing",
                         std::chrono::duration<double>(t.age).count(), t.finalizers_pending);
        }
    } catch (const std::bad_alloc&) {
        std::fputs("lastly:   (no memory to list them)\n", stderr);
    }
}

}   // namespace lastly::detail
