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

// f(args...), else f(const outcome&, args...). Each of A says how its argument is handed over: T&& moved, T& referred to.
template <class... A> struct handed_over {
    template <class F> static constexpr bool fits = std::is_invocable_v<F&, A...>;
    template <class F> static constexpr bool fits_with_outcome = std::is_invocable_v<F&, const outcome&, A...>;
    template <class F, class... Args>
    static void call(F& f, Args&... args) { std::invoke(f, static_cast<A>(args)...); }
    template <class F, class... Args>
    static void call_with_outcome(const outcome& o, F& f, Args&... args) { std::invoke(f, o, static_cast<A>(args)...); }
};
// Tries First, then the others, without and then with the outcome.
template <class First, class Second, class Third, class F, class... Args>
void call_deferred(const outcome& o, F& f, Args&... args) {
    if constexpr (First::template fits<F>) First::call(f, args...);
    else if constexpr (Second::template fits<F>) Second::call(f, args...);
    else if constexpr (Third::template fits<F>) Third::call(f, args...);
    else if constexpr (First::template fits_with_outcome<F>) First::call_with_outcome(o, f, args...);
    else if constexpr (Second::template fits_with_outcome<F>) Second::call_with_outcome(o, f, args...);
    else {
        static_assert(Third::template fits_with_outcome<F>, "defer(f, args...): f takes the arguments, or a const outcome& and the arguments");
        Third::call_with_outcome(o, f, args...);
    }
}

template <class... Stored>
struct deferred_call : chain_node {
    std::tuple<Stored...> parts;   // the callable first

    template <class... Given>
    explicit deferred_call(Given&&... given) : parts(std::forward<Given>(given)...) {}
    static void run(chain_node& n, const outcome& o) {
        run_parts(o, static_cast<deferred_call&>(n).parts, static_cast<std::tuple<Stored...>*>(nullptr));
    }
    // What was stored is given away, once; what std::ref asked for is referred to.
    template <class F, class... Kept>
    static void run_parts(const outcome& o, std::tuple<Stored...>& parts, std::tuple<F, Kept...>*) {
        using moved = handed_over<Kept&&...>;
        using referred = handed_over<Kept&...>;
        std::apply([&o](auto& f, auto&... args) { call_deferred<moved, referred, referred>(o, f, args...); }, parts);
    }
    static void end(chain_node& n) noexcept { static_cast<deferred_call&>(n).~deferred_call(); }
};

// A3: what cannot be stored runs now, shielded, with an outcome that says so; from the caller's arguments, as they were given.
template <class... Given, class F, class... Args>
void run_immediately(run_record& r, std::error_code cause, F& f, Args&... args) {
    struct counted {
        run_record& r;
        bool was_finalizing = std::exchange(r.finalizing, true);
        bool threw = true;
        ~counted() {
            r.finalizing = was_finalizing;
            count_immediate(r, threw);
        }
    } count{r};
    if (LASTLY_FAULT("A3")) return;
    const unstorable_outcome told(cause);
    call_deferred<handed_over<Given...>, handed_over<Args&...>, handed_over<Args&&...>>(told.value, f, args...);
    count.threw = false;
}

template <class T> T& unwrapped(T& argument) noexcept { return argument; }
template <class T> T& unwrapped(std::reference_wrapper<T>& argument) noexcept { return argument.get(); }
template <class T> T& unwrapped(const std::reference_wrapper<T>& argument) noexcept { return argument.get(); }
// How an argument of defer was given: Arg&&, or a reference for std::ref.
template <class Arg> struct given { using type = Arg&&; };
template <class T> struct given<std::reference_wrapper<T>> { using type = T&; };
template <class Arg>
using given_t = typename given<std::conditional_t<std::is_same_v<std::unwrap_ref_decay_t<Arg>, std::decay_t<Arg>>, Arg, std::decay_t<Arg>>>::type;

// Copies that may throw are made before anything is moved, so that what was to be moved is still there if one does.
template <class T>
using staged_t = std::conditional_t<std::is_lvalue_reference_v<T> && !std::is_nothrow_constructible_v<std::decay_t<T>, T>, std::decay_t<T>, T&&>;

template <class F, class... Args>
void defer_to(run_record& r, F&& f, Args&&... args) {
    if constexpr (sizeof...(Args) != 0 && std::is_invocable_v<std::decay_t<F>&, std::unwrap_reference_t<std::decay_t<Args>>&...>) {
        if (LASTLY_FAULT("O5")) return defer_to(r, std::forward<F>(f), std::ref(args)...);
    }
    using node = deferred_call<std::decay_t<F>, std::unwrap_ref_decay_t<Args>...>;
    static_assert(alignof(node) <= 64, "a deferred finalizer and its arguments are aligned to at most a cache line");
    chain_node* const place = reserve_node(r, sizeof(node), alignof(node));
    if (place == nullptr) {
        run_immediately<given_t<Args>...>(r, std::make_error_code(std::errc::not_enough_memory), f, unwrapped(args)...);
        throw std::bad_alloc();
    }
    const std::size_t block_bytes = place->block_bytes;
    node* made;
    try {
        std::tuple<staged_t<F>, staged_t<Args>...> staged(std::forward<F>(f), std::forward<Args>(args)...);
        made = [&]<std::size_t... I>(std::index_sequence<I...>) {
            return ::new (static_cast<void*>(place)) node(std::get<I>(std::move(staged))...);
        }(std::index_sequence_for<F, Args...>());
    } catch (...) {
        unreserve_node(r, place, block_bytes);
        run_immediately<given_t<Args>...>(r, errc::construction_failed, f, unwrapped(args)...);
        throw;
    }
    made->block_bytes = block_bytes;
    made->call = &node::run;
    made->destroy = &node::end;
    link_node(r, *made);
}

}   // namespace lastly::detail
