// See anchor.hpp; edges G1 and V1 in README.md here.
#include "core/task/anchor.hpp"

#include <mutex>

namespace lastly::detail {

namespace {

std::mutex free_anchors_mutex;   // a pool's start and end only
pool_anchor* free_anchors = nullptr;
std::uint64_t last_serial = 0;

}   // namespace

bool pool_anchor::enter() noexcept {
    if ((visitors_.fetch_add(1, acquire) & shut) == 0) return true;   // order: [V1] sees the pool that opened the anchor
    leave();
    return false;
}

void pool_anchor::leave() noexcept {
    const std::uint32_t* const address = visitors_.address();
    if (visitors_.fetch_sub(1, release) == (shut | 1)) futex_wake_all(address);   // order: [V1] the pool ends after what the visitor did
}

pool_anchor* take_anchor() {
    const std::lock_guard lock(free_anchors_mutex);
    pool_anchor* a = free_anchors;
    if (a != nullptr) free_anchors = a->next_free_;
    else a = new pool_anchor;   // never freed: a handle may look at it at any time
    a->serial_ = ++last_serial;
    a->gate_.store(0, release);   // order: [G1] a new pool's gate
    a->visitors_.fetch_and(~pool_anchor::shut, release);   // order: [V1] visitors see the new pool
    return a;
}

void give_anchor(pool_anchor& a) noexcept {
    std::uint32_t seen = a.visitors_.fetch_or(pool_anchor::shut, acq_rel) | pool_anchor::shut;   // order: [V1] sees what visitors did
    while (seen != pool_anchor::shut) {
        futex_wait(a.visitors_, seen);
        seen = a.visitors_.load(acquire);   // order: [V1] sees what the last visitor did
    }
    const std::lock_guard lock(free_anchors_mutex);
    a.next_free_ = free_anchors;
    free_anchors = &a;
}

}   // namespace lastly::detail
