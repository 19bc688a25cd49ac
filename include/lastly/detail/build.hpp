// Making a task's frame out of a body and its attachments.
// Any thread; the frame is in the caller's hand. Invariant: whatever throws on the way, every finalizer of the call runs
// exactly once (A1): from the frame if it was moved in, else from the caller's argument.
#pragma once

#include <lastly/detail/typed_frame.hpp>

namespace lastly::detail {

// The frame of a submission that could not be built is refused within these two; `cause` is set in the record.
LASTLY_EXPORT void begin_refusal(run_record& r, pool_core* pool) noexcept;
LASTLY_EXPORT void end_refusal(run_record& r) noexcept;
[[noreturn]] LASTLY_EXPORT void throw_rejected(std::error_code cause);

[[gnu::always_inline]] inline void prepare_frame(frame& f, const frame_ops& ops, creation_site site) noexcept {
    const std::uint64_t last = f.generation();
    const std::uint64_t next = last != 0 ? last + 1 : first_generation(f);
    f.progress.store(make_progress(next, 0, ops.attached, phase::building), release);   // order: [F2] a walker that sees a newer field sees that this frame is building
    // order (block): [F2] each newer field shows the walker the building phase stored before it
    f.owner.store(nullptr, release);
    f.ops.store(&ops, release);
    f.state.store(0, release);
    f.line.store(site.line, release);
    f.file.store(site.file, release);
}

inline void store_name(frame& f, const char* text) noexcept {
    reinterpret_cast<name_slot*>(f.at(sizeof(frame)))->store(text, release);   // order: [F2] a walker that sees the name sees the building phase
}

template <bool Handle, class Body, class... A>
class frame_builder {
    using stored_body = std::decay_t<Body>;
    using value = body_result_t<Body>;
    using list = attachment_list<A...>;
    using layout = typed_frame<Handle, value, stored_body, attachment_list<A...>>;
    using indices = std::make_index_sequence<list::finalizers>;
    static_assert(std::is_constructible_v<stored_body, Body>, "the body must be movable, or copyable, into the task");

public:
    frame_builder(Body& body, A&... attachments) noexcept : body_(body), attachments_(attachments...) {}

    // The frame, ready to be submitted; throws after the chain has run.
    frame& build(pool_core* pool, creation_site site) {
        check_finalizers(indices());
        frame* const f = allocate_frame(layout::ops.size);
        if (f == nullptr) {
            const std::error_code cause = std::make_error_code(std::errc::not_enough_memory);
            do_in_passing([&] { refuse(nullptr, 0, false, pool, site, cause); });   // the submission may lie within a catch
            throw_rejected(cause);
        }
        prepare_frame(*f, layout::ops, site);
        if constexpr (list::names != 0) store_name(*f, name());
        if constexpr (list::contexts != 0) ::new (static_cast<void*>(&context_in(*f))) context(observed());
        std::size_t built = 0;
        bool has_body = false;
        try {
            ::new (static_cast<void*>(part_at<stored_body>(*f, layout::where.body))) stored_body(std::forward<Body>(body_));
            has_body = true;
            build_finalizers(*f, built, indices());
        } catch (...) {
            const unbuilt goes{*f};
            do_in_passing([&] { refuse(f, built, has_body, pool, site, errc::construction_failed); });
            throw;
        }
        return *f;
    }

private:
    template <std::size_t... I>
    static constexpr void check_finalizers(std::index_sequence<I...>) noexcept {
        static_assert((list::template at<I>::template accepts<value> && ...),
                      "a finalizer takes result<T>&, const outcome& or nothing");
    }
    template <std::size_t... I>
    void build_finalizers(frame& f, std::size_t& built, std::index_sequence<I...>) {
        (build_one<I>(f, built), ...);
    }
    template <std::size_t I>
    void build_one(frame& f, std::size_t& built) {
        using type = typename list::template at<I>;
        ::new (static_cast<void*>(part_at<type>(f, layout::where.finalizer[I]))) type(std::forward<given<I>>(argument<I>()));
        ++built;
    }
    // The run of the chain of a submission that could not be built: its finalizers lie in the frame, as far as they were built, or in the call's
    // arguments.
    struct refusal : refusal_record {
        frame_builder& from;
        const std::size_t built;
        const bool has_body;
        outcome_access::on_stack<value> local;

        refusal(frame_builder& builder, frame* f, std::size_t parts, bool body) noexcept : from(builder), built(parts), has_body(body) {
            task = shown = f;
            start = false;
            rejected = finalizing = true;
            name = builder.name();
            attached = attached_pending = list::finalizers;
            body_chain.result = &local.value;
            finish_chain = [](refusal_record& r) { static_cast<refusal&>(r).run_chain(indices()); };
        }
        ~refusal() { end_refusal(*this); }
        refusal(const refusal&) = delete;
        refusal& operator=(const refusal&) = delete;

        // From the cursor on.
        template <std::size_t... I>
        void run_chain(std::index_sequence<I...> all) {
            with_rest([this] {
                show_pending(*this);
                ((list::finalizers - 1 - I < attached_pending ? run_one<list::finalizers - 1 - I>() : void()), ...);
                if (!abandoned && !std::exchange(is_destroyed, true)) {
                    if (has_body) std::destroy_at(std::addressof(layout::body(*task)));
                    ((I < built ? std::destroy_at(std::addressof(layout::template finalizer_at<I>(*task))) : void()), ...);
                }
                layout::run_rest(local.value, *this);
            }, [this, all] { run_chain(all); });
        }
        template <std::size_t I>
        void run_one() {
            using type = typename list::template at<I>;
            if (I < built) layout::run_one(layout::template finalizer_at<I>(*task), I, task, local.value, *this);
            else layout::run_one(const_cast<type&>(static_cast<const type&>(from.template argument<I>())), I, task, local.value, *this);
        }
    };

    void refuse(frame* f, std::size_t built, bool has_body, pool_core* pool, creation_site site, std::error_code cause) {
        refusal r(*this, f, built, has_body);
        r.cause = cause;
        r.site = site;
        outcome_access::reject(r.local.value, cause);
        begin_refusal(r, pool);
        r.run_chain(indices());
    }

    // A frame that was not built to its end; also when the thread is left.
    struct unbuilt {
        frame& f;
        ~unbuilt() {
            if constexpr (list::contexts != 0) std::destroy_at(&context_in(f));
            f.show(phase::free, 0, 0);
            release_frame(f, layout::ops.size);
        }
    };

    template <std::size_t I> using given = std::tuple_element_t<list::index[I], std::tuple<A...>>;
    template <std::size_t I> auto& argument() noexcept { return std::get<list::index[I]>(attachments_); }
    const char* name() const noexcept {
        const char* text = nullptr;
        std::apply([&text](const auto&... a) { (take_name(text, a), ...); }, attachments_);
        return text;
    }
    const context& observed() const noexcept {
        const context* found = nullptr;
        std::apply([&found](const auto&... a) { (take_context(found, a), ...); }, attachments_);
        return *found;
    }
    template <class T> static void take_context(const context*&, const T&) noexcept {}
    static void take_context(const context*& found, const context& c) noexcept { found = &c; }
    template <class T> static void take_name(const char*&, const T&) noexcept {}
    static void take_name(const char*& text, const task_name& n) noexcept { text = n.text; }

    std::remove_reference_t<Body>& body_;
    std::tuple<std::conditional_t<std::is_same_v<std::decay_t<A>, none>, none, std::remove_reference_t<A>&>...> attachments_;   // nothing to refer to where none was given
};

}   // namespace lastly::detail
