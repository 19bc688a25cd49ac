// Tells a thread that is about to block in a submission when what it submits, or the task that it is, is asked to stop (A5).
// The blocking thread makes and destroys it; `told` runs on the thread that cancels, with no lock held, and has returned when the
// destructor has. Only for threads that block: it allocates.
#pragma once

#include "lastly/context.hpp"

#include <optional>
#include <stop_token>
#include <system_error>

namespace lastly::detail {

class stop_listener {
public:
    // Listens to `attached` and `group`, null for none, and to the task that runs on this thread, unless a finalizer does (C4).
    stop_listener(context_node* attached, context_node* group, void (*told)(void*), void* argument) noexcept;
    stop_listener(const stop_listener&) = delete;
    stop_listener& operator=(const stop_listener&) = delete;

    // Why the thread should not go on waiting: the stop's cause, or not_enough_memory if it cannot be told; empty as long as it may.
    std::error_code cause() const noexcept { return failed_ ? failed_ : heard_.cause(); }

private:
    struct call {
        void (*told)(void*);
        void* argument;
        void operator()() const noexcept { told(argument); }
    };
    void listen(context_node* attached, context_node* group, call tell);

    context heard_;
    std::optional<std::stop_callback<call>> callback_;
    std::error_code failed_;
};

}   // namespace lastly::detail
