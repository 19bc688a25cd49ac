// oneTBB as backends of what begins inside the pool: fork-join in three ways, and spawning into a task_group.
// An arena of `workers` slots, one of them the caller's, which computes as well; global_control allows no thread more.
// within: the thread that made the backend. invoke, invoke_cleaning, a group: inside `within`.
// invoke: parallel_invoke as it is mostly written, which makes a context a call, or with one context for the whole recursion, which is
// cheaper and gives up that an exception cancels no more than its own call. group: one branch given to a task_group, the other called,
// which costs less than run_and_wait.
#pragma once

#include "peers/cleanups.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_invoke.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <utility>

namespace bench {

class onetbb_inside {
public:
    explicit onetbb_inside(unsigned workers)
        : limit_(oneapi::tbb::global_control::max_allowed_parallelism, workers), arena_(static_cast<int>(workers), 1) {
        arena_.initialize();
    }
    template <class F>
    void within(F&& f) { arena_.execute(std::forward<F>(f)); }

private:
    oneapi::tbb::global_control limit_;
    oneapi::tbb::task_arena arena_;
};

// `Fork`: called with two callables; runs both.
template <class Fork>
class onetbb_fork : public onetbb_inside {
public:
    using onetbb_inside::onetbb_inside;

    template <class F, class G>
    void invoke(const F& first, const G& second) { fork_(first, second); }
    template <class C, class F, class G>
    void invoke_cleaning(const C& c, const F& first, const G& second) {
        fork_([&] { spelled_out::guarded<1>(first, c); }, [&] { spelled_out::guarded<1>(second, c); });
    }

private:
    Fork fork_;
};

struct onetbb_invoke {
    template <class F, class G>
    void operator()(const F& first, const G& second) { oneapi::tbb::parallel_invoke(first, second); }
};

struct onetbb_invoke_shared {
    oneapi::tbb::task_group_context context;
    template <class F, class G>
    void operator()(const F& first, const G& second) { oneapi::tbb::parallel_invoke(first, second, context); }
};

struct onetbb_group_fork {
    template <class F, class G>
    void operator()(const F& first, const G& second) {
        oneapi::tbb::task_group branches;
        branches.run(second);
        first();
        branches.wait();
    }
};

// Cleanups as in cleanups.hpp.
template <class Cleanups>
class onetbb_spawn : public onetbb_inside {
public:
    using onetbb_inside::onetbb_inside;

    class group {
    public:
        explicit group(onetbb_spawn&) {}
        template <class Body>
        void spawn(Body body) { members_.run(body); }
        template <class Body, class... C>
        void spawn_attached(Body body, C... cleanups) { members_.run(Cleanups::join(body, cleanups...)); }
        template <unsigned Count, class Body>
        void spawn_deferring(Body body) {
            members_.run([body] { Cleanups::template guarded<Count>(body, body.own_cleanup()); });
        }
        void wait() { members_.wait(); }

    private:
        oneapi::tbb::task_group members_;
    };
};

}   // namespace bench
