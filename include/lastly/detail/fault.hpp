// Planted faults: named places where a build made with LASTLY_FAULTS breaks one rule on purpose,
// so that a test can be shown to notice. Any other build compiles them to `false`.
// Any thread. One fault is active at a time, set before the pools that it is to spoil are made.
#pragma once

#include <lastly/detail/export.hpp>

#include <cstdint>

namespace lastly::detail {

constexpr std::uint64_t fault_id(const char* name) noexcept {
    std::uint64_t hash = 14695981039346656037u;
    for (; *name != '\0'; ++name) hash = (hash ^ static_cast<unsigned char>(*name)) * 1099511628211u;
    return hash;
}

LASTLY_EXPORT bool fault_active(std::uint64_t id) noexcept;
LASTLY_EXPORT void activate_fault(const char* name) noexcept;   // null: none
LASTLY_EXPORT bool any_fault_active() noexcept;
LASTLY_EXPORT bool built_with_faults() noexcept;

}   // namespace lastly::detail

#ifdef LASTLY_FAULTS
#define LASTLY_FAULT(name) (::lastly::detail::fault_active(::lastly::detail::fault_id(name)))
#define LASTLY_ANY_FAULT() (::lastly::detail::any_fault_active())
#else
#define LASTLY_FAULT(name) false
#define LASTLY_ANY_FAULT() false
#endif
