// See deque.hpp for the protocol's invariants, README.md here for the edges D1 to D4.
#include "core/structures/deque.hpp"

#include "core/base/test_point.hpp"
#include "lastly/detail/fault.hpp"

#include <new>

namespace lastly::detail {

deque::buffer* deque::buffer::make(std::size_t capacity, buffer* older) noexcept {
    auto* const b = new (std::nothrow) buffer{capacity - 1, older, nullptr};
    if (b == nullptr) return nullptr;
    b->slots = new (std::nothrow) slot[capacity];
    if (b->slots != nullptr) return b;
    delete b;
    return nullptr;
}

deque::deque(std::size_t capacity) : buffer_(buffer::make(capacity, nullptr)) {
    if (buffer_.load(relaxed) == nullptr) throw std::bad_alloc();   // order: not shared yet
}

deque::~deque() {
    buffer* b = buffer_.load(relaxed);   // order: nobody else is left
    while (b != nullptr) {
        buffer* const older = b->older;
        delete[] b->slots;
        delete b;
        b = older;
    }
}

// The buffer, with room for `count` more; null: full, and no memory to grow.
deque::buffer* deque::room_for(std::int64_t bottom, std::size_t count) noexcept {
    const std::int64_t top = top_seen_ = top_.load(acquire);   // order: [D3] slots below top are free: their thieves have read them
    buffer* const now = buffer_.load(relaxed);   // order: only the owner stores it
    std::size_t capacity = now->mask + 1;
    const std::size_t used = static_cast<std::size_t>(bottom - top);
    if (used + count <= capacity) return now;
    while (used + count > capacity) capacity *= 2;
    buffer* const grown = buffer::make(capacity, now);
    if (grown == nullptr) return nullptr;
    for (std::int64_t i = top; i < bottom; ++i) grown->put(i, now->get(i));
    LASTLY_POINT("deque-grow");
    if (LASTLY_FAULT("grow-weak")) buffer_.store(grown, relaxed);   // order: a planted fault: too weak
    else buffer_.store(grown, release);   // order: [D2] a thief that sees the new buffer sees the items copied into it
    if (LASTLY_FAULT("grow-frees")) {
        delete[] now->slots;
        delete now;
        grown->older = nullptr;
    }
    return grown;
}

bool deque::push_into_full(deque_item item) noexcept { return push_all(&item, 1); }

bool deque::steal(deque_item& item, bool& contended) noexcept {
    std::int64_t t = top_.load(seq_cst);            // order: [D4] before the look at bottom
    const std::int64_t b = bottom_.load(seq_cst);   // order: [D1] sees the slots that its store published; [D4] after top
    if (t >= b) return false;
    LASTLY_POINT("deque-look");
    buffer* const from = buffer_.load(acquire);     // order: [D2] sees the items copied into a grown buffer
    LASTLY_POINT("deque-read");
    item = from->get(t);
    LASTLY_POINT("deque-steal");
    if (LASTLY_FAULT("deque-last-item") && t + 1 == b) return true;
    if (top_.compare_exchange_strong(t, t + 1, seq_cst, relaxed)) return true;   // order: [D3] the slot was read before; [D4] once only
    contended = true;
    return false;
}

bool deque::steal_if(const deque_filter& filter, deque_item& item) noexcept {
    std::int64_t t = top_.load(seq_cst);            // order: [D4] before the look at bottom
    const std::int64_t b = bottom_.load(seq_cst);   // order: [D1] sees the slots that its store published; [D4] after top
    if (t >= b) return false;
    item = buffer_.load(acquire)->get(t);           // order: [D2] sees the items copied into a grown buffer
    return filter(item) && top_.compare_exchange_strong(t, t + 1, seq_cst, relaxed);   // order: [D3] the slot was read before; [D4] once only
}

bool deque::take_oldest(deque_item& item) noexcept {
    bool contended = false;
    return steal(item, contended);
}

std::size_t deque::size() const noexcept {
    const std::int64_t t = top_.load(seq_cst);      // order: [D4] before bottom: never too few
    const std::int64_t b = bottom_.load(seq_cst);   // order: [I2] after the intent to sleep was published
    return b > t ? static_cast<std::size_t>(b - t) : 0;
}

}   // namespace lastly::detail
