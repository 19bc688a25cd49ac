// The raw Linux futex, private to the process. See futex.hpp.
// Any thread. The deadline is absolute on the monotonic clock (FUTEX_WAIT_BITSET), so that a wait that wakes for no reason
// does not grow.
#include "core/base/futex.hpp"

#include <cerrno>
#include <climits>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lastly::detail {

namespace {

long futex(const std::uint32_t* address, int operation, std::uint32_t value, const timespec* deadline) noexcept {
    return ::syscall(SYS_futex, address, operation | FUTEX_PRIVATE_FLAG, value, deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
}

}   // namespace

void futex_wait(const futex_word& word, std::uint32_t expected) noexcept {
    futex(word.address(), FUTEX_WAIT_BITSET, expected, nullptr);
}

bool futex_wait_until(const futex_word& word, std::uint32_t expected, std::chrono::steady_clock::time_point deadline) noexcept {
    const auto since = deadline.time_since_epoch();
    if (since.count() <= 0) return false;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
    timespec until{};
    until.tv_sec = static_cast<std::time_t>(seconds.count());
    until.tv_nsec = static_cast<long>((since - seconds).count());
    return futex(word.address(), FUTEX_WAIT_BITSET, expected, &until) == 0 || errno != ETIMEDOUT;
}

void futex_wake_one(const std::uint32_t* address) noexcept { futex(address, FUTEX_WAKE, 1, nullptr); }
void futex_wake_all(const std::uint32_t* address) noexcept { futex(address, FUTEX_WAKE, INT_MAX, nullptr); }

}   // namespace lastly::detail
