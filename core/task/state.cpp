// See state.hpp; the transition table and the edges T1 to T5 are in README.md here.
#include "core/task/state.hpp"

#include "core/base/test_point.hpp"
#include "core/base/thread.hpp"
#include "core/task/anchor.hpp"
#include "core/task/context.hpp"
#include "lastly/detail/fault.hpp"

#include <memory>

namespace lastly::detail {

namespace {

constinit atomic<bool> frames_are_kept{false};

stop_slot& slot_of(frame& f) noexcept {
    const frame_ops& ops = f.type();
    return *reinterpret_cast<stop_slot*>(f.at(end_of_context(ops.named, ops.has_context)));
}

// Waits for whoever claimed the right to set that bit: it is two stores away.
std::uint32_t await_bits(const frame& f, std::uint32_t bits) noexcept {
    for (;;) {
        const std::uint32_t now = f.state.load(acquire);   // order: [T3] sees the cause, or the node
        if ((now & bits) != 0) return now;
        yield_thread();
    }
}

}   // namespace

std::uint32_t begin_writing(atomic<std::uint32_t>& word) noexcept {
    for (;;) {
        std::uint32_t now = word.load(relaxed);   // order: a first guess
        if ((now & being_written) == 0 && word.compare_exchange_weak(now, now | being_written, acquire, relaxed)) return now;   // order: [Y3] sees what others wrote
        yield_thread();
    }
}

void end_writing(atomic<std::uint32_t>& word, std::uint32_t parts) noexcept { word.store(parts, release); }   // order: [Y3] publishes the parts

bool is_kept(const frame& f) noexcept { return (f.state.load(acquire) & (handle | pinned)) != 0; }   // order: [T4] a figure for people

void drop_contexts(frame& f) noexcept {
    const frame_ops& ops = f.type();
    if (ops.has_context) std::destroy_at(&context_in(f));
    if (ops.has_handle_part && (f.state.load(acquire) & node_set) != 0) slot_of(f).node->release();   // order: [T3] sees the node
}

void keep_frames() noexcept { frames_are_kept.store(true, relaxed); }          // order: before the outcome is published (T4)
void forget_kept_frames() noexcept { frames_are_kept.store(false, relaxed); }   // order: no other thread is there

void drop_reference(frame& f, std::uint32_t which) noexcept {
    const std::uint32_t before = f.state.fetch_and(~which, acq_rel);   // order: [T4] whoever frees sees what the others did
    const bool is_last = (before & done) != 0 && (before & (husk | handle | pinned) & ~which) == 0;
    if (is_last && !frames_are_kept.load(relaxed)) free_frame(f);   // order: of this frame's task it was said before the outcome was published (T4)
}

take_result take_from_queue(frame& f) noexcept {
    LASTLY_POINT("taking");
    const std::uint32_t before = f.state.fetch_or(taken, acq_rel);   // order: [T1] a waiter's claim and this exclude each other
    if ((before & taken) == 0) return take_result::mine;
    if (LASTLY_FAULT("W1")) return take_result::mine;
    drop_reference(f, husk);
    return take_result::was_husk;
}

bool claim_in_place(frame& f) noexcept {
    LASTLY_POINT("claiming");
    std::uint32_t now = f.state.load(relaxed);   // order: a first guess
    while ((now & (taken | done)) == 0) {
        if (f.state.compare_exchange_weak(now, now | taken | husk, acq_rel, relaxed)) return true;   // order: [T1] sees the frame as its submitter left it
    }
    return false;
}

bool stop_sources::find(std::error_code& cause) const noexcept {
    if (attached != nullptr && attached->stopped() && !LASTLY_FAULT("C5")) cause = attached->cause();
    else if (group != nullptr && group->stopped()) cause = group->cause();
    else if ((gate & gate_abrupt) != 0) cause = end_cause(gate);
    else return false;
    return true;
}

context_node* attached_context(frame& f) noexcept {
    return f.type().has_context ? context_access::node_or_null(context_in(f)) : nullptr;
}

bool set_stop(frame& f, std::error_code cause) noexcept {
    const std::uint32_t before = f.state.fetch_or(stop_claimed, acq_rel);   // order: [T2] one writer of the slot
    if ((before & node_claimed) != 0) {   // the task's own context decides
        if ((await_bits(f, node_set | done) & done) != 0) return false;
        return slot_of(f).node->cancel(cause);
    }
    const bool lost = (before & (stop_claimed | done)) != 0;
    if (lost && !LASTLY_FAULT("E2")) return false;
    slot_of(f).category = &cause.category();
    slot_of(f).value = cause.value();
    return (f.state.fetch_or(stop_set, acq_rel) & done) == 0;   // order: [T3] publishes the cause
}

bool find_stop(frame& f, const stop_sources& others, std::error_code& cause) noexcept {
    if (!f.type().has_handle_part) return others.find(cause);
    std::uint32_t now = f.state.load(acquire);   // order: [T3] sees the cause
    if ((now & node_set) != 0) {
        if (!slot_of(f).node->stopped()) return false;
        cause = slot_of(f).node->cause();
        return true;
    }
    if ((now & stop_set) == 0) {
        if (!others.find(cause)) return false;
        set_stop(f, cause);
        now = await_bits(f, stop_set | node_set | done);
        if ((now & node_set) != 0) {   // the context decides, and has been told
            if (slot_of(f).node->stopped()) cause = slot_of(f).node->cause();
            return true;
        }
        if ((now & stop_set) == 0) return false;
    }
    cause = std::error_code(slot_of(f).value, *slot_of(f).category);
    return true;
}

std::error_code give_node(frame& f, context_node& node) noexcept {
    std::uint32_t now = f.state.load(relaxed);   // order: a first guess
    do {
        if ((now & stop_claimed) != 0) {   // the handle was first
            await_bits(f, stop_set);
            return std::error_code(slot_of(f).value, *slot_of(f).category);
        }
    } while (!f.state.compare_exchange_weak(now, now | node_claimed, acq_rel, relaxed));   // order: [T2] one writer of the slot
    node.retain();
    slot_of(f).node = &node;
    f.state.fetch_or(node_set, acq_rel);   // order: [T3] publishes the node
    return {};
}

}   // namespace lastly::detail
