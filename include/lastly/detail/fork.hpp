// Fork-join as templates see it: branches that lie on the stack of whoever forks them, the owner's side of the deque in which thieves
// find them, and the scope in which a branch that runs here defers. The protocol, its states and edges: core/structures/README.md and
// core/task/README.md.
// branch_deque: push, pop, has_room, offer: its worker; the rest: any thread. branch_scope: its own thread. branch: see its states.
// Invariants: 1. Forks nest: what a worker pops is what it pushed last, or that was stolen, and then all that is older was, too.
// 2. Branches from `public_end` on are the owner's alone: no other thread looks at them, so it needs no order there.
// 3. A branch's memory is touched by its thief only before `over` is set, and by its forker only before it is offered and after that, but for
// `state`, and `base` once that says `running`.
// Source: Lace's split deque (van Dijk, van de Pol 2014) and Chase and Lev's; where this differs: how much is public follows from how
// many workers are idle, and nothing that is public is taken back but from the young end.
#pragma once

#include <lastly/detail/atomic.hpp>
#include <lastly/detail/export.hpp>
#include <lastly/detail/fault.hpp>
#include <lastly/detail/frame.hpp>
#include <lastly/detail/thread_block.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lastly {

class task_context;

namespace detail {

struct branch_scope;
LASTLY_EXPORT void close_branch(branch_scope& s);                   // runs its chain, keeps its exception

// What became of a branch, beside its exception.
enum class branch_end : std::uint8_t { well, failed, told, cancelled, left };   // told: the sink knows its error, or nobody need know; left: it called exit

// One callable of a parallel_invoke, or a part of a parallel_for, that a thief may run. `state`:
//
//   0 nobody's or its forker's -> thief's index and `running` (a thief has it) -> `over`, and the end above it (the last touch);
//   the forker may add `waited` before `over`: then it sleeps on the word
struct branch {
    static constexpr std::uint32_t waited = 1, running = 2, over = 4;
    static constexpr unsigned end_shift = 4, thief_shift = 8;

    void (*const call)(branch&, branch_scope&);   // not noexcept: forced unwinding passes through
    branch_scope* const of;                       // where it was forked
    atomic<std::uint32_t> state{0};
    std::int64_t base;                            // the thief's, before `running`: what its deque holds from here on is part of this branch
    union { std::exception_ptr error; };          // the thief's, before `over`: unless it ended well

    branch(void (*c)(branch&, branch_scope&), branch_scope& s) noexcept : call(c), of(&s) {}
    ~branch() {}   // `error` was taken when it was joined
    branch(const branch&) = delete;
    branch& operator=(const branch&) = delete;

    bool is_over() const noexcept { return (state.load(acquire) & over) != 0; }   // order: [J5] sees all that the branch did
};

class branch_deque {
public:
    static constexpr std::int64_t capacity = 1024;

    // `least`: as many are to be public if there are that many, and as many as the last offer said. When there are fewer a push calls
    // `offer_more`; so does a pop when some worker is idle (`idle_word` is not 0 in its lower half) and fewer than `most` are public.
    branch_deque(pool_core* p, std::int64_t least, std::int64_t most, const atomic<std::uint64_t>& idle_word, void (*offer_more)(branch_deque&)) noexcept
        : pool(p), wanted_(least), least_(least), most_(most), idle_(idle_word), offer_more_(offer_more) {}
    branch_deque(const branch_deque&) = delete;
    branch_deque& operator=(const branch_deque&) = delete;

    pool_core* const pool;

    // The owner's.
    bool has_room(std::int64_t count) noexcept { return end_ + count <= limit_ || find_room(count); }
    // Where it stands. Requires room.
    std::int64_t push(branch& b) noexcept {
        const std::int64_t at = end_;
        slot(at).store(&b, relaxed);   // order: published by the store of public_end (J1)
        end_ = at + 1;
        if (public_here_ - top_.load(relaxed) < wanted_) offer_more_(*this);   // order: a hint: a stale value only delays an offer
        return at;
    }
    // The branch that was pushed last, which stands at `at`: its forker knows that without reading what the push wrote, so that the
    // processor need not wait for it. False: a thief has it.
    bool pop(std::int64_t at) noexcept {
        if (at < public_here_) return pop_public();
        end_ = at;
        const bool is_somebody_idle = static_cast<std::uint32_t>(idle_.load(relaxed)) != 0;   // order: a hint: the next push or pop looks again
        if (is_somebody_idle && at != public_here_ && public_here_ - top_.load(relaxed) < most_) offer_more_(*this);   // order: a hint, too
        return true;
    }
    bool pop() noexcept { return pop(end_ - 1); }
    // Lets thieves have the oldest, so that `count` can be stolen if there are that many; pushes go on to see to it. Whether that made
    // more of them public.
    LASTLY_EXPORT bool offer(std::int64_t count) noexcept;
    LASTLY_EXPORT bool offer_all() noexcept;
    std::int64_t end() const noexcept { return end_; }
    // How many are to be public while that many workers are idle.
    std::int64_t wanted_for(std::int64_t idle_count) const noexcept { return std::clamp(1 + idle_count, least_, most_); }

    // Any thread's.
    branch* steal(bool& contended) noexcept;
    // A branch that the awaited one, which runs on this deque's worker, has forked; null: none is to be had.
    branch* steal_part_of(const branch& awaited) noexcept;
    // Branches that can be stolen: never 0 while one rests here.
    std::size_t size() const noexcept;

private:
    LASTLY_EXPORT bool pop_public() noexcept;
    bool publish(std::int64_t end) noexcept;
    LASTLY_EXPORT bool find_room(std::int64_t count) noexcept;
    branch* take(std::int64_t top, bool& contended) noexcept;
    atomic<branch*>& slot(std::int64_t i) noexcept { return slots_[static_cast<std::size_t>(i) % capacity]; }

    alignas(64) atomic<std::int64_t> top_{0};
    atomic<std::int64_t> public_end_{0};
    alignas(64) std::int64_t end_ = 0;           // the owner's: behind the youngest
    std::int64_t public_here_ = 0;               // likewise: its own copy of public_end
    std::int64_t limit_ = capacity;              // likewise: slots below are free to use
    std::int64_t wanted_;                        // likewise: as many are to be public
    const std::int64_t least_, most_;
    const atomic<std::uint64_t>& idle_;
    void (*const offer_more_)(branch_deque&);
    std::array<atomic<branch*>, capacity> slots_{};
};

// Does this run belong to a task of that pool, on a worker of it?
inline bool can_fork(const run_record* r, const pool_core& pool) noexcept { return r != nullptr && r->forks != nullptr && r->forks->pool == &pool; }
// A task of that pool that runs on another thread, a shutdown's helper or a submitter: it has no deque, its branches run one after the other.
LASTLY_EXPORT bool is_run_of(const run_record* r, const pool_core& pool) noexcept;
// How many workers share a loop.
LASTLY_EXPORT std::size_t workers_of(const pool_core& pool) noexcept;

// Everything that its worker has becomes public, and somebody is woken for it.
LASTLY_EXPORT void offer_all_branches(branch_deque& d) noexcept;

// The chain of a branch that runs here.
struct branch_chain : chain_state {
    std::exception_ptr thrown{};              // by the branch itself
    outcome_access::on_stack<void> own{};     // what became of the branch

    branch_chain(run_record& r, std::byte* room, std::byte* room_end) noexcept {
        spare = room;
        spare_end = room_end;
        result = &own.value;
        outer = std::exchange(r.chain, this);
        outcome_access::started(own.value);
    }
};

// Where a run forks: one branch after the other runs in it. What a branch defers goes to a chain of its own (B2), and so does its
// exception: the first opens the scope, and the chain runs when the branch ends.
struct branch_scope {
    static constexpr std::uint32_t open = 1, ending = 2, failed = 4;   // ending: the branch's chain runs

    run_record& run;
    branch_scope* const outer;          // of the same run, around it
    std::uint32_t marks = 0;
    branch_end how;                     // while failed: what became of the lowest-numbered branch that did
    const bool finalizing;              // does a finalizer fork?
    union { std::exception_ptr error; };   // likewise: its exception
    union { branch_chain chain; };      // while open: that of the branch
    static constexpr std::size_t room_bytes = 96;       // a deferred finalizer or two
    alignas(chain_node) std::byte room[room_bytes];     // the branch's spare room

    explicit branch_scope(run_record& r) noexcept : run(r), outer(r.scope), finalizing(r.finalizing) { r.scope = std::launder(this); }   // laundered: GCC 12 does not see that the destructor undoes this, and warns
    ~branch_scope() {
        if (marks != 0) end();
        run.scope = outer;
    }
    branch_scope(const branch_scope&) = delete;
    branch_scope& operator=(const branch_scope&) = delete;

    bool is(std::uint32_t mark) const noexcept { return (marks & mark) != 0; }
    // The branch runs here, to its end.
    template <class F> void run_branch(F&& f);
    // Without its chain's run: what comes next closes it. Finalizers may use the context, too.
    template <class F, class Context> void call_branch(F&& f, Context& here);
    // A branch that runs here is about to defer, or has thrown: it gets a chain of its own.
    void open_chain() noexcept {
        std::construct_at(&chain, run, room, room + room_bytes);
        marks |= open;
    }
    void keep_error(std::exception_ptr e, branch_end end) noexcept;   // requires: not failed
    std::exception_ptr take_error() noexcept;                         // requires: failed; it is not any more
    // What user code registered between two branches; and an error that no caller gets, since the thread is left, is told.
    LASTLY_EXPORT void end();
};

// Within the catch of what a branch threw. Whether its thread is left (P4): the branch's chain ran, the unwinding has to go on.
LASTLY_EXPORT bool branch_threw(branch_scope& s);
// It was stolen: helps with its parts, then sleeps until it is over (W1, W2).
LASTLY_EXPORT void join_stolen(branch& b, branch_scope& s);
// Within a catch of forced unwinding: the branch that was pushed last runs here, or is waited for; the stack beneath it goes.
LASTLY_EXPORT void join_in_passing(branch& b, branch_scope& s, branch_deque& d, std::int64_t at);
// The last branch is over: its chain runs, the first error is thrown. Whoever catches that knows whether the sink was told.
LASTLY_EXPORT void end_fork(branch_scope& s);
LASTLY_EXPORT void tell_branch_error(run_record& r, const std::exception_ptr& error, branch_end how) noexcept;

template <class F, class Context>
[[gnu::always_inline]] inline void branch_scope::call_branch(F&& f, Context& here) {
    if (LASTLY_FAULT("B1") && is(failed)) return;
    try {
        f(here);
    } catch (...) {
        if (branch_threw(*this)) throw;
    }
}

template <class F>
[[gnu::always_inline]] inline void branch_scope::run_branch(F&& f) {
    std::conditional_t<(sizeof(F) > 0), task_context, void> here(run);   // complete where this is compiled
    call_branch(f, here);
    if (is(open)) close_branch(*this);
}

// As the user named it. Rvalues are moved from, as a task's body is.
template <class F>
class named_branch {
public:
    explicit named_branch(std::remove_reference_t<F>& f) noexcept : callable_(f) {}
    void operator()([[maybe_unused]] task_context& here) const {
        if constexpr (std::is_invocable_v<F, task_context&>) static_cast<void>(std::invoke(std::forward<F>(callable_), here));
        else static_cast<void>(std::invoke(std::forward<F>(callable_)));
    }

private:
    std::remove_reference_t<F>& callable_;
};

template <class Callable>
struct invoked_branch : branch {
    const Callable callable;
    invoked_branch(branch_scope& s, const Callable& c) noexcept : branch(&run, s), callable(c) {}
    static void run(branch& b, branch_scope& s) { s.run_branch(static_cast<invoked_branch&>(b).callable); }
};

// Branches 0 to I: the others are on offer while the first runs; each is then taken back, or waited for, in their numbers' order.
// The chain of the last one that ran may be left to run.
template <std::size_t I, class Context, class Callables>
[[gnu::always_inline]] inline void fork_up_to(branch_scope& s, branch_deque& d, Context& here, const Callables& all) {
    const auto& callable = std::get<I>(all);
    if constexpr (I == 0) {
        if constexpr (std::tuple_size_v<Callables> > 2) offer_all_branches(d);   // siblings: each may be as long as all the others
        s.call_branch(callable, here);
    } else {
        invoked_branch b(s, callable);
        const std::int64_t at = d.push(b);
        try {
            fork_up_to<I - 1>(s, d, here, all);
            if (s.is(branch_scope::open)) close_branch(s);
        } catch (...) {   // forced unwinding: the branch's own exceptions are in the scope
            join_in_passing(b, s, d, at);
            throw;
        }
        if (d.pop(at)) s.call_branch(callable, here);
        else join_stolen(b, s);
    }
}

// Without room to offer them: one after the other, also when one of them leaves the thread.
template <std::size_t I, class Callables>
void run_in_order(branch_scope& s, const Callables& all) {
    if constexpr (I < std::tuple_size_v<Callables>) {
        const auto rest = [&] { run_in_order<I + 1>(s, all); };
        with_rest([&] { s.run_branch(std::get<I>(all)); }, rest);
        rest();
    }
}

// A call of parallel_invoke, within a task of the pool that has this deque, with room in it.
template <class... Branch>
[[gnu::always_inline]] inline void fork(run_record& r, branch_deque& d, const std::tuple<Branch...>& all) {
    std::conditional_t<(sizeof...(Branch) > 0), task_context, void> here(r);   // complete where this is compiled; its branches' finalizers may use it, too
    branch_scope s(r);
    fork_up_to<sizeof...(Branch) - 1>(s, d, here, all);
    if (s.marks != 0) end_fork(s);
}
// Without.
template <class... Branch>
void fork_in_order(run_record& r, const std::tuple<Branch...>& all) {
    branch_scope s(r);
    run_in_order<0>(s, all);
    if (s.marks != 0) end_fork(s);
}

// How a parallel_for ends before its last chunk.
struct loop_end {
    static constexpr std::uint32_t going = 0, stopped = 1, failed = 2;
    atomic<std::uint32_t> state{going};
    std::exception_ptr error{};            // of whoever made it `failed`
    branch_end how = branch_end::well;

    bool is_over() const noexcept { return state.load(relaxed) != going; }   // order: a hint: one chunk more does no harm; whoever joins sees it
};
// A chunk threw: the first one's exception is kept, the others are told.
LASTLY_EXPORT void keep_chunk_error(loop_end& end, branch_scope& s) noexcept;
// A stop was asked for: no further chunk.
LASTLY_EXPORT void stop_loop(loop_end& end) noexcept;
// To the caller, when all halves are over.
LASTLY_EXPORT void throw_loop_error(loop_end& end, branch_scope& s);

}   // namespace detail

}   // namespace lastly
