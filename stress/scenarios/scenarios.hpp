// Every scenario of lastly-stress, a file each.
#pragma once

#include <lastly/stress.hpp>

#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace lastly::stress::scenarios {

void storm(round& r);                // storm.cpp
void trickle(round& r);              // trickle.cpp
void trees(round& r);                // trees.cpp
void short_lived(round& r);          // short_lived.cpp
void bounded(round& r);              // bounded.cpp
void groups(round& r);               // groups.cpp
void handles(round& r);              // handles.cpp
void contexts(round& r);             // contexts.cpp
void deadlines(round& r);            // deadlines.cpp
void throwing(round& r);             // throwing.cpp
void busy_finalizers(round& r);      // busy_finalizers.cpp
void discarded(round& r);            // discarded.cpp
void shutdown(round& r);             // shutdown.cpp
void abrupt(round& r);               // abrupt.cpp
void own_worker(round& r);           // own_worker.cpp
void many_pools(round& r);           // many_pools.cpp
void branches(round& r);             // branches.cpp
void crowd(round& r);                // crowd.cpp
void bursts(round& r);               // bursts.cpp
void churn(round& r);                // churn.cpp
void combinations(round& r);         // combinations.cpp
void shielded(round& r);             // shielded.cpp
void causes(round& r);               // causes.cpp
void stops(round& r);                // stops.cpp
void waiting(round& r);              // waiting.cpp
void fair(round& r);                 // fair.cpp
void exits(round& r);                // exits.cpp
void unloads(round& r);              // unloads.cpp
void leaves(round& r);               // leaves.cpp
void signals(round& r);              // signals.cpp
void forks(round& r);                // forks.cpp
void kills(round& r);                // kills.cpp

// Of a task that nothing keeps from running well.
inline constexpr task_plan succeeds{.ends = ends::succeeded, .must_begin = true};

// What a branch defers, beside whoever writes the cell's plain fields: its run and its capture are counted, no more.
inline void defer_in_branch(cell& c) {
    class capture {
    public:
        explicit capture(cell& task) noexcept : task_(&task) { task.add(event::alive); }
        capture(capture&& o) noexcept : task_(std::exchange(o.task_, nullptr)) {}
        capture& operator=(capture&&) = delete;
        ~capture() {
            if (task_ != nullptr) task_->take(event::alive);
        }
        void operator()() const noexcept { task_->add(event::deferred); }

    private:
        cell* task_;
    };
    c.add(event::registered);
    this_task::defer(capture(c));
}

struct thrown_by_body : std::runtime_error {
    thrown_by_body() : std::runtime_error("thrown by a body") {}
};
struct thrown_by_finalizer : std::runtime_error {
    thrown_by_finalizer() : std::runtime_error("thrown by a finalizer") {}
};

// Calls f(number of the thread) on so many threads at once, and joins them.
template <class F>
void on_threads(unsigned threads, F f) {
    std::vector<std::thread> all;
    all.reserve(threads);
    for (unsigned i = 0; i < threads; ++i) all.emplace_back([&f, i] { f(i); });
    for (std::thread& t : all) t.join();
}

// Which of `parts` equal shares of n, the first ones one larger where it does not divide.
constexpr std::uint64_t share_of(std::uint64_t n, unsigned part, unsigned parts) noexcept { return n / parts + (part < n % parts ? 1 : 0); }

}   // namespace lastly::stress::scenarios
