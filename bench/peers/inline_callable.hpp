// A move-only callable with `Room` bytes inside, for the plain pool: what std::function would be with a larger buffer and no copies.
// Not shared between threads. Callables that are larger live on the heap; trivially copyable ones move as bytes, without a call.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace bench {

template <std::size_t Room>
class inline_callable {
public:
    inline_callable() noexcept = default;
    template <class F>
        requires(!std::is_same_v<std::decay_t<F>, inline_callable>)
    inline_callable(F&& f) {   // implicit, like std::function's
        using stored = std::decay_t<F>;
        if constexpr (fits<stored>) {
            ::new (static_cast<void*>(room_)) stored(std::forward<F>(f));
            ops_ = &inside<stored>;
        } else {
            stored* const owned = new stored(std::forward<F>(f));
            std::memcpy(room_, &owned, sizeof owned);
            ops_ = &outside<stored>;
        }
    }
    inline_callable(inline_callable&& from) noexcept { take(from); }
    inline_callable& operator=(inline_callable&& from) noexcept {
        if (this != &from) {
            reset();
            take(from);
        }
        return *this;
    }
    ~inline_callable() { reset(); }

    void operator()() { ops_->call(room_); }
    void reset() noexcept {
        if (ops_ != nullptr && ops_->destroy != nullptr) ops_->destroy(room_);
        ops_ = nullptr;
    }

private:
    struct operations {
        void (*call)(void*);
        void (*move)(void* to, void* from) noexcept;   // and destroys the source; null: as bytes
        void (*destroy)(void*) noexcept;               // null: nothing to do
    };
    template <class F>
    static constexpr bool fits = sizeof(F) <= Room && alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;
    template <class F>
    static constexpr bool plain = std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>;

    template <class F>
    static F& in(void* room) noexcept { return *std::launder(static_cast<F*>(room)); }
    template <class F>
    static F* owned_by(void* room) noexcept {
        F* owned;
        std::memcpy(&owned, room, sizeof owned);
        return owned;
    }
    template <class F>
    static void move_inside(void* to, void* from) noexcept {
        ::new (to) F(std::move(in<F>(from)));
        in<F>(from).~F();
    }
    template <class F>
    static void destroy_inside(void* room) noexcept { in<F>(room).~F(); }

    template <class F>
    static constexpr operations inside{[](void* room) { in<F>(room)(); }, plain<F> ? nullptr : &move_inside<F>,
                                       plain<F> ? nullptr : &destroy_inside<F>};
    template <class F>
    static constexpr operations outside{[](void* room) { (*owned_by<F>(room))(); }, nullptr,
                                        [](void* room) noexcept { delete owned_by<F>(room); }};

    void take(inline_callable& from) noexcept {
        ops_ = std::exchange(from.ops_, nullptr);
        if (ops_ == nullptr) return;
        if (ops_->move != nullptr) ops_->move(room_, from.room_);
        else std::memcpy(room_, from.room_, Room);
    }

    const operations* ops_ = nullptr;
    alignas(void*) std::byte room_[Room];
};

}   // namespace bench
