// oneTBB as backends of what begins inside the pool: fork-join in five ways, and spawning into a task_group or many.
// An arena of `workers` slots, one of them the caller's, which computes as well; global_control allows no thread more.
// within: the thread that made the backend. fork, fork_some, a group: inside `within`.
// invoke: parallel_invoke as it is mostly written, which makes a context a call, or with one context for the whole recursion, which is
// cheaper and gives up that an exception cancels no more than its own call. Where the number of branches is known when it runs, with one
// context: for: parallel_for by single indices; halves: parallel_invoke of two, again and again, as lastly has it there. group: one branch
// is called, the others are given to a task_group, which costs less than run_and_wait.
#pragma once

#include "peers/cleanups.hpp"
#include "peers/onetbb_groups.hpp"
#include "workloads/fork_tree.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_invoke.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <cstddef>
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

// `Fork`: `each<Count>(f)` and, in some, `some(count, f)` call f(0) to f(count - 1) at the same time.
template <class Fork>
class onetbb_fork : public onetbb_inside {
public:
    using onetbb_inside::onetbb_inside;

    template <std::size_t Count, class C, class F>
    void fork(const C& c, const F& f) { fork_.template each<Count>(guarded(c, f)); }
    template <class C, class F>
        requires requires(Fork& by, const F& f) { by.some(std::size_t{}, f); }
    void fork_some(const C& c, std::size_t count, const F& f) { fork_.some(count, guarded(c, f)); }

private:
    template <class C, class F>
    static auto guarded(const C& c, const F& f) {
        return [&](std::size_t i) { spelled_out::guarded<cleanups_a_branch<C>>([&] { f(i); }, c); };
    }
    Fork fork_;
};

struct onetbb_invoke {
    template <std::size_t Count, class F>
    void each(const F& f) {
        const auto all = [&]<std::size_t... I>(std::index_sequence<I...>) { oneapi::tbb::parallel_invoke([&] { f(I); }...); };
        all(std::make_index_sequence<Count>{});
    }
};

struct onetbb_invoke_shared {
    oneapi::tbb::task_group_context context;
    template <std::size_t Count, class F>
    void each(const F& f) {
        const auto all = [&]<std::size_t... I>(std::index_sequence<I...>) { oneapi::tbb::parallel_invoke([&] { f(I); }..., context); };
        all(std::make_index_sequence<Count>{});
    }
};

struct onetbb_group_fork {
    template <std::size_t Count, class F>
    void each(const F& f) { some(Count, f); }
    template <class F>
    void some(std::size_t count, const F& f) {
        oneapi::tbb::task_group branches;
        for (std::size_t i = 1; i < count; ++i) branches.run([&f, i] { f(i); });
        f(0);
        branches.wait();
    }
};

struct onetbb_for_shared {
    oneapi::tbb::task_group_context context;
    template <std::size_t Count, class F>
    void each(const F& f) { some(Count, f); }
    template <class F>
    void some(std::size_t count, const F& f) {
        if (count == 1) return f(0);
        oneapi::tbb::parallel_for(std::size_t{0}, count, f, oneapi::tbb::simple_partitioner(), context);
    }
};

struct onetbb_invoke_halves {
    oneapi::tbb::task_group_context context;
    template <std::size_t Count, class F>
    void each(const F& f) { some(Count, f); }
    template <class F>
    void some(std::size_t count, const F& f) {
        if (count > 1) halves(f, 0, count);
        else f(0);
    }

private:
    // Branches first to last - 1, two at least.
    template <class F>
    void halves(const F& f, std::size_t first, std::size_t last) {
        const std::size_t middle = first + (last - first) / 2;
        const auto one = [&f](std::size_t i) { return [&f, i] { f(i); }; };
        const auto more = [this, &f](std::size_t from, std::size_t to) { return [this, &f, from, to] { halves(f, from, to); }; };
        if (last - first > 3) oneapi::tbb::parallel_invoke(more(first, middle), more(middle, last), context);
        else if (last - first > 2) oneapi::tbb::parallel_invoke(one(first), more(middle, last), context);
        else oneapi::tbb::parallel_invoke(one(first), one(middle), context);
    }
};

// Cleanups as in cleanups.hpp. `Members`: a task_group or onetbb_groups.
template <class Cleanups, class Members = oneapi::tbb::task_group>
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
        Members members_;
    };
};

}   // namespace bench
