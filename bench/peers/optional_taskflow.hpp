// Taskflow as a backend of fork-join: a task group a fork, one branch called, the others given to the group (Taskflow 4.0 and later).
// within: the thread that made the backend; its callable runs on a worker, so that `workers` threads compute in all. fork, fork_some:
// inside `within`.
#pragma once

#include "peers/cleanups.hpp"
#include "workloads/fork_tree.hpp"

#include <taskflow/taskflow.hpp>

#include <cstddef>

namespace bench {

class taskflow_fork {
public:
    explicit taskflow_fork(unsigned workers) : executor_(workers) {}

    template <class F>
    void within(const F& f) {
        executor_.async([&f] { f(); }).get();
    }

    template <std::size_t Count, class C, class F>
    void fork(const C& c, const F& f) { fork_some(c, Count, f); }
    template <class C, class F>
    void fork_some(const C& c, std::size_t count, const F& f) {
        tf::TaskGroup branches = executor_.task_group();
        for (std::size_t i = 1; i < count; ++i) {
            branches.silent_async([&c, &f, i] { spelled_out::guarded<cleanups_a_branch<C>>([&] { f(i); }, c); });
        }
        spelled_out::guarded<cleanups_a_branch<C>>([&] { f(0); }, c);
        branches.corun();
    }

private:
    tf::Executor executor_;
};

}   // namespace bench
