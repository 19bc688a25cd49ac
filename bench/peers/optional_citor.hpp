// citor as two backends of fork-join: its own fork-join, branches on the caller's stack, each written out, or so many by index.
// within: the thread that made the backend; it is one of the `workers` participants. fork, fork_some: inside `within`.
// By default citor binds a thread to a CPU each, the caller included until the pool ends; and takes no more participants than there are
// physical cores, unless their number is that of all CPUs and siblings are allowed. A pool that got fewer than were asked for aborts.
#pragma once

#include "peers/cleanups.hpp"
#include "workloads/fork_tree.hpp"

#include <citor/hints.h>
#include <citor/thread_pool.h>

#include <cstddef>
#include <thread>
#include <utility>

namespace bench {

class citor_fork {
public:
    explicit citor_fork(unsigned workers) : pool_(workers, affinity(workers)) {
        if (pool_.participants() != workers) fail("citor has fewer CPUs than threads were asked for");
    }

    template <class F>
    void within(F&& f) { f(); }

    template <std::size_t Count, class C, class F>
    void fork(const C& c, const F& f) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            pool_.forkJoin<citor::HintsDefaults>([&] { spelled_out::guarded<cleanups_a_branch<C>>([&] { f(I); }, c); }...);
        }(std::make_index_sequence<Count>{});
    }

protected:
    citor::ThreadPool pool_;

private:
    static citor::Affinity affinity(unsigned workers) {
        return workers == std::thread::hardware_concurrency() ? citor::Affinity::PerCpuSmtPair : citor::Affinity::PerCpu;
    }
};

class citor_fork_all : public citor_fork {
public:
    using citor_fork::citor_fork;

    template <std::size_t Count, class C, class F>
    void fork(const C& c, const F& f) { fork_some(c, Count, f); }
    template <class C, class F>
    void fork_some(const C& c, std::size_t count, const F& f) {
        pool_.forkJoinAll<citor::HintsDefaults>(count, [&](std::size_t i) { spelled_out::guarded<cleanups_a_branch<C>>([&] { f(i); }, c); });
    }
};

}   // namespace bench
