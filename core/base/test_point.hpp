// Test points: named places where what comes next hangs on a moment. In a build made with LASTLY_FAULTS a seed makes threads yield, spin
// or sleep there, so that rare interleavings become common ones; any other build compiles them to nothing.
// Any thread. The same seed draws the same moments for the same calls of a thread; which thread comes when is the kernel's.
// Source: hot points chosen by the seed, after Burckhardt et al., "A randomized scheduler with probabilistic guarantees" (ASPLOS 2010), much simplified.
#pragma once

#include "lastly/detail/fault.hpp"

#include <cstdint>

namespace lastly::detail {

// 0, as at the beginning: nobody waits anywhere. Set while no pool is there.
LASTLY_EXPORT void set_chaos(std::uint64_t seed) noexcept;
// How often a thread was held up since the seed was set; 0 in a build without test points.
LASTLY_EXPORT std::uint64_t held_up() noexcept;

void at_test_point(std::uint64_t id) noexcept;

}   // namespace lastly::detail

#ifdef LASTLY_FAULTS
#define LASTLY_POINT(name) (::lastly::detail::at_test_point(::lastly::detail::fault_id(name)))
#else
#define LASTLY_POINT(name) static_cast<void>(0)
#endif
