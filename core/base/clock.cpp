// See clock.hpp. CLOCK_MONOTONIC_COARSE is read in the vDSO: no system call.
// Any thread.
#include "core/base/clock.hpp"

#include <ctime>
#include <pthread.h>

namespace lastly::detail {

std::uint64_t coarse_now_ms() noexcept {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000u + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000u;
}

cpu_clock cpu_clock_of_this_thread() noexcept {
    clockid_t clock{};
    return ::pthread_getcpuclockid(::pthread_self(), &clock) == 0 ? clock : CLOCK_THREAD_CPUTIME_ID;
}

std::chrono::nanoseconds cpu_time(cpu_clock of) noexcept {
    timespec used{};
    if (::clock_gettime(of, &used) != 0) return {};
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::chrono::steady_clock::time_point steady_now() noexcept { return std::chrono::steady_clock::now(); }

std::chrono::steady_clock::time_point deadline_after(std::chrono::nanoseconds limit) noexcept {
    using point = std::chrono::steady_clock::time_point;
    const point now = steady_now();
    if (limit.count() <= 0) return now;
    return limit >= point::max() - now ? point::max() : now + limit;
}

}   // namespace lastly::detail
