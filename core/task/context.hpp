// A node of the cancellation tree, as the library holds it. lastly/context.hpp is what users see of it.
// Any thread that holds a reference. The transition table of the state word is in README.md here. Invariants:
//   1. `claimed` is set once, by the canceller whose cause it will be; it writes the cause, then sets `stopped`; from then on the
//      cause may be read and does not change (E2).
//   2. A child holds a reference on each parent. A parent lists its children weakly: a child is unlinked, under the parent's lock,
//      before it is freed, and a canceller takes a reference, under that lock, only if there still is one.
//   3. A parent stops, then gives up its list under its lock; a child looks at the parent's stop under that lock, then joins the
//      list. So each child is met by the canceller, or stops itself.
//   4. `next_work_` belongs to whoever claimed the node, until that reference goes; after the last reference to whoever frees it.
//   5. At most one lock is held at a time, and none while user code runs (C6).
#pragma once

#include "core/base/process.hpp"
#include "core/structures/deadline_heap.hpp"
#include "lastly/context.hpp"
#include "lastly/detail/atomic.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <system_error>

namespace lastly::detail {

class timers;

class context_node : private deadline_heap::entry {
public:
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr std::size_t max_parents = 4;

    // Up to 4 parents; null and background entries are skipped; duplicates allowed. Effective deadline = min(own, parents').
    // A parent that has stopped already stops the new node at once with its cause; a deadline that has passed: deadline_exceeded.
    // Returned with one reference. Throws std::bad_alloc (nothing registered then), std::system_error if the timer thread cannot
    // be started.
    static context_node* make(std::span<context_node* const> parents, time_point own_deadline = time_point::max());
    // One that has stopped with that cause. Throws std::bad_alloc.
    static context_node* make_stopped(std::error_code cause, time_point deadline);
    static context_node& background() noexcept;   // immortal, never stops, retain/release do nothing
    context_node(const context_node&) = delete;
    context_node& operator=(const context_node&) = delete;

    bool stopped() const noexcept {
        return (state_.load(acquire) & stop_set) != 0;   // order: [Y1] sees the cause
    }
    std::error_code cause() const noexcept { return stopped() ? std::error_code(cause_value_, *cause_category_) : std::error_code(); }
    time_point deadline() const noexcept { return deadline_; }   // max(): none

    // True: this call did it. Cancels everything below with the same cause. Either way the node shows the stop afterwards.
    bool cancel(std::error_code cause) noexcept;
    bool sleep_until(time_point moment) noexcept;   // false: woken by (or already) a stop
    std::stop_token stop_token();                   // made on demand; may throw std::bad_alloc

    void retain() noexcept;
    void release() noexcept;

private:
    static constexpr std::uint32_t stop_claimed = 1, stop_set = 2, sleepers = 4;

    struct link {   // under the parent's lock, but for the last two
        link* next = nullptr;
        link** back = nullptr;   // null: not in the list
        context_node* child = nullptr;
        context_node* parent = nullptr;
    };
    friend struct context_roots;

    constexpr context_node() noexcept = default;
    explicit context_node(time_point deadline) noexcept : deadline_(deadline), born_in_(fork_generation()), references_(1) {}
    ~context_node() = default;

    static context_node* allocate(std::size_t parents, time_point deadline) noexcept;
    [[gnu::noinline]] static void free(context_node* first) noexcept;   // apart from the many calls of release that free nothing
    void adopt_parents(std::span<context_node* const> parents) noexcept;
    std::error_code arm() noexcept;
    void join_parents() noexcept;
    void leave_parent(link& l) noexcept;
    void disarm() noexcept;

    bool try_retain() noexcept;
    bool is_inherited() const noexcept { return born_in_ != fork_generation(); }
    bool claim(std::error_code cause) noexcept;
    void await_stop() noexcept;
    void spread() noexcept;
    context_node* stop_children(context_node* last) noexcept;
    void run_callbacks() noexcept;
    link* links() noexcept { return reinterpret_cast<link*>(this + 1); }

    static bool hold(deadline_heap::entry& e) noexcept;
    static void fire(deadline_heap::entry& e) noexcept;
    static timers& clockwork() noexcept;

    // What observers read. The parts that others write all the time begin a cache line further on.
    atomic<std::uint32_t> state_{0};
    int cause_value_ = 0;
    const std::error_category* cause_category_ = nullptr;
    const time_point deadline_ = time_point::max();
    std::uint8_t parents_ = 0;                // how many links follow this object
    bool armed_ = false;                      // has a deadline of its own with the timers; the claimer's, then whoever's frees it
    const std::uint32_t born_in_ = 0;        // inherited by a forked process: then its lock may be held for ever, and its lists are a parent's (P6)
    context_node* next_work_ = nullptr;
    std::optional<std::stop_source> source_;  // under the lock until the node has stopped, constant from then on

    std::mutex mutex_;                        // guards source_, children_ and the links in that list
    link* children_ = nullptr;
    atomic<std::uint32_t> references_{0};
};

// Around a fork (P6): the process's deadlines.
void hold_timers() noexcept;
void release_timers(bool in_child) noexcept;

// For tests: the n-th node from now on finds no memory (1: the next one); 0: none.
void fail_context_nodes(unsigned nth) noexcept;
// For tests and notes: what a node with that many parents takes; deadlines that wait now.
std::size_t context_node_bytes(std::size_t parents) noexcept;
std::size_t deadlines_waiting() noexcept;

struct context_access {
    // Takes over one reference.
    static context adopt(context_node* n) noexcept { return context(n == &context_node::background() ? nullptr : n); }
    static cancel_source own(context_node* n) noexcept { return cancel_source(adopt(n)); }
    static context_node* node(const context& c) noexcept { return c.node_ != nullptr ? c.node_ : &context_node::background(); }
    static context_node* node_or_null(const context& c) noexcept { return c.node_; }   // null: the background
    static context share(context_node* n) noexcept {                                   // null: the background
        if (n != nullptr) n->retain();
        return n != nullptr ? adopt(n) : context();
    }
};

}   // namespace lastly::detail
