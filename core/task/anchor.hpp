// What a task, a handle and a walker may ask of a pool, in memory that outlives every pool.
// Any thread. Invariants: 1. An anchor is never freed; a later pool may take it over with a new serial number. 2. `gate` only gains
// bits while a pool lives. 3. Whoever calls the sink from outside the pool's own threads is a visitor; the pool outlives its visitors.
//
//   gate     open -> closed -> closed|abrupt -> closed|abrupt|gone (abrupt may be skipped); from gate_cause_shift on: why, set with abrupt
#pragma once

#include "core/base/futex.hpp"
#include "core/report/sink.hpp"
#include "lastly/detail/frame.hpp"

#include <chrono>

namespace lastly::detail {

inline constexpr std::uint32_t gate_closed = 1;   // rejects submissions from outside
inline constexpr std::uint32_t gate_abrupt = 2;   // rejects all; no body starts; every task is asked to stop
inline constexpr std::uint32_t gate_gone = 4;     // quiescent for good: workers end
inline constexpr std::uint32_t gate_forked = 8;   // the pool is a parent process's (P6)
inline constexpr unsigned gate_cause_shift = 8;   // eight bits: 0 a shutdown, a signal's number, or this:
inline constexpr std::uint32_t gate_exit = 255u << gate_cause_shift;

// Why the tasks of a pool with such a gate are asked to stop. Requires: it is abrupt.
std::error_code end_cause(std::uint32_t gate) noexcept;

// What a thread sleeps for: `sleep` returns once `over` would say so. An endless wait may run tasks rather than hang.
struct waiting {
    const pool_anchor* of;   // the pool whose tasks bring it about

    bool (*over)(void*);
    void (*sleep)(void*);
    void* argument;
    bool is_endless;
};

// A thread's stay in the sink of a pool that it is no worker of. The pool is not freed meanwhile, and its calls by this thread
// know that they come from inside. False: the pool is gone, or about to.
class visit {
public:
    explicit visit(pool_anchor& a) noexcept;
    ~visit();
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;

    explicit operator bool() const noexcept { return entered_; }
    // Does this thread visit that pool?
    static bool is_at(const pool_anchor& a) noexcept;

private:
    const bool entered_;
    stay stay_;
};

class pool_anchor {
public:
    std::uint64_t serial() const noexcept { return serial_; }
    atomic<std::uint32_t>& gate() noexcept { return gate_; }
    std::uint32_t gate_now() const noexcept { return gate_.load(acquire); }   // order: [G1] sees what the closing thread did before
    bool is_inherited() const noexcept { return (gate_now() & gate_forked) != 0; }
    // Whoever waits for what an inherited pool's threads would do never hears of it. Errors: std::system_error with errc::forked.
    void refuse_to_wait_if_inherited() const;
    bool abrupt() const noexcept { return (gate_now() & gate_abrupt) != 0; }
    bool gone() const noexcept { return (gate_now() & gate_gone) != 0; }

    pool_core* core = nullptr;
    error_sink* sink = nullptr;
    context_node* root = nullptr;   // what every task of the pool observes
    std::size_t longest_chain = ~std::size_t{0};   // of deferred finalizers, that is not reported
    unsigned workers = 1;
    // W1: claims the task where it stands in a queue, and runs it on this worker. False: it stands in none, or there are too many
    // tasks one inside the other on this thread. Set by the schedule floor.
    bool (*run_in_place)(pool_core&, frame&) = nullptr;
    // W2: sleeps while another thread takes this worker's place. Set by the schedule floor.
    void (*stand_aside)(const waiting&) = nullptr;
    // The last thread inside an ownerless pool has ended its stay. Set by the schedule floor.
    void (*free_once_out)(pool_core&) = nullptr;

private:
    friend class anchor_lease;
    friend class visit;
    bool enter() noexcept;
    void leave() noexcept;
    static constexpr std::uint32_t shut = 1u << 31;

    atomic<std::uint32_t> gate_{0};
    futex_word visitors_{shut};
    std::uint64_t serial_ = 0;
    pool_anchor* next_free_ = nullptr;
};

// A pool's hold on its anchor.
class anchor_lease {
public:
    anchor_lease();    // throws std::bad_alloc
    ~anchor_lease();   // shuts the anchor if that was not done, and waits for visitors
    anchor_lease(const anchor_lease&) = delete;
    anchor_lease& operator=(const anchor_lease&) = delete;

    pool_anchor* get() const noexcept { return anchor_; }
    // Everything that visitors may use is there.
    void open() noexcept;
    // No visitor comes any more.
    void shut() noexcept;
    // Is one there? After `shut` none comes any more.
    bool has_visitors() const noexcept;
    // Returns when the last one has left.
    void await_visitors() const noexcept;

private:
    pool_anchor* anchor_;
};

// Around a fork (P6).
void hold_anchors() noexcept;
void release_anchors() noexcept;

// The anchor of finished tasks whose pool is gone: never open.
pool_anchor& nobodys_anchor() noexcept;

}   // namespace lastly::detail
