// The sleeping half of the event count. See event_count.hpp.
// Any thread.
#include "core/structures/event_count.hpp"

#include "core/base/test_point.hpp"

namespace lastly::detail {

bool event_count::commit(key seen, std::chrono::steady_clock::time_point deadline) noexcept {
    LASTLY_POINT("event-count-sleep");
    bool in_time = true;
    while (in_time && epoch_.load(seq_cst) == seen) {   // order: [W2] what the notifier did is visible on return
        if (deadline == no_deadline) futex_wait(epoch_, seen);
        else in_time = futex_wait_until(epoch_, seen, deadline);
    }
    waiters_.fetch_sub(1, relaxed);   // order: a notifier that still counts us wakes nobody
    return in_time;
}

}   // namespace lastly::detail
