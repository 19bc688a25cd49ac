// The clocks: a coarse one for the ages of tasks, the steady one for deadlines of waits, and the CPU time of threads.
// Any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace lastly::detail {

// Milliseconds on a clock that costs about 3 ns to read and is at most 10 ms old.
std::uint64_t coarse_now_ms() noexcept;

std::chrono::steady_clock::time_point steady_now() noexcept;
// The clock of the CPU time that the calling thread has used; any thread may read it, at the cost of a system call. 0 soon after that thread has ended.
using cpu_clock = std::int32_t;
inline constexpr cpu_clock no_cpu_clock = 0;   // is no thread's
cpu_clock cpu_clock_of_this_thread() noexcept;
std::chrono::nanoseconds cpu_time(cpu_clock of) noexcept;
// Now + limit, without overflow; time_point::max() stands for no limit.
std::chrono::steady_clock::time_point deadline_after(std::chrono::nanoseconds limit) noexcept;

}   // namespace lastly::detail
