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

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
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

    // `least`: as many are to be public if there are that many; when there are fewer, or some worker is idle (`idle_word` is not 0 in its
    // lower half), a push calls `offer_more`.
    branch_deque(pool_core* p, std::int64_t least, const atomic<std::uint64_t>& idle_word, void (*offer_more)(branch_deque&)) noexcept
        : pool(p), least_(least), idle_(idle_word), offer_more_(offer_more) {}
    branch_deque(const branch_deque&) = delete;
    branch_deque& operator=(const branch_deque&) = delete;

    pool_core* const pool;

    // The owner's.
    bool has_room(std::int64_t count) noexcept { return end_ + count <= limit_ || find_room(count); }
    inline void push(branch& b) noexcept;   // requires room
    // The branch that was pushed last; false: a thief has it.
    bool pop() noexcept {
        if (end_ == public_here_) return pop_public();
        --end_;
        if (is_somebody_idle() && end_ != public_here_) offer_more_(*this);
        return true;
    }
    // Lets thieves have the oldest, so that `count` can be stolen if there are that many. Whether that made more of them public.
    LASTLY_EXPORT bool offer(std::int64_t count) noexcept;
    std::int64_t end() const noexcept { return end_; }
    std::int64_t least() const noexcept { return least_; }

    // Any thread's.
    branch* steal(bool& contended) noexcept;
    // A branch that the awaited one, which runs on this deque's worker, has forked; null: none is to be had.
    branch* steal_part_of(const branch& awaited) noexcept;
    // Branches that can be stolen: never 0 while one rests here.
    std::size_t size() const noexcept;

private:
    LASTLY_EXPORT bool pop_public() noexcept;
    LASTLY_EXPORT bool find_room(std::int64_t count) noexcept;
    branch* take(std::int64_t top, bool& contended) noexcept;
    bool is_somebody_idle() const noexcept { return static_cast<std::uint32_t>(idle_.load(relaxed)) != 0; }   // order: a hint: the next push or pop looks again
    atomic<branch*>& slot(std::int64_t i) noexcept { return slots_[static_cast<std::size_t>(i) % capacity]; }

    alignas(64) atomic<std::int64_t> top_{0};
    atomic<std::int64_t> public_end_{0};
    alignas(64) std::int64_t end_ = 0;           // the owner's: behind the youngest
    std::int64_t public_here_ = 0;               // likewise: its own copy of public_end
    std::int64_t limit_ = capacity;              // likewise: slots below are free to use
    const std::int64_t least_;
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

void branch_deque::push(branch& b) noexcept {
    slot(end_).store(&b, relaxed);   // order: published by the store of public_end (J1)
    ++end_;
    const bool too_few = public_here_ - top_.load(relaxed) < least_;                    // order: a hint: a stale value only delays an offer
    if (too_few || is_somebody_idle()) offer_more_(*this);
}

// What the run's record held before a branch took its chain over.
struct branch_chain {
    chain_node* deferred;
    chain_node* spent;
    std::byte* spare;
    std::byte* spare_end;
    outcome* result;
    std::size_t deferred_pending;
    std::exception_ptr early{}, reported{};
    std::exception_ptr thrown{};              // by the branch itself
    outcome_access::on_stack<void> own{};     // what became of the branch

    branch_chain(run_record& r, std::byte* room, std::byte* room_end) noexcept
        : deferred(std::exchange(r.deferred, nullptr)), spent(std::exchange(r.spent, nullptr)), spare(std::exchange(r.spare, room)), spare_end(std::exchange(r.spare_end, room_end)),
          result(r.result), deferred_pending(std::exchange(r.deferred_pending, 0)) {
        r.result = &own.value;
        if (r.early != nullptr) early.swap(r.early);
        if (r.reported != nullptr) reported.swap(r.reported);
        r.inner_pending += deferred_pending;
        outcome_access::started(own.value);
    }
};

// Where a run forks: one branch after the other runs in it. What a branch defers goes to a chain of its own (B2), and so does its
// exception: the first makes the scope `open`, and the chain runs when the branch ends.
struct branch_scope {
    run_record& run;
    branch_scope* const outer;          // of the same run, around it
    std::exception_ptr error{};         // of the lowest-numbered branch that failed
    branch_end how = branch_end::well;
    bool is_open = false;
    bool is_ending = false;             // the branch's chain runs
    const bool finalizing;              // does a finalizer fork?
    union { branch_chain before; };     // while open
    static constexpr std::size_t room_bytes = 96;       // a deferred finalizer or two
    alignas(chain_node) std::byte room[room_bytes];     // the branch's spare room

    explicit branch_scope(run_record& r) noexcept : run(r), outer(r.scope), finalizing(r.finalizing) { r.scope = std::launder(this); }   // laundered: GCC 12 does not see that the destructor undoes this, and warns
    ~branch_scope() {
        if (is_open) close_branch(*this);   // what user code registered between two branches
        run.scope = outer;
    }
    branch_scope(const branch_scope&) = delete;
    branch_scope& operator=(const branch_scope&) = delete;

    template <class F> void run_branch(F&& f);
    // A branch that runs here is about to defer, or has thrown: it gets a chain of its own.
    LASTLY_EXPORT void open() noexcept;
};

LASTLY_EXPORT void branch_threw(branch_scope& s) noexcept;          // within the catch
LASTLY_EXPORT void branch_left_thread(branch_scope& s);    // P4: it failed with thread_exited; its chain runs
// It was stolen: helps with its parts, then sleeps until it is over (W1, W2).
LASTLY_EXPORT void join_stolen(branch& b, branch_scope& s);
// Within a catch of forced unwinding: the branch that was pushed last runs here, or is waited for; the stack beneath it goes.
LASTLY_EXPORT void join_in_passing(branch& b, branch_scope& s, branch_deque& d);
// Ends the scope's part in an exception's way: whoever catches it knows whether the sink was told.
[[noreturn]] LASTLY_EXPORT void rethrow_first(branch_scope& s);
LASTLY_EXPORT void tell_branch_error(run_record& r, const std::exception_ptr& error, branch_end how) noexcept;

template <class F>
void branch_scope::run_branch(F&& f) {
    if (LASTLY_FAULT("B1") && error != nullptr) return;
    std::conditional_t<(sizeof(F) > 0), task_context, void> here(run);   // complete where this is compiled; its finalizers may use it, too
    try {
        f(here);
    } catch (...) {
        if (is_forced_unwind()) {
            do_in_passing([this] { branch_left_thread(*this); });
            throw;
        }
        branch_threw(*this);
    }
    if (is_open) close_branch(*this);
}

template <class F>
struct invoked_branch : branch {
    F& callable;
    invoked_branch(branch_scope& s, F& f) noexcept : branch(&run, s), callable(f) {}
    static void run(branch& b, branch_scope& s) { s.run_branch(static_cast<invoked_branch&>(b).callable); }
};

// Branches 0 to I: the others are on offer while the first runs; each is then taken back, or waited for, in their numbers' order.
template <std::size_t I, class Callables>
void fork_up_to(branch_scope& s, branch_deque& d, Callables& all) {
    auto& callable = std::get<I>(all);
    if constexpr (I == 0) {
        if constexpr (std::tuple_size_v<Callables> > 2) offer_all_branches(d);   // siblings: each may be as long as all the others
        s.run_branch(callable);
    } else {
        invoked_branch b(s, callable);
        d.push(b);
        try {
            fork_up_to<I - 1>(s, d, all);
        } catch (...) {   // forced unwinding: the branch's own exceptions are in the scope
            join_in_passing(b, s, d);
            throw;
        }
        if (d.pop()) s.run_branch(callable);
        else join_stolen(b, s);
    }
}

// Without room to offer them: one after the other, also when one of them leaves the thread.
template <std::size_t I, class Callables>
void run_in_order(branch_scope& s, Callables& all) {
    if constexpr (I < std::tuple_size_v<Callables>) {
        const auto rest = [&] { run_in_order<I + 1>(s, all); };
        with_rest([&] { s.run_branch(std::get<I>(all)); }, rest);
        rest();
    }
}

// A call of parallel_invoke, within a task of the pool.
template <class... Branch>
void fork(run_record& r, std::tuple<Branch...> all) {
    branch_scope s(r);
    try {
        if (r.forks != nullptr && r.forks->has_room(sizeof...(Branch))) fork_up_to<sizeof...(Branch) - 1>(s, *r.forks, all);
        else run_in_order<0>(s, all);
    } catch (...) {   // forced unwinding
        if (s.error != nullptr) tell_branch_error(r, s.error, s.how);
        throw;
    }
    if (s.error != nullptr) rethrow_first(s);
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
