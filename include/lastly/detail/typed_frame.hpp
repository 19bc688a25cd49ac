// A task's frame as its type knows it: where body, result, name and finalizers lie behind the header, and how they run.
// Runs on the thread that holds the frame. Attached finalizers are called directly: the compiler sees through all of them.
// Invariants: 1. The order of a run is O1, O2, O3; the outcome is published by the caller afterwards (O4). 2. The cursor
// (attached pending) is lowered before each call, so that whoever must finish the chain never calls one twice.
#pragma once

#include <lastly/detail/attachments.hpp>
#include <lastly/detail/fault.hpp>
#include <lastly/detail/frame.hpp>

#include <array>
#include <functional>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lastly {

class task_context;

namespace detail {

template <class A> inline constexpr bool is_finalizer = false;
template <class F, when When> inline constexpr bool is_finalizer<finalizer<F, When>> = true;
template <class A> inline constexpr bool is_name = std::is_same_v<A, task_name>;
template <class A> inline constexpr bool is_context = std::is_same_v<A, context>;
template <class A> inline constexpr bool is_attachment = is_finalizer<A> || is_name<A> || is_context<A> || std::is_same_v<A, none>;

// R body(task_context&), else R body(). Friendly to substitution: no member where the body fits neither.
template <class Body, class = void> struct body_result {};
template <class Body>
struct body_result<Body, std::enable_if_t<std::is_invocable_v<Body, task_context&>>> {
    using type = std::remove_cv_t<std::invoke_result_t<Body, task_context&>>;
};
template <class Body>
struct body_result<Body, std::enable_if_t<!std::is_invocable_v<Body, task_context&> && std::is_invocable_v<Body>>> {
    using type = std::remove_cv_t<std::invoke_result_t<Body>>;
};
template <class Body> using body_result_t = typename body_result<std::decay_t<Body>>::type;

// Which of a submission's attachments are finalizers, in the order of the call.
template <class... A>
struct attachment_list {
    static constexpr std::size_t finalizers = (std::size_t{0} + ... + std::size_t{is_finalizer<std::decay_t<A>>});
    static constexpr std::size_t names = (std::size_t{0} + ... + std::size_t{is_name<std::decay_t<A>>});
    static constexpr std::size_t contexts = (std::size_t{0} + ... + std::size_t{is_context<std::decay_t<A>>});
    static constexpr std::array<std::size_t, finalizers + 1> index = [] {
        std::array<std::size_t, finalizers + 1> places{};
        std::size_t found = 0, place = 0;
        ((is_finalizer<std::decay_t<A>> ? void(places[found++] = place) : void(), ++place), ...);
        return places;
    }();
    template <std::size_t I> using at = std::decay_t<std::tuple_element_t<index[I], std::tuple<A...>>>;
    static_assert((is_attachment<std::decay_t<A>> && ...),
                  "after the body come attachments: finally(...), on_success(...), on_failure(...), on_cancelled(...), named(...), a lastly::context");
    static_assert(names <= 1, "a task has at most one name");
    static_assert(contexts <= 1, "a task observes at most one context besides its group's and its pool's");
};

// Where the parts of a frame lie. Alignment beyond a cache line is made at run time, with room to spare.
struct layout_cursor {
    std::size_t offset;
    constexpr std::size_t place(std::size_t size, std::size_t align) noexcept {
        const std::size_t step = align < 64 ? align : 64;
        const std::size_t at = (offset + step - 1) / step * step;
        offset = at + size + (align > 64 ? align - 64 : 0);
        return at;
    }
};
template <class T>
T* part_at(frame& f, std::size_t offset) noexcept {
    std::byte* place = f.at(offset);
    if constexpr (alignof(T) > 64) {
        const auto address = reinterpret_cast<std::uintptr_t>(place);
        place += (alignof(T) - address % alignof(T)) % alignof(T);
    }
    return reinterpret_cast<T*>(place);
}

template <bool Handle, class R, class Body, class List> struct typed_frame;

template <bool Handle, class R, class Body, class... A>
struct typed_frame<Handle, R, Body, attachment_list<A...>> {
    using list = attachment_list<A...>;
    static constexpr std::size_t count = list::finalizers;

    struct places {
        std::size_t result = 0, body = 0, end = 0;
        std::array<std::size_t, count + 1> finalizer{};
    };
    static constexpr places where = [] {
        places p;
        layout_cursor at{end_of_context(list::names != 0, list::contexts != 0) + (Handle ? sizeof(stop_slot) : 0)};
        if constexpr (Handle) p.result = at.place(sizeof(result<R>), alignof(result<R>));
        p.body = at.place(sizeof(Body), alignof(Body));
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((p.finalizer[I] = at.place(sizeof(typename list::template at<I>), alignof(typename list::template at<I>))), ...);
        }(std::make_index_sequence<count>());
        p.end = at.offset;
        return p;
    }();
    static_assert(where.end < (std::size_t{1} << 24), "a task with its captures, result and finalizers takes at most 16 MiB");

    // Nothing is left to do for body, finalizers and a value that no handle takes.
    static constexpr bool ends_trivially = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::is_trivially_destructible_v<Body> && (std::is_trivially_destructible_v<typename list::template at<I>> && ...) && (Handle || std::is_void_v<R>);
    }(std::make_index_sequence<count>());

    static Body& body(frame& f) noexcept { return *part_at<Body>(f, where.body); }
    template <std::size_t I>
    static auto& finalizer_at(frame& f) noexcept { return *part_at<typename list::template at<I>>(f, where.finalizer[I]); }
    static result<R>& result_in(frame& f) noexcept { return *part_at<result<R>>(f, where.result); }
    static outcome* outcome_in(frame& f) { return &result_in(f); }

    static void execute(frame& f, run_record& r) {
        r.task = r.shown = &f;
        r.body_chain.spare = f.at((where.end + alignof(chain_node) - 1) / alignof(chain_node) * alignof(chain_node));
        r.body_chain.spare_end = f.at(ops.size.usable);
        r.attached_pending = ops.attached;
        if constexpr (Handle) {
            outcome_access::construct<R>(part_at<result<R>>(f, where.result));
            run(f, result_in(f), r);
        } else {
            outcome_access::on_stack<R> local;
            run(f, local.value, r);
        }
    }

    [[gnu::always_inline]] static void run(frame& f, result<R>& res, run_record& r) {
        r.body_chain.result = &res;
        std::conditional_t<(sizeof(Body) > 0), task_context, void> context(r);   // finalizers that the body registers may use it, too
        if (r.start) run_body(f, res, r, context);
        else if (r.rejected) outcome_access::reject(res, r.cause);
        else outcome_access::cancel(res, r.cause);
        if (LASTLY_FAULT("O3")) destroy_parts(f, std::make_index_sequence<count>());
        run_chain(f, res, r);
    }
    // What is left of the chain, from the cursor on.
    static void run_chain(frame& f, result<R>& res, run_record& r) {
        r.finalizing = r.body_is_over = true;
        if (r.is_touched) f.show(phase::finalizing, r.body_chain.deferred_pending, r.attached_pending);
        else if (count != 0 || (!r.start && !(ends_trivially && r.is_dropped))) f.show_phase(phase::finalizing);   // not where nobody's code will run
        if (!LASTLY_FAULT("O2")) run_pending(res, r);
        run_attached(f, res, r, std::make_index_sequence<count>());
        if (LASTLY_FAULT("O2")) run_pending(res, r);
        if constexpr (!ends_trivially) {
            if (!r.abandoned && !std::exchange(r.is_destroyed, true)) {
                if (!LASTLY_FAULT("O3")) destroy_parts(f, std::make_index_sequence<count>());
                if constexpr (!Handle) outcome_access::drop_value(res);
            }
        }
        run_rest(res, r);   // what destructors registered
        r.ended = LASTLY_FAULT("L5") ? outcome_kind::succeeded : res.kind();
        if (res.succeeded() || (r.is_dropped && !res.failed())) return;
        if (settle(r)) run_rest(res, r);   // what the sink, or a stop callback of the group, registered
    }
    static void run_rest(result<R>& res, run_record& r) {
        if (!r.is_touched) return;
        while (r.body_chain.deferred != nullptr || r.body_chain.spent != nullptr || r.body_chain.early != nullptr) {
            run_pending(res, r);
            if (r.abandoned) r.body_chain.spent = nullptr;   // one of them may be what left the run
            else destroy_spent(r);
        }
    }
    static void finish(frame& f, run_record& r) {
        run_chain(f, static_cast<result<R>&>(*r.body_chain.result), r);
        r.body_chain.reported = r.told_before = nullptr;   // whoever takes the error next holds it alone (O4)
    }

    template <class Context>
    [[gnu::always_inline]] static void run_body(frame& f, result<R>& res, run_record& r, Context& context) {
        f.show_phase(phase::running);
        outcome_access::started(res);
        try {
            if constexpr (std::is_void_v<R>) {
                call_body(f, context);   // as it was made, the outcome says that it succeeded
            } else if (LASTLY_FAULT("O1")) {
                static_cast<void>(call_body(f, context));
            } else {
                outcome_access::succeed(res, call_body(f, context));
            }
        } catch (...) {
            if (is_forced_unwind()) {   // the chain runs while the thread unwinds (P4)
                body_left_thread(r);
                do_in_passing([&] { f.type().finish(f, r); });
                throw;
            }
            body_threw(r);
        }
    }
    template <class Context>
    static decltype(auto) call_body(frame& f, [[maybe_unused]] Context& context) {
        if constexpr (std::is_invocable_v<Body, task_context&>) return std::invoke(std::move(body(f)), context);
        else return std::invoke(std::move(body(f)));
    }

    static void run_pending(result<R>& res, run_record& r) {
        if (!r.is_touched || (r.body_chain.deferred == nullptr && r.body_chain.early == nullptr)) return;
        if (r.body_chain.early != nullptr) settle_early(r);
        run_deferred(r);
        if (!res.succeeded()) outcome_access::drop_value(res);
    }

    template <std::size_t... I>
    static void run_attached(frame& f, result<R>& res, run_record& r, std::index_sequence<I...>) {
        ((count - 1 - I < r.attached_pending ? run_one(finalizer_at<count - 1 - I>(f), count - 1 - I, &f, res, r) : void()), ...);   // last listed first
    }
    template <class Finalizer>
    [[gnu::always_inline]] static void run_one(Finalizer& callable, std::size_t position, frame* f, result<R>& res, run_record& r) {
        r.attached_pending = static_cast<std::uint8_t>(position);
        if (f != nullptr) f->show_attached(position);
        if (LASTLY_FAULT("G2") && !r.start) return;
        if (!LASTLY_FAULT("L3-run")) ++r.run;
        try {
            callable(res);
            if (LASTLY_FAULT("G1")) callable(res);
            if (!LASTLY_FAULT("L3-returned")) ++r.returned;
        } catch (...) {
            if (attached_threw(r, f)) throw;
            if (!res.succeeded()) outcome_access::drop_value(res);
        }
        run_pending(res, r);
    }

    template <std::size_t... I>
    static void destroy_parts(frame& f, std::index_sequence<I...>) noexcept {
        if (!LASTLY_FAULT("L4")) std::destroy_at(std::addressof(body(f)));
        (std::destroy_at(std::addressof(finalizer_at<I>(f))), ...);
    }
    static void destroy_result(frame& f) {
        if constexpr (Handle) std::destroy_at(std::addressof(result_in(f)));
    }

    static constexpr frame_ops ops{
        &execute,
        &finish,
        Handle ? &destroy_result : nullptr,
        Handle ? &outcome_in : nullptr,
        {kind_of(list::names != 0), where.end},
        static_cast<std::uint8_t>(count),
        list::names != 0,
        Handle,
        list::contexts != 0,
    };
};

}   // namespace detail

}   // namespace lastly
