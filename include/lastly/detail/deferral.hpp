// The parts of a deferred finalizer, its callable and arguments, on their way from the caller into a node, and their call.
// The task's own thread only. Invariants: 1. Parts that may throw are built first, so that what was given away is still at hand
// when one does. 2. Only calls that the stored parts make are compiled: what fits these fits, whatever the caller's types are.
#pragma once

#include <lastly/detail/frame.hpp>
#include <lastly/outcome.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lastly::detail {

// How the callable is called, in the order of preference: the stored arguments given away or referred to; the same behind an outcome.
enum class call_form { moved, referred, moved_with_outcome, referred_with_outcome, none };
constexpr bool gives_away(call_form form) noexcept { return form == call_form::moved || form == call_form::moved_with_outcome; }
constexpr bool tells_outcome(call_form form) noexcept { return form >= call_form::moved_with_outcome; }

template <bool WithOutcome, class F, class... Kept>
constexpr call_form form_of() noexcept {
    if constexpr (std::is_invocable_v<F&, Kept&&...>) return call_form::moved;
    else if constexpr (std::is_invocable_v<F&, Kept&...>) return call_form::referred;
    else if constexpr (!WithOutcome) return call_form::none;
    else if constexpr (std::is_invocable_v<F&, const outcome&, Kept&&...>) return call_form::moved_with_outcome;
    else if constexpr (std::is_invocable_v<F&, const outcome&, Kept&...>) return call_form::referred_with_outcome;
    else return call_form::none;
}

// Handed: how each argument reaches the callable; all of them are lvalues here.
template <call_form Form, class... Handed, class F, class... Args>
void call_deferred([[maybe_unused]] const outcome& o, F& f, Args&... args) {
    if constexpr (tells_outcome(Form)) std::invoke(f, o, static_cast<Handed>(args)...);
    else std::invoke(f, static_cast<Handed>(args)...);
}

// A part of a node: room for a decayed copy, built and destroyed by hand; for std::ref a pointer. Alignment beyond a cache line
// is made at run time.
template <class T>
struct stored_part {
    using object = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>;
    static constexpr std::size_t alignment = alignof(object) < 64 ? alignof(object) : 64;
    alignas(alignment) std::byte room[sizeof(object) + alignof(object) - alignment];

    void* place() noexcept {
        if constexpr (alignof(object) <= 64) return room;
        else return room + (alignof(object) - reinterpret_cast<std::uintptr_t>(&room[0]) % alignof(object)) % alignof(object);
    }
    object& built() noexcept { return *std::launder(static_cast<object*>(place())); }
    std::remove_reference_t<T>& get() noexcept {
        if constexpr (std::is_reference_v<T>) return *built();
        else return built();
    }
    template <class Given>
    void build(Given&& given) {
        if constexpr (std::is_reference_v<T>) ::new (place()) object(std::addressof(given.get()));
        else ::new (place()) object(std::forward<Given>(given));
    }
    void end() noexcept { std::destroy_at(std::addressof(built())); }
};

template <std::size_t I, class T> struct numbered_part { stored_part<T> stored; };
template <std::size_t I, class T> stored_part<T>& stored_at(numbered_part<I, T>& p) noexcept { return p.stored; }

template <class Indices, class... Stored> struct stored_parts;
template <std::size_t... I, class... Stored>
struct stored_parts<std::index_sequence<I...>, Stored...> : numbered_part<I, Stored>... {
    void end() noexcept { (stored_at<I>(*this).end(), ...); }
};

template <call_form Form, class F, class... Kept>
struct deferred_call : chain_node {
    static constexpr bool is_trivial = std::is_trivially_destructible_v<F> && (std::is_trivially_destructible_v<typename stored_part<Kept>::object> && ...);
    stored_parts<std::index_sequence_for<F, Kept...>, F, Kept...> parts;   // the callable first

    static void run(chain_node& n, const outcome& o) {
        // What was stored is given away, once; what std::ref asked for is referred to.
        [&]<std::size_t... I>(auto& stored, std::index_sequence<I...>) {
            call_deferred<Form, std::conditional_t<gives_away(Form), Kept&&, Kept&>...>(o, stored_at<0>(stored).get(), stored_at<I + 1>(stored).get()...);
        }(static_cast<deferred_call&>(n).parts, std::index_sequence_for<Kept...>());
    }
    static void end(chain_node& n) noexcept { static_cast<deferred_call&>(n).parts.end(); }
};

// May parts of a call be const? Asked only where the answer compiles no body that the stored call does not compile: of a callable
// with one signature, or of a template with the arguments that the stored call deduces. Elsewhere it is no.
template <class F> concept has_one_signature = !std::is_class_v<F> || requires { &F::operator(); };
template <class Callee, class Deduced, class... Handed> inline constexpr bool fits_template = false;
template <class Callee, class... Deduced, class... Handed>
    requires requires(Callee f, Handed (&... handed)()) { f.template operator()<Deduced...>(handed()...); }
inline constexpr bool fits_template<Callee, std::tuple<Deduced...>, Handed...> = true;

template <bool WithOutcome, class Callee, class Kept, class... Handed> struct const_call;
template <bool WithOutcome, class Callee, class... Kept, class... Handed>
struct const_call<WithOutcome, Callee, std::tuple<Kept...>, Handed...> {
    static constexpr bool fits() noexcept {
        if constexpr (has_one_signature<std::remove_cvref_t<Callee>>) {
            if constexpr (WithOutcome) return std::is_invocable_v<Callee, const outcome&, Handed...>;
            else return std::is_invocable_v<Callee, Handed...>;
        } else if constexpr ((std::is_reference_v<Kept> || ...)) {
            return false;   // a reference is not what `const auto&` deduces
        } else if constexpr (WithOutcome) {
            return fits_template<Callee, std::tuple<Kept...>, const outcome&, Handed...> ||
                   fits_template<Callee, std::tuple<outcome, Kept...>, const outcome&, Handed...>;
        } else {
            return fits_template<Callee, std::tuple<Kept...>, Handed...>;
        }
    }
};

// One call of defer: the parts on their way from the caller into a node. Given and Kept: the callable first.
template <call_form Form, class Given, class Kept, class Indices> class deferral;
template <call_form Form, class... Given, class... Kept, std::size_t... I>
class deferral<Form, std::tuple<Given...>, std::tuple<Kept...>, std::index_sequence<I...>> {
public:
    using node = deferred_call<Form, Kept...>;

    deferral(node& n, Given&&... given) noexcept : node_(n), given_(std::forward<Given>(given)...) {}

    // Copies that may throw, then moves that may, then what cannot.
    void build() {
        (build_in_step<I, 0>(), ...);
        (build_in_step<I, 1>(), ...);
        (build_in_step<I, 2>(), ...);
    }
    void end_built() noexcept { ((is_built<I>() ? stored_at<I>(node_.parts).end() : void()), ...); }
    // A3: from what is left of the caller's own parts where they are of the stored type or fit as const, else from copies.
    void call(const outcome& o) {
        (copy_if_wanted<I>(), ...);
        [&]<std::size_t... A>(std::index_sequence<A...>) {
            call_deferred<Form, handed<as_const(), A + 1>...>(o, ready<0>(), ready<A + 1>()...);
        }(std::make_index_sequence<sizeof...(I) - 1>());
    }

private:
    static_assert(sizeof...(Given) <= 64, "defer takes at most 63 arguments");
    template <std::size_t P> using given_at = std::tuple_element_t<P, std::tuple<Given...>>;
    template <std::size_t P> using kept_at = std::tuple_element_t<P, std::tuple<Kept...>>;
    static constexpr std::uint64_t bit(std::size_t p) noexcept { return std::uint64_t{1} << p; }

    template <std::size_t P>
    static constexpr int step_of() noexcept {
        if constexpr (std::is_reference_v<kept_at<P>>) return 2;
        else if constexpr (std::is_nothrow_constructible_v<kept_at<P>, given_at<P>&&>) return 2;
        else return std::is_same_v<given_at<P>, kept_at<P>> ? 1 : 0;
    }
    template <std::size_t P, int Step>
    void build_in_step() {
        if constexpr (step_of<P>() == Step) build_part<P>();
    }
    template <std::size_t P>
    void build_part() {
        stored_at<P>(node_.parts).build(static_cast<given_at<P>&&>(std::get<P>(given_)));
        built_ |= bit(P);
    }
    template <std::size_t P> bool is_built() const noexcept { return (built_ & bit(P)) != 0; }

    enum class source { own, own_as_const, copied };
    template <std::size_t P>
    static constexpr source wanted() noexcept {
        using object = std::remove_reference_t<given_at<P>>;
        constexpr bool may_change = P == 0 || !gives_away(Form) || !std::is_lvalue_reference_v<given_at<P>>;
        if constexpr (std::is_reference_v<kept_at<P>> || (std::is_same_v<object, kept_at<P>> && may_change)) return source::own;
        else return std::is_same_v<std::remove_const_t<object>, kept_at<P>> ? source::own_as_const : source::copied;
    }
    template <std::uint64_t Const, std::size_t P>
    using handed = std::conditional_t<(Const & bit(P)) != 0, const kept_at<P>&,
                                      std::conditional_t<gives_away(Form) && P != 0, kept_at<P>&&, kept_at<P>&>>;
    template <std::uint64_t Const>
    static constexpr bool fits() noexcept {
        return []<std::size_t... A>(std::index_sequence<A...>) {
            return const_call<tells_outcome(Form), handed<Const, 0>, std::tuple<kept_at<A + 1>...>, handed<Const, A + 1>...>::fits();
        }(std::make_index_sequence<sizeof...(I) - 1>());
    }
    template <std::uint64_t Const, std::size_t P>
    static constexpr std::uint64_t with_const_from() noexcept {
        if constexpr (P == sizeof...(I)) return Const;
        else if constexpr (wanted<P>() != source::own_as_const) return with_const_from<Const, P + 1>();
        else if constexpr (fits<(Const | bit(P))>()) return with_const_from<(Const | bit(P)), P + 1>();
        else return with_const_from<Const, P + 1>();
    }
    static constexpr std::uint64_t as_const() noexcept { return with_const_from<0, 0>(); }
    template <std::size_t P>
    static constexpr bool is_copied() noexcept { return wanted<P>() != source::own && (as_const() & bit(P)) == 0; }

    template <std::size_t P>
    void copy_if_wanted() {
        if constexpr (is_copied<P>()) {
            if (!is_built<P>()) build_part<P>();
        }
    }
    template <std::size_t P>
    auto& ready() noexcept {
        if constexpr (is_copied<P>()) return stored_at<P>(node_.parts).get();
        else if constexpr (std::is_reference_v<kept_at<P>>) return std::get<P>(given_).get();
        else if constexpr ((as_const() & bit(P)) != 0) return std::as_const(std::get<P>(given_));
        else if constexpr (step_of<P>() == 1) return is_built<P>() ? stored_at<P>(node_.parts).get() : std::get<P>(given_);   // moved already
        else return std::get<P>(given_);
    }

    node& node_;
    std::tuple<Given&&...> given_;
    std::uint64_t built_ = 0;
};

}   // namespace lastly::detail
