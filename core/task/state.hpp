// The state word of a task with a handle: who may run it, who may free it, and what its waiter is told.
// Any thread. A detached task only keeps its group's number there. The transition table is in README.md here; the bits:
//
//   taken         somebody has the right to run it: a worker that took it from a queue, or a waiter that claimed it there (W1)
//   husk          the claimed task's slot still stands in its queue
//   handle        a handle refers to it
//   stop_claimed  somebody won the right to write the stop cause       stop_set   the cause is there to read (E2)
//   waited        somebody sleeps on this word
//   done          the outcome is published (O4)
//   read          its error was taken or reported (E5)
//   pinned        a walker reads the outcome
//   leaving       the handle is about to destroy the result: nobody pins it any more
//   node_claimed  the running body makes a context of the task's own: its stop is that context's from now on
//   node_set      that context is there to be cancelled
//   from group_shift on: the number of the group, fixed when the task is accepted
//
// Invariants: 1. Each of taken, stop_claimed, done is set once. 2. husk, handle, pinned and "not done" are references: whoever
// removes the last one frees the frame. 3. The result is destroyed before `handle` is cleared, unless the frame is pinned: then
// whoever unpins it does that.
#pragma once

#include "core/structures/frame_store.hpp"
#include "lastly/detail/frame.hpp"

namespace lastly::detail {

inline constexpr std::uint32_t taken = 1u << 0;
inline constexpr std::uint32_t husk = 1u << 1;
inline constexpr std::uint32_t handle = 1u << 2;
inline constexpr std::uint32_t stop_claimed = 1u << 3;
inline constexpr std::uint32_t stop_set = 1u << 4;
inline constexpr std::uint32_t waited = 1u << 5;
inline constexpr std::uint32_t done = 1u << 6;
inline constexpr std::uint32_t read = 1u << 7;
inline constexpr std::uint32_t pinned = 1u << 8;
inline constexpr std::uint32_t leaving = 1u << 9;
inline constexpr std::uint32_t node_claimed = 1u << 10;
inline constexpr std::uint32_t node_set = 1u << 11;
inline constexpr unsigned group_shift = 12;

enum class take_result { mine, was_husk };

// A queue's taker: may it run the task? A husk is thrown away here, and freed if that was its last reference.
take_result take_from_queue(frame& f) noexcept;
// A waiter: the right to run a task that still stands in a queue.
bool claim_in_place(frame& f) noexcept;

// What may stop a task besides its handle.
struct stop_sources {
    context_node* attached;   // null: none
    context_node* group;      // null: none
    std::uint32_t gate;      // the pool's
    bool find(std::error_code& cause) const noexcept;
};

// Asks for a stop with that cause; true if this was the first.
bool set_stop(frame& f, std::error_code cause) noexcept;
// The stop's cause, if there is one; the first wins.
bool find_stop(frame& f, const stop_sources& others, std::error_code& cause) noexcept;
// The handle's cancel reaches the task's own context from now on. Else it was first: its cause, and the node is not given.
std::error_code give_node(frame& f, context_node& node) noexcept;
// The context that is attached to the task; null: none.
context_node* attached_context(frame& f) noexcept;

// A word for what several threads may want to write, each part once: bits say which parts are there, one that somebody writes. Whoever
// begins waits for that one, and is told which parts there are; ending publishes the parts.
inline constexpr std::uint32_t being_written = 1;
std::uint32_t begin_writing(atomic<std::uint32_t>& word) noexcept;
void end_writing(atomic<std::uint32_t>& word, std::uint32_t parts) noexcept;

// Does a handle keep it? Else it is a husk in some queue, or about to be freed.
bool is_kept(const frame& f) noexcept;

// The attached context, and the task's own, let go.
void drop_contexts(frame& f) noexcept;
inline void free_frame(frame& f, const frame_ops& type, bool is_plain) noexcept {
    if (!is_plain) drop_contexts(f);
    f.show(phase::free, 0, 0);
    release_block(type.size, &f);
}
inline void free_frame(frame& f) noexcept { free_frame(f, f.type(), f.type().is_plain); }
// From now on no frame with a handle is freed: a run was abandoned, and captures may be in use for as long as the process lives (P2).
void keep_frames() noexcept;
// In a child that was forked meanwhile. Requires: no other thread is there.
void forget_kept_frames() noexcept;
// Removes a reference other than "not done"; frees the frame if it was the last.
void drop_reference(frame& f, std::uint32_t which) noexcept;

}   // namespace lastly::detail
