// Contexts: the cancellation tree that tasks and waits observe (C3), and the owners that cancel its nodes.
// Any thread may use any context at any time; a cancel_source is one thread's at a time, but cancel() may come from many.
// Invariants: 1. A context is never null: default-constructed and moved-from ones are the background. 2. What has stopped stays
// stopped, and its cause does not change (E2). 3. A child's deadline never lies after its parent's.
// Source: Go's package context; where it differs: causes are error codes, and an owner cancels when it is destroyed.
#pragma once

#include <lastly/detail/export.hpp>
#include <lastly/error.hpp>

#include <chrono>
#include <optional>
#include <stop_token>
#include <system_error>
#include <utility>

namespace lastly {

namespace detail {
class context_node;
struct context_access;
}   // namespace detail

/// A node of the cancellation tree: a stop flag, its cause and a deadline. Copies are the same node.
/// Thread safety: any thread; one object may be read by many, as any value.
/// Lifetime: may outlive its owner, its pool and its tasks. Cost: one pointer; copying adds to one counter.
class LASTLY_EXPORT context {
public:
    /// The root of everything: never stops, has no deadline, needs no memory.
    static context background() noexcept { return {}; }
    /// The background.
    constexpr context() noexcept = default;
    context(const context& other) noexcept;
    /// Leaves the background behind.
    context(context&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    context& operator=(context other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~context() {
        if (node_ != nullptr) drop();
    }

    /// Has this node, or one above it, been cancelled, or a deadline passed? Never blocks; one load.
    [[nodiscard]] bool stop_requested() const noexcept;
    /// Why it stopped: the first cause wins and stays (E2). Empty as long as stop_requested() is false.
    [[nodiscard]] std::error_code cause() const noexcept;
    /// The earliest deadline of this node and those above it; none: empty.
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept;

    /// A token for `std::stop_callback`, `std::condition_variable_any` and `std::jthread` code; it stops with this node.
    /// Callbacks run with no lock of lastly held, on the thread that cancels or on the timer's (C6); they must not block or throw.
    /// When one runs, the whole tree below the cancelled node shows the stop already.
    /// Errors: std::bad_alloc at a node's first token. Lifetime: the token is told as long as some context or owner of this very
    /// node lives. The background's token can never be stopped.
    [[nodiscard]] std::stop_token stop_token() const;

    /// Sleeps, and wakes as soon as the context stops. True: slept to the end; false: it has stopped.
    /// Blocking: parks this thread, also if it is a worker of a pool. `forever` ends by a stop only.
    bool sleep_for(std::chrono::nanoseconds duration) const noexcept;
    /// As sleep_for, up to a moment of the steady clock.
    bool sleep_until(std::chrono::steady_clock::time_point moment) const noexcept;

    /// Are they the same node?
    friend bool operator==(const context& a, const context& b) noexcept { return a.node_ == b.node_; }

private:
    friend struct detail::context_access;
    explicit context(detail::context_node* adopted) noexcept : node_(adopted) {}
    void drop() noexcept;

    detail::context_node* node_ = nullptr;   // null: the background
};

/// Owns the right to cancel one node, and cancels it with errc::cancelled when it is destroyed or assigned over (C3).
/// Move-only; a moved-from owner owns nothing. Thread safety: cancel() and context() from any thread; moving, assigning and destroying
/// must not overlap with them.
class LASTLY_EXPORT [[nodiscard]] cancel_source {
public:
    cancel_source(cancel_source&&) noexcept = default;
    cancel_source& operator=(cancel_source&& other) noexcept;
    ~cancel_source();

    /// The node. Errors: std::logic_error if this owner was moved from.
    const lastly::context& context() const&;
    const lastly::context& context() const&& = delete;   // the temporary owner would cancel it at once

    /// Stops the node and everything below, with that cause (an empty one stands for errc::cancelled).
    /// Returns: true if this call was the one that did it; false if it had stopped, or this owner was moved from.
    /// When it returns, the node shows a stop. After true everything below does, too, and all its stop callbacks have run; of a part
    /// that another thread was cancelling already, that thread takes care.
    /// Blocking: for as long as callbacks take; else for moments only. Cost: O(nodes below), no allocation, no recursion.
    bool cancel(std::error_code cause = errc::cancelled) noexcept;

private:
    friend struct detail::context_access;
    explicit cancel_source(lastly::context owned) noexcept : context_(std::move(owned)) {}

    lastly::context context_;   // the background: owns nothing
};

/// A new node below `parent`, which it stops with; if that has stopped, the new node has stopped from the start, with its cause.
/// Errors: std::bad_alloc. Thread safety: any thread. Cost: one allocation and one short lock of the parent.
LASTLY_EXPORT cancel_source with_cancel(const context& parent = context::background());
/// As with_cancel; stops with errc::deadline_exceeded when `limit` has passed, 10 ms late at most on an idle machine (C5).
/// Zero or less: has stopped from the start. `forever`: no deadline of its own. A parent's earlier deadline counts.
/// Errors: std::bad_alloc; std::system_error if the process's timer thread cannot be started (the next call tries again).
LASTLY_EXPORT cancel_source with_timeout(const context& parent, std::chrono::nanoseconds limit);
/// As with_timeout, with a moment of the steady clock; `time_point::max()`: no deadline of its own.
LASTLY_EXPORT cancel_source with_deadline(const context& parent, std::chrono::steady_clock::time_point moment);

}   // namespace lastly
