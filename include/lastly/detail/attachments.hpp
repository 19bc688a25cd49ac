// The values that may follow a body: finalizers, a name and a context; and the parameter that was not given.
// They are moved into the task's frame at submission and then touched by the thread that runs the task only.
#pragma once

#include <lastly/outcome.hpp>

#include <cstdint>
#include <functional>
#include <type_traits>

namespace lastly {

namespace detail {

enum class when : std::uint8_t { always, on_success, on_failure, on_cancelled };

template <class F, class R>
inline constexpr bool takes_result = std::is_invocable_v<F&, R&>;
template <class F>
inline constexpr bool takes_outcome = std::is_invocable_v<F&, const outcome&>;

// A callable that runs once the task is over. Probed in this order: f(result<T>&), f(const outcome&), f().
template <class F, when When>
struct finalizer {
    F callable;

    template <class T>
    static constexpr bool accepts = std::disjunction_v<std::is_invocable<F&, result<T>&>, std::is_invocable<F&, const outcome&>, std::is_invocable<F&>>;   // a generic callable is asked with what it will get, and no further

    static bool applies(const outcome& o) noexcept {
        if constexpr (When == when::on_success) return o.succeeded();
        else if constexpr (When == when::on_failure) return o.failed();
        else if constexpr (When == when::on_cancelled) return o.cancelled() || o.rejected();
        else return true;
    }
    template <class T>
    void operator()(result<T>& r) {
        if (!applies(r)) return;
        if constexpr (takes_result<F, result<T>>) std::invoke(callable, r);
        else if constexpr (takes_outcome<F>) std::invoke(callable, static_cast<const outcome&>(r));
        else std::invoke(callable);
    }
};

struct task_name { const char* text; };   // a lastly::context is the third kind
struct none {};   // an attachment parameter that was not given

}   // namespace detail

}   // namespace lastly
