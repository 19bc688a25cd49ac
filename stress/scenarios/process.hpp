// A process that a scenario forks, and that ends in its own way (scenario::forks).
// The scenario's thread.
#pragma once

#include "stress/scenarios/scenarios.hpp"

#include <atomic>
#include <utility>

#include <sys/types.h>

namespace lastly::stress::scenarios {

// fork; the child is killed by its own alarm after a minute, which is told apart from every lawful end. Errors: std::system_error.
pid_t fork_bounded();

class process {
public:
    static constexpr int came_back = 121;    // status of one whose life returned
    static constexpr int by_signal = 1000;   // added to a signal's number

    // `life()` in the new process. Errors: std::system_error.
    template <class Life>
    process(round& r, Life life) : number_(begin()) {
        if (number_ != 0) return;
        r.renew();
        life();
        leave();
    }
    ~process() {
        if (number_ > 0) static_cast<void>(wait());
    }
    process(process&& o) noexcept : number_(std::exchange(o.number_, -1)) {}
    process& operator=(process&&) = delete;

    void send(int signal) const noexcept;
    // Its status, or by_signal and the number of the signal that ended it.
    int wait() noexcept;

private:
    static pid_t begin();
    [[noreturn]] static void leave() noexcept;

    pid_t number_;
};

// Numbers that a process and those that it forks have in common.
class shared_counts {
public:
    static constexpr unsigned size = 8;
    shared_counts();   // throws std::bad_alloc
    ~shared_counts();
    shared_counts(const shared_counts&) = delete;
    shared_counts& operator=(const shared_counts&) = delete;
    std::atomic<unsigned>& operator[](unsigned i) noexcept { return counts_[i]; }

private:
    std::atomic<unsigned>* counts_;
};

// Sleeps for as long as the process lives.
[[noreturn]] void stay() noexcept;

// Bodies that run until they are asked to stop; all have begun on return, and `running` counts them. `action`: of their finalizers, as send's.
template <class Action = nothing>
void occupy(round& r, pool& p, unsigned bodies, std::atomic<unsigned>& running, const Action& action = {}) {
    for (unsigned i = 0; i < bodies; ++i) {
        send<2>(r.next(), {.ends = ends::cancelled, .must_begin = true, .unbooked = true}, into(p), [&running](task_context& t, cell& c) {
            defer(t, c);
            running.fetch_add(1, std::memory_order_relaxed);
            while (!t.stop_requested()) std::this_thread::yield();
            defer(t, c);
            t.throw_if_stopped();
        }, action);
    }
    while (running.load(std::memory_order_relaxed) < bodies) std::this_thread::yield();
}
// The same where the process is left with them.
template <class Action = nothing>
void occupy(round& r, pool& p, unsigned bodies, const Action& action = {}) {
    occupy(r, p, bodies, *new std::atomic<unsigned>(0), action);
}

// Bodies that run until they may `go`, and succeed; all have begun on return.
void occupy_until(round& r, pool& p, unsigned bodies, const std::atomic<bool>& go, task_plan plan);

template <class Action = nothing>
void queue(round& r, pool& p, unsigned tasks, task_plan plan, const Action& action = {}) {
    for (unsigned i = 0; i < tasks; ++i) send<2>(r.next(), plan, into(p), [](task_context& t, cell& c) { defer(t, c); }, action);
}

// What a finalizer does with the outcome that it is shown: whatever was stopped has to name `cause`, or `rule` is broken.
inline auto names_cause(round& r, std::error_code cause, const char* rule) {
    return [&r, cause, rule](const outcome& o) { r.check(!o.cancelled() || o.cause() == cause, rule); };
}
inline auto names_exit(round& r) { return names_cause(r, errc::process_exit, "P1: the cause of what the process's end stops is errc::process_exit"); }

// Of a task that waits for the end of its process in a queue.
inline constexpr task_plan waits_in_vain{.ends = ends::cancelled, .must_not_begin = true, .unbooked = true};

}   // namespace lastly::stress::scenarios
