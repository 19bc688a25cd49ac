// A process that a scenario forks, and that ends in its own way (scenario::forks).
// The scenario's thread. The process is killed by its own alarm after a minute, which is told apart from every lawful end.
#pragma once

#include "stress/scenarios/scenarios.hpp"

#include <atomic>
#include <utility>

#include <sys/types.h>

namespace lastly::stress::scenarios {

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

// Tasks that wait behind a body on every worker. The bodies end when they are asked to stop, and all have begun on return.
void occupy(round& r, pool& p, unsigned bodies);
void queue(round& r, pool& p, unsigned tasks, task_plan plan);

// Of a task that waits for the end of its process in a queue.
inline constexpr task_plan waits_in_vain{.ends = ends::cancelled, .must_not_begin = true, .unbooked = true};

}   // namespace lastly::stress::scenarios
