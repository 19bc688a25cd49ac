// A group of tasks as its members see it: who is still under way, what failed, what stops them all.
// Any thread. It lies in memory that is never given back and is taken over by later groups: whoever comes late reads a later
// group's figures, never freed memory. The counting:
//
//   Who spawns a member lets it enter, on whose thread it ends lets it leave, each in a place of its own: a worker's belongs to it
//   alone, all other threads share the last one. The group is complete when as many have left as have entered. A worker does not look
//   for waiters after each member that leaves, but when it turns to something else (`tell`; sched/account.hpp).
//
// Invariants: 1. Both sides only grow, for ever: a later group goes on from where this one stood. 2. `left` is read before
// `entered`: equal sums mean that nothing was under way at the moment between. 3. The context is replaced when the group was complete
// a moment ago; a member that has entered meanwhile may still use the old one, which therefore goes only at the next such moment.
// 4. A group with a member under way is not given back.
#pragma once

#include "core/base/test_point.hpp"
#include "core/structures/event_count.hpp"
#include "lastly/detail/frame.hpp"
#include "lastly/detail/group.hpp"

#include <array>
#include <cstdint>
#include <exception>
#include <system_error>
#include <vector>

namespace lastly::detail {

class context_node;

// A failed member's error, until the group's owner takes it.
struct group_failure {
    group_failure* next;
    std::exception_ptr error;
    const char* name;
    creation_site site;
};

// What a group's context stands below; the background where there is less.
using group_parents = std::array<lastly::context, 3>;

class alignas(64) group_core {
public:
    static constexpr std::uint32_t max_groups = (1u << 20) - 1;   // alive at a time: the number lies in a frame's state word

    std::uint32_t number() const noexcept { return number_; }   // 1 to max_groups
    // For members under way, and whoever has entered one: the node stays until they have left.
    context_node* context() const noexcept { return context_.load(seq_cst); }   // order: [U1] sees the node; null: of no group any more; [U8] after the member has entered
    bool cancels_siblings() const noexcept { return fail_fast_; }
    // Of its pool; which may be gone.
    pool_anchor& anchor() const noexcept { return *anchor_; }
    std::uint64_t pool_serial() const noexcept { return pool_serial_; }
    creation_site parent_site() const noexcept;   // of the task that made it; file null: made outside a task

    static constexpr unsigned shared_place = ~0u;
    // `place`: a worker's own, below its pool's number of workers; else the shared one.
    void enter(unsigned place, std::uint64_t members = 1) noexcept { add(place, &counts::entered, members); }
    void leave(unsigned place, std::uint64_t members = 1) noexcept {
        LASTLY_POINT("leaving-a-group");
        if (LASTLY_FAULT("credit-lost")) --members;
        add(place, &counts::left, members);
    }
    // After members left there: wakes whoever waits if the group is complete. The last touch by a thread that worked for it.
    void tell(unsigned place) noexcept;
    bool is_complete() const noexcept;
    // Returns when the group is complete.
    void sleep_until_complete() noexcept;

    // A member's final outcome is failed. False: no memory to keep the error, and others are kept.
    bool add_failure(const run_record& r) noexcept;
    // A member was cancelled because its pool ended.
    // With the gate of the pool whose end it was; `drop` is 0 if there was none.
    void note_dropped(std::uint32_t gate) noexcept { dropped_.store(gate, relaxed); }   // order: [U3] seen once the group is complete
    std::uint32_t drop() const noexcept { return dropped_.load(relaxed); }              // order: [U3] the group is complete
    void forget_dropped() noexcept { dropped_.store(0, relaxed); }                      // order: [U3] the group is complete

    // All errors since the last call, the first one first. The owner's.
    group_failure* take_failures() noexcept;
    void free_failures(group_failure* list) noexcept;
    // The same into a vector, in place of what was in it. Throws std::bad_alloc; then they are kept.
    void move_failures(std::vector<std::exception_ptr>& to);
    // Made by a task of its own pool: the pool's end stops the group, too, as soon as the gate says so. The owner's, before the first member.
    void observe_pool() noexcept { observes_pool_ = true; }
    // The cause, if one of its parents stopped it, or that one's deadline, or the end of the pool that it observes. The owner's.
    std::error_code stopped_from_above() const noexcept;
    // Asks all members to stop; true: this call did it. A member under way calls this: the context stays.
    bool cancel(std::error_code cause) noexcept;
    // For any thread, also while the owner renews the context, or gives the group back: the background then.
    lastly::context context_from_outside() noexcept;

    // A member of another group waits for this one: what that one waits for is what this one needs (W1). True: noted, to be withdrawn.
    bool note_waiter(std::uint32_t group) noexcept;
    void withdraw_waiter() noexcept;
    // Does a wait for `awaited` depend on this group's members?
    bool is_needed_by(std::uint32_t awaited) const noexcept;

private:
    friend struct group_store;
    void set_context(context_node* node) noexcept;
    struct alignas(64) counts {
        atomic<std::uint64_t> entered{0}, left{0};
    };
    struct places {
        unsigned workers;   // the shared place follows theirs
        places* older;      // outgrown, kept for whoever comes late
        counts* of;
    };
    // For a pool of so many workers; false: no memory. Requires: it is complete, and nobody's.
    bool make_places(unsigned workers) noexcept;
    void add(unsigned place, atomic<std::uint64_t> counts::* side, std::uint64_t members) noexcept;

    std::uint32_t number_ = 0;
    bool fail_fast_ = true;
    pool_anchor* anchor_ = nullptr;
    std::uint64_t pool_serial_ = 0;
    group_parents parents_{};              // the owner's
    bool observes_pool_ = false;           // the owner's
    context_node* replaced_ = nullptr;     // the owner's: the context before this one
    atomic<std::uint32_t> needed_by_{0};
    atomic<std::uint32_t> dropped_{0};
    atomic<std::uint32_t> observers_{0};   // about to take a reference on the context
    atomic<context_node*> context_{nullptr};
    atomic<group_failure*> failures_{nullptr};
    group_failure reserve_{};              // for a failure that finds no memory: a wait never takes a failed group for a good one
    atomic<std::uint32_t> reserve_used_{0};
    atomic<const char*> parent_file_{nullptr};
    atomic<std::uint32_t> parent_line_{0};
    atomic<std::uint64_t> next_free_{0};   // link of the free stack
    atomic<places*> places_{nullptr};
    event_count complete_;
};

inline void group_core::add(unsigned place, atomic<std::uint64_t> counts::* side, std::uint64_t members) noexcept {
    const places& p = *places_.load(acquire);   // order: [U1] sees the places
    if (place < p.workers) {
        atomic<std::uint64_t>& own = p.of[place].*side;
        own.store(own.load(relaxed) + members, release);   // order: [U3] whoever sees the sum sees what came before; the load is the only writer's own
    } else {
        (p.of[p.workers].*side).fetch_add(members, seq_cst);   // order: [U3] whoever sees the sum sees what came before
    }
}

// The group of that number, which has a member under way or is held otherwise.
group_core& group_at(std::uint32_t number) noexcept;
// The number of the group of a frame; 0: none.
std::uint32_t group_of(const frame& f) noexcept;

struct group_store {
    static constexpr std::uint32_t groups_per_chunk = 256;
    static atomic<group_core*> chunks[(group_core::max_groups + 1) / groups_per_chunk];
    static atomic<std::uint64_t>& link(std::uint64_t number) noexcept;   // of the stack of free groups
    static std::uint32_t fill_chunk(std::uint32_t chunk);                // more groups; the number of one
    // A group with a context below those parents. Throws std::bad_alloc, and std::system_error if there are too many.
    // Around a fork (P6).
    static void hold_growth() noexcept;
    static void release_growth() noexcept;
    static group_core& take(pool_anchor& pool, bool fail_fast, group_parents parents, creation_site parent);
    // Complete, and nobody refers to it any more.
    static void give(group_core& g) noexcept;
    // A context of its own again, after a stop. The first throws std::bad_alloc.
    static lastly::context another_context(const group_core& g);
    static void renew(group_core& g, lastly::context fresh) noexcept;
};

inline group_core& group_at(std::uint32_t number) noexcept {
    return group_store::chunks[number / group_store::groups_per_chunk].load(acquire)[number % group_store::groups_per_chunk];   // order: [U2] sees the chunk's groups
}

}   // namespace lastly::detail
