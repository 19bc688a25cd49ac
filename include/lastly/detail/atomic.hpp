// An atomic object whose every operation names its memory order: there is no default to forget.
// Any thread. Invariants:
//   1. Default construction is trivial: the header of a recycled frame keeps its bits (a walker may be reading them).
//   2. Every access is atomic, the constructor's excepted.
// Where it differs from std::atomic: no implicit order, no operators, trivial default construction.
#pragma once

#include <atomic>

namespace lastly::detail {

inline constexpr std::memory_order relaxed = std::memory_order_relaxed;
inline constexpr std::memory_order acquire = std::memory_order_acquire;
inline constexpr std::memory_order release = std::memory_order_release;
inline constexpr std::memory_order acq_rel = std::memory_order_acq_rel;
inline constexpr std::memory_order seq_cst = std::memory_order_seq_cst;

template <class T>
class atomic {
public:
    atomic() = default;
    constexpr explicit atomic(T value) noexcept : value_(value) {}
    atomic(const atomic&) = delete;
    atomic& operator=(const atomic&) = delete;

    T load(std::memory_order order) const noexcept { return ref().load(order); }
    void store(T value, std::memory_order order) noexcept { ref().store(value, order); }
    T exchange(T value, std::memory_order order) noexcept { return ref().exchange(value, order); }
    T fetch_add(T value, std::memory_order order) noexcept { return ref().fetch_add(value, order); }
    T fetch_sub(T value, std::memory_order order) noexcept { return ref().fetch_sub(value, order); }
    T fetch_or(T value, std::memory_order order) noexcept { return ref().fetch_or(value, order); }
    T fetch_and(T value, std::memory_order order) noexcept { return ref().fetch_and(value, order); }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
        return ref().compare_exchange_strong(expected, desired, success, failure);
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
        return ref().compare_exchange_weak(expected, desired, success, failure);
    }
    const T* address() const noexcept { return &value_; }   // the key of a futex wait

private:
    std::atomic_ref<T> ref() const noexcept { return std::atomic_ref<T>(value_); }
    alignas(std::atomic_ref<T>::required_alignment) mutable T value_;
};

}   // namespace lastly::detail
