// Registering a finalizer from inside a body: the typed half of `defer`.
// The task's own thread only. Invariants: 1. Callable and arguments are copied or moved at the call (O5). 2. If that is not
// possible the callable runs at once, and the call throws (A3): nothing is lost.
#pragma once

#include <lastly/detail/deferral.hpp>
#include <lastly/detail/fault.hpp>
#include <lastly/detail/fork.hpp>
#include <lastly/detail/frame.hpp>
#include <lastly/detail/thread_block.hpp>
#include <lastly/outcome.hpp>

#include <cstddef>
#include <functional>
#include <new>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lastly::detail {

// Where a finalizer is registered: a task's own chain. (A block's: defer_frame.hpp.)
struct task_chain {
    static constexpr bool with_outcome = true;
    static constexpr bool fails_the_task = true;

    run_record& run;
    chain_state& chain = *run.chain;

    // In the spare room of the frame, or of the branch's scope, first; then in the record's, then in a block.
    node_room reserve(std::size_t size_bytes, std::size_t alignment) const noexcept {
        const std::size_t rounded = (size_bytes + alignof(chain_node) - 1) / alignof(chain_node) * alignof(chain_node);
        if (alignment > alignof(chain_node) || static_cast<std::size_t>(chain.spare_end - chain.spare) < rounded) return reserve_elsewhere(run, rounded, alignment);
        return {std::exchange(chain.spare, chain.spare + rounded), 0};
    }
    void link(chain_node& n) const noexcept {
        chain_node** place = &chain.deferred;
        while (LASTLY_FAULT("O2-lifo") && *place != nullptr) place = &(*place)->next;
        n.next = *place;
        *place = &n;
        if (!LASTLY_FAULT("L3-attached")) ++run.attached;
        run.is_touched = true;
        const std::size_t length = ++chain.deferred_pending;
        show_one_more(run);
        if (LASTLY_FAULT("G4") && !run.finalizing) run_deferred(run);
        if (length > run.long_at) warn_of_length(run, length);
    }
};

// The record whose chain a finalizer joins: `wanted`, if that is what runs here.
[[gnu::always_inline]] inline run_record& run_to_defer_to(run_record* wanted) {
    if (wanted == nullptr || wanted != this_thread.current || LASTLY_FAULT("B2")) return find_run_to_defer_to(wanted);
    if (wanted->scope != nullptr && !wanted->scope->is(branch_scope::open)) wanted->scope->open_chain();
    return *wanted;
}

// A3: runs now, shielded, with an outcome that says so. Its own exception is the sink's and the task's (E4), not the caller's.
template <class Chain, class Deferral>
void run_immediately(Chain chain, std::error_code cause, Deferral& d) {
    const bool was_finalizing = begin_early(chain.run);
    nothing_caught here;   // the call may lie within a catch
    try {
        const unstorable_outcome told(cause);
        if (!LASTLY_FAULT("A3")) d.call(told.value);
        ++chain.run.returned;
    } catch (...) {
        if (is_forced_unwind()) {   // P4
            finalizer_left_thread(chain.run);
            end_early(chain.run, was_finalizing);
            d.end_built();
            throw;
        }
        early_threw(chain.run, Chain::fails_the_task);
    }
    here.restore();
    end_early(chain.run, was_finalizing);
    d.end_built();
}

// Out of line: the copies that an argument may need lie in a node on the stack.
template <class Chain, class Deferral, class... Given>
[[noreturn, gnu::noinline, gnu::cold]] void defer_without_memory(Chain chain, Given&&... given) {
    typename Deferral::node on_stack;
    Deferral d(on_stack, std::forward<Given>(given)...);
    run_immediately(chain, std::make_error_code(std::errc::not_enough_memory), d);
    throw std::bad_alloc();
}

template <class Chain, class F, class... Args>
[[gnu::always_inline]] inline void defer_to(Chain chain, F&& f, Args&&... args) {
    constexpr call_form form = form_of<Chain::with_outcome, std::decay_t<F>, std::unwrap_ref_decay_t<Args>...>();
    static_assert(form != call_form::none,
                  "defer(f, args...): f takes the arguments as they are when stored: decayed copies, given away or as lvalues; std::ref asks "
                  "for a reference. A finalizer of a task, not one of a defer_frame, may take a const outcome& before them");
    if constexpr (form != call_form::none) {
        if constexpr ((!std::is_reference_v<std::unwrap_ref_decay_t<Args>> || ...) && has_one_signature<std::decay_t<F>>) {
            if constexpr (form_of<Chain::with_outcome, std::decay_t<F>, std::remove_reference_t<Args>&...>() != call_form::none) {
                if (LASTLY_FAULT("O5")) return defer_to(chain, std::forward<F>(f), std::ref(args)...);
            }
        }
        using parts = deferral<form, std::tuple<F, Args...>, std::tuple<std::decay_t<F>, std::unwrap_ref_decay_t<Args>...>,
                               std::index_sequence_for<F, Args...>>;
        using node = typename parts::node;
        const node_room room = chain.reserve(sizeof(node), alignof(node));
        if (room.place == nullptr) defer_without_memory<Chain, parts>(chain, std::forward<F>(f), std::forward<Args>(args)...);
        node* const made = ::new (room.place) node;
        parts deferred(*made, std::forward<F>(f), std::forward<Args>(args)...);
        try {
            deferred.build();
        } catch (...) {
            const struct unreserved {
                node_room room;
                ~unreserved() { unreserve_node(room); }
            } after{room};
            run_immediately(chain, errc::construction_failed, deferred);
            throw;
        }
        made->block_bytes = room.block_bytes;
        made->call = &node::run;
        made->destroy = node::is_trivial ? nullptr : &node::end;
        chain.link(*made);
    }
}

}   // namespace lastly::detail
