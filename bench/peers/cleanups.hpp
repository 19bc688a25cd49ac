// How users of a pool without finalizers get cleanups: they carry them in the task and call them at its end (`join`), or at its
// destruction if it may be dropped (`own`); those that a body decides on are guards in its block (`guarded`).
// Two ways: `boxed`, each a std::function<void()>, what one writes where cleanups of any kind are registered;
// `spelled_out`, each a callable of a known type that the compiler inlines, the least that can be done by hand.
// Values; no thread of their own.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

namespace bench {

template <class Cleanup>
class guard {
public:
    explicit guard(Cleanup c) : at_end_(std::move(c)) {}
    ~guard() { at_end_(); }
    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;

private:
    Cleanup at_end_;
};

// An array, not a tuple: the task stays trivially copyable where its parts are.
template <class Body, class Cleanup, std::size_t Count>
struct task_with_cleanups {
    Body body;
    std::array<Cleanup, Count> at_end;
    void operator()() const {
        body();
        [this]<std::size_t... I>(std::index_sequence<I...>) { (at_end[I](), ...); }(std::make_index_sequence<Count>());
    }
};

// One flag for all three: members that each know whether they were moved from would be larger.
template <class Body, class Cleanup>
class task_that_owns_cleanups {
public:
    task_that_owns_cleanups(Body body, Cleanup first, Cleanup second, Cleanup third)
        : body_(std::move(body)), first_(std::move(first)), second_(std::move(second)), third_(std::move(third)) {}
    task_that_owns_cleanups(task_that_owns_cleanups&& from) noexcept
        : body_(std::move(from.body_)), first_(std::move(from.first_)), second_(std::move(from.second_)), third_(std::move(from.third_)),
          owns_(std::exchange(from.owns_, false)) {}
    ~task_that_owns_cleanups() {
        if (!owns_) return;
        first_();
        second_();
        third_();
    }
    task_that_owns_cleanups(const task_that_owns_cleanups&) = delete;
    task_that_owns_cleanups& operator=(const task_that_owns_cleanups&) = delete;
    task_that_owns_cleanups& operator=(task_that_owns_cleanups&&) = delete;

    void operator()() const { body_(); }

private:
    Body body_;
    Cleanup first_;
    Cleanup second_;
    Cleanup third_;
    bool owns_ = true;
};

template <bool Boxed>
struct cleanups_by_hand {
    template <class C>
    using kept = std::conditional_t<Boxed, std::function<void()>, C>;

    template <class Body, class C, class... More>
    static auto join(Body body, C first, More... more) {
        return task_with_cleanups<Body, kept<C>, 1 + sizeof...(More)>{std::move(body), {first, more...}};
    }
    template <class Body, class C>
    static auto own(Body body, C a, C b, C c) {
        return task_that_owns_cleanups<Body, kept<C>>(body, a, b, c);
    }
    template <unsigned Count, class Body, class C>
    static void guarded(const Body& body, const C& c) {
        if constexpr (Count == 0) {
            body();
        } else {
            const guard<kept<C>> at_end(c);
            guarded<Count - 1>(body, c);
        }
    }
};
using boxed = cleanups_by_hand<true>;
using spelled_out = cleanups_by_hand<false>;

}   // namespace bench
