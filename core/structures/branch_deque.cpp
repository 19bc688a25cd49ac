// See lastly/detail/fork.hpp for the owner's fast side, README.md here for the edges J1 to J3.
// Owner: offer, pop_public, find_room. Any thread: steal, steal_part_of, size. Invariants: 1. A branch is given out once: by the owner
// alone, or to whoever moves `top` past it. 2. `top` only grows. 3. A slot is read before `top` moves, and counts only if that succeeded.
#include "core/base/test_point.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/fork.hpp"

#include <algorithm>

namespace lastly::detail {

bool branch_deque::offer(std::int64_t count) noexcept {
    wanted_ = count;
    return publish(std::min(end_, top_.load(relaxed) + count));   // order: a hint: a stale value only offers fewer
}

bool branch_deque::offer_all() noexcept { return publish(end_); }

bool branch_deque::publish(std::int64_t end) noexcept {
    if (end <= public_here_) return false;
    public_here_ = end;
    public_end_.store(end, seq_cst);   // order: [J1] publishes the branches; [I2] before the owner's look at the sleepers
    return true;
}

bool branch_deque::pop_public() noexcept {
    const std::int64_t i = public_here_ - 1;
    if (top_.load(relaxed) > i) return LASTLY_FAULT("branch-last");   // order: once past it, for good
    public_end_.store(i, seq_cst);                  // order: [J2] before the look at top: a thief sees this end, or we see its top
    LASTLY_POINT("branch-pop");
    const std::int64_t t = top_.load(seq_cst);      // order: [J2] after the store of the end
    if (t < i) {
        end_ = public_here_ = i;
        return true;
    }
    std::int64_t expected = i;
    const bool mine = t == i && top_.compare_exchange_strong(expected, i + 1, seq_cst, seq_cst);   // order: [J2] the last one goes to whoever moves top
    public_end_.store(i + 1, relaxed);              // order: restores the empty deque; hides no branch
    return mine;
}

bool branch_deque::find_room(std::int64_t count) noexcept {
    limit_ = top_.load(acquire) + capacity;   // order: [J3] slots below top are free: their thieves have read them
    return end_ + count <= limit_;
}

branch* branch_deque::take(std::int64_t top, bool& contended) noexcept {
    branch* const b = slot(top).load(relaxed);                              // order: the end was read before (J1); counts only if top is moved afterwards
    LASTLY_POINT("branch-steal");
    if (top_.compare_exchange_strong(top, top + 1, seq_cst, relaxed)) return b;   // order: [J3] the slot was read before; [J2] once only
    contended = true;
    return nullptr;
}

branch* branch_deque::steal(bool& contended) noexcept {
    const std::int64_t t = top_.load(seq_cst);             // order: [J2] before the look at the end
    const std::int64_t end = public_end_.load(seq_cst);    // order: [J1] sees the branches that its store published; [J2] after top
    return t < end ? take(t, contended) : nullptr;
}

// What stands at `top` while the awaited branch runs was pushed for it if it stands at `base` or above, and leaves only by moving `top`.
branch* branch_deque::steal_part_of(const branch& awaited) noexcept {
    const std::int64_t t = top_.load(seq_cst);             // order: [J2] before the look at the end
    const std::int64_t end = public_end_.load(seq_cst);    // order: [J1] sees the branches that its store published; [J2] after top
    const bool is_part = t >= awaited.base || LASTLY_FAULT("W1-branch");
    if (t >= end || !is_part || awaited.is_over()) return nullptr;
    bool contended = false;
    return take(t, contended);
}

std::size_t branch_deque::size() const noexcept {
    const std::int64_t t = top_.load(seq_cst);             // order: [J2] before the end: never too few
    const std::int64_t end = public_end_.load(seq_cst);    // order: [I2] after the intent to sleep was published
    return end > t ? static_cast<std::size_t>(end - t) : 0;
}

}   // namespace lastly::detail
