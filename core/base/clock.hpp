// The two clocks: a coarse one for the ages of tasks, and the steady one for deadlines of waits.
// Any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace lastly::detail {

// Milliseconds on a clock that costs about 3 ns to read and is at most 10 ms old.
std::uint64_t coarse_now_ms() noexcept;

std::chrono::steady_clock::time_point steady_now() noexcept;
// Now + limit, without overflow; time_point::max() stands for no limit.
std::chrono::steady_clock::time_point deadline_after(std::chrono::nanoseconds limit) noexcept;

}   // namespace lastly::detail
