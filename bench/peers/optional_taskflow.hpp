// Taskflow as a backend of fork-join: a task group a fork, one branch called, the others given to the group (Taskflow 4.0 and later).
// within: the thread that made the backend; its callable runs on a worker, so that `workers` threads compute in all. fork, fork_some:
// inside `within`. What a task captures is 16 bytes at most: more would be a second allocation, by the std::function that it becomes.
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
    void fork(const C& c, const F& f) {
        if constexpr (Count == 2) {
            tf::TaskGroup branches = executor_.task_group();
            branches.silent_async([&c, &f] { branch(c, f, 1); });
            branch(c, f, 0);
            branches.corun();
        } else {
            fork_some(c, Count, f);
        }
    }
    template <class C, class F>
    void fork_some(const C& c, std::size_t count, const F& f) {
        tf::TaskGroup branches = executor_.task_group();
        const auto one = [&c, &f](std::size_t i) { branch(c, f, i); };
        for (std::size_t i = 1; i < count; ++i) {
            if constexpr (cleanups_a_branch<C> == 0) branches.silent_async([&f, i] { f(i); });
            else branches.silent_async([&one, i] { one(i); });
        }
        one(0);
        branches.corun();
    }

private:
    template <class C, class F>
    static void branch(const C& c, const F& f, std::size_t i) {
        spelled_out::guarded<cleanups_a_branch<C>>([&] { f(i); }, c);
    }
    tf::Executor executor_;
};

}   // namespace bench
