// See anchor.hpp; edges G1 and V1 in README.md here.
#include "core/task/anchor.hpp"

#include "lastly/detail/thread_block.hpp"
#include "lastly/error.hpp"

#include <mutex>

namespace lastly::detail {

namespace {

std::mutex free_anchors_mutex;   // a pool's start and end only
pool_anchor* free_anchors = nullptr;
std::uint64_t last_serial = 0;

}   // namespace

std::error_code end_cause(std::uint32_t gate) noexcept {
    const std::uint32_t why = gate >> gate_cause_shift & 255;
    if (why == 0) return errc::pool_shutdown;
    if (why == gate_exit >> gate_cause_shift) return errc::process_exit;
    return {static_cast<int>(why), signal_category()};
}

void pool_anchor::refuse_to_wait_if_inherited() const {
    if (is_inherited()) throw std::system_error(errc::forked, "lastly: a wait for a pool of the parent process, whose threads are not here");
}

void hold_anchors() noexcept { free_anchors_mutex.lock(); }
void release_anchors() noexcept { free_anchors_mutex.unlock(); }

bool pool_anchor::enter() noexcept {
    if ((visitors_.fetch_add(1, acquire) & shut) == 0) return true;   // order: [V1] sees the pool that opened the anchor
    leave();
    return false;
}

void pool_anchor::leave() noexcept {
    const std::uint32_t* const address = visitors_.address();
    if (visitors_.fetch_sub(1, release) == (shut | 1)) futex_wake_all(address);   // order: [V1] the pool ends after what the visitor did
}

void stay::begin(pool_anchor& a, bool visits) noexcept {
    *this = {&a, this_thread.staying, visits, false};
    this_thread.staying = this;
}

void stay::end() noexcept {
    this_thread.staying = outer;
    if (frees_pool) pool->free_once_out(*pool->core);   // nobody else frees it: it is still there
}

stay* stay::of(const pool_anchor& a) noexcept {
    stay* found = nullptr;
    for (stay* s = this_thread.staying; s != nullptr; s = s->outer) {
        if (s->pool == &a) found = s;
    }
    return found;
}

visit::visit(pool_anchor& a) noexcept : entered_(a.enter()) {
    if (entered_) stay_.begin(a, true);
}

visit::~visit() {
    if (!entered_) return;
    stay_.pool->leave();
    stay_.end();
}

bool visit::is_at(const pool_anchor& a) noexcept {
    for (const stay* s = this_thread.staying; s != nullptr; s = s->outer) {
        if (s->pool == &a && s->is_visit) return true;
    }
    return false;
}

anchor_lease::anchor_lease() {
    const std::lock_guard lock(free_anchors_mutex);
    anchor_ = free_anchors;
    if (anchor_ != nullptr) free_anchors = anchor_->next_free_;
    else anchor_ = new pool_anchor;   // never freed: a handle may look at it at any time
    anchor_->serial_ = ++last_serial;
    anchor_->gate_.store(0, release);   // order: [G1] a new pool's gate
}

anchor_lease::~anchor_lease() {
    shut();
    await_visitors();
    const std::lock_guard lock(free_anchors_mutex);
    anchor_->next_free_ = free_anchors;
    free_anchors = anchor_;
}

void anchor_lease::open() noexcept {
    anchor_->visitors_.fetch_and(~pool_anchor::shut, release);   // order: [V1] visitors see the new pool
}

void anchor_lease::shut() noexcept {
    anchor_->visitors_.fetch_or(pool_anchor::shut, relaxed);   // order: a visitor that came before is waited for
}

bool anchor_lease::has_visitors() const noexcept {
    return (anchor_->visitors_.load(acquire) & ~pool_anchor::shut) != 0;   // order: [V1] sees what the last visitor did
}

void anchor_lease::await_visitors() const noexcept {
    for (;;) {
        const std::uint32_t seen = anchor_->visitors_.load(acquire);   // order: [V1] sees what the last visitor did
        if (seen == pool_anchor::shut) return;
        futex_wait(anchor_->visitors_, seen);
    }
}

pool_anchor& nobodys_anchor() noexcept {
    static constinit pool_anchor nobody;
    return nobody;
}

}   // namespace lastly::detail
