// OpenMP as a backend of fork-join: tasks, as the compiler's runtime has them (Clang: libomp, GCC: libgomp).
// within: the thread that made the backend; it is one of the team's `workers` threads, the others help while it waits. The runtime keeps
// its threads from one region to the next. fork, fork_some: inside `within`; one branch is called, the others are tasks.
// Tasks are tied: what a thread began it ends, so that it only takes children of its own where it waits. An exception that leaves a task
// ends the process.
#pragma once

#include "peers/cleanups.hpp"
#include "workloads/fork_tree.hpp"

#include <cstddef>

namespace bench {

class openmp_fork {
public:
    explicit openmp_fork(unsigned workers) : workers_(workers) {}

    template <class F>
    void within(F&& f) {
#pragma omp parallel num_threads(workers_)
#pragma omp single
        f();
    }

    template <std::size_t Count, class C, class F>
    void fork(const C& c, const F& f) { fork_some(c, Count, f); }
    template <class C, class F>
    void fork_some(const C& c, std::size_t count, const F& f) {
        for (std::size_t i = 1; i < count; ++i) {
#pragma omp task default(none) firstprivate(i) shared(c, f)
            spelled_out::guarded<cleanups_a_branch<C>>([&] { f(i); }, c);
        }
        spelled_out::guarded<cleanups_a_branch<C>>([&] { f(0); }, c);
#pragma omp taskwait
    }

private:
    unsigned workers_;
};

#ifdef __clang__
inline constexpr const char* openmp_name = "openmp_libomp";
#else
inline constexpr const char* openmp_name = "openmp_libgomp";
#endif

}   // namespace bench
