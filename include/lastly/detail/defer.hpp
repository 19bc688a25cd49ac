// Registering a finalizer from inside a body: the typed half of `defer`.
// The task's own thread only. Invariants: 1. Callable and arguments are copied or moved at the call (O5). 2. If that is not
// possible the callable runs at once, from the caller's arguments, and the call throws (A3): nothing is lost.
#pragma once

#include <lastly/detail/fault.hpp>
#include <lastly/detail/frame.hpp>
#include <lastly/outcome.hpp>

#include <functional>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lastly::detail {

// f(args...), else f(const outcome&, args...); arguments as rvalues, else as lvalues.
template <class F, class... Args>
void call_deferred(const outcome& o, F& f, Args&... args) {
    if constexpr (std::is_invocable_v<F&, Args&&...>) std::invoke(f, std::move(args)...);
    else if constexpr (std::is_invocable_v<F&, Args&...>) std::invoke(f, args...);
    else if constexpr (std::is_invocable_v<F&, const outcome&, Args&&...>) std::invoke(f, o, std::move(args)...);
    else {
        static_assert(std::is_invocable_v<F&, const outcome&, Args&...>,
                      "defer(f, args...): f takes the arguments, or a const outcome& and the arguments");
        std::invoke(f, o, args...);
    }
}

template <class... Stored>
struct deferred_call : chain_node {
    std::tuple<Stored...> parts;   // the callable first

    template <class... Given>
    explicit deferred_call(Given&&... given) : parts(std::forward<Given>(given)...) {}
    static void run(chain_node& n, const outcome& o) {
        std::apply([&o](auto& f, auto&... args) { call_deferred(o, f, args...); }, static_cast<deferred_call&>(n).parts);
    }
    static void end(chain_node& n) noexcept { static_cast<deferred_call&>(n).~deferred_call(); }
};

// A3: what cannot be stored runs now, with an outcome that says so.
template <class F, class... Args>
void run_immediately(run_record& r, std::error_code cause, F& f, Args&... args) {
    struct counted {
        run_record& r;
        bool threw = true;
        ~counted() { count_immediate(r, threw); }
    } count{r};
    if (LASTLY_FAULT("A3")) return;
    const unstorable_outcome told(cause);
    call_deferred(told.value, f, args...);
    count.threw = false;
}

template <class F, class... Args>
void defer_to(run_record& r, F&& f, Args&&... args) {
    if constexpr (sizeof...(Args) != 0 && std::is_invocable_v<std::decay_t<F>&, std::unwrap_reference_t<std::decay_t<Args>>&...>) {
        if (LASTLY_FAULT("O5")) return defer_to(r, std::forward<F>(f), std::ref(args)...);
    }
    using node = deferred_call<std::decay_t<F>, std::unwrap_ref_decay_t<Args>...>;
    static_assert(alignof(node) <= 64, "a deferred finalizer and its arguments are aligned to at most a cache line");
    chain_node* const place = reserve_node(r, sizeof(node), alignof(node));
    if (place == nullptr) {
        run_immediately(r, std::make_error_code(std::errc::not_enough_memory), f, args...);
        throw std::bad_alloc();
    }
    const std::size_t block_bytes = place->block_bytes;
    node* made;
    try {
        made = ::new (static_cast<void*>(place)) node(std::forward<F>(f), std::forward<Args>(args)...);
    } catch (...) {
        unreserve_node(r, place, block_bytes);
        run_immediately(r, errc::construction_failed, f, args...);
        throw;
    }
    made->block_bytes = block_bytes;
    made->call = &node::run;
    made->destroy = &node::end;
    link_node(r, *made);
}

}   // namespace lastly::detail
