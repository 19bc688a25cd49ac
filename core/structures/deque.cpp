// See deque.hpp for the protocol's invariants, README.md here for the edges D1 to D4.
#include "core/structures/deque.hpp"

#include "core/base/test_point.hpp"
#include "lastly/detail/fault.hpp"

#include <algorithm>
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
    limit_ = static_cast<std::int64_t>(capacity);
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
    const std::int64_t top = top_seen_ = bottom - below(bottom, top_.load(acquire));   // order: [D3] slots below top are free: their thieves have read them
    buffer* const now = buffer_.load(relaxed);   // order: only the owner stores it
    std::size_t capacity = now->mask + 1;
    const std::size_t used = static_cast<std::size_t>(bottom - top);
    limit_ = top + static_cast<std::int64_t>(capacity);
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
    limit_ = top + static_cast<std::int64_t>(capacity);
    return grown;
}

bool deque::push_into_full(deque_item item) noexcept { return push_all(&item, 1); }

// With a claim upon items of which b may be one, or b the last: it goes to whoever moves top. A claim that is taken off was in vain, and whoever
// claims after that sees this bottom, and too few.
bool deque::take_near_top(std::int64_t b, std::uint64_t top) noexcept {
    bool mine = false;
    for (;;) {
        const std::int64_t others = below(b, top);
        top_seen_ = b - others;
        if (others < 0) break;
        if (others > 0 && LASTLY_FAULT("deque-many")) return true;
        mine = top_.compare_exchange_strong(top, moved(top, others == 0 ? 1 : 0), seq_cst, seq_cst);   // order: [D3][D4] the last item goes to whoever moves top; [D5] nor does a thief take many from there
        if (!mine) continue;
        if (others > 0) return true;
        top_seen_ = b + 1;
        break;
    }
    bottom_.store(b + 1, relaxed);                      // order: restores the empty deque; hides no item
    return mine;
}

std::size_t deque::steal_many(deque_item* items, std::size_t most, std::uint32_t thief, bool& contended) noexcept {
    std::uint64_t top = top_.load(seq_cst);         // order: [D4] before the look at bottom
    std::int64_t b = bottom_.load(seq_cst);         // order: [D1] sees the slots that its store published; [D4] after top
    std::int64_t count = below(b, top);
    const bool claims = most > 1 && count >= enough_for_many;
    if (claims) {
        const bool is_free = claim_of(top) == 0 && top_.compare_exchange_strong(top, top | thief, seq_cst, seq_cst);   // order: [D5] before the look at bottom that counts
        if (!is_free) {
            contended = true;   // others that take one after the other would make it vain for all
            return 0;
        }
        top |= thief;
        b = bottom_.load(seq_cst);   // order: [D1][D5] as above, after the claim
        count = below(b, top);
    }
    const std::int64_t oldest = b - count;
    count = count <= 0 ? 0 : claims && count >= enough_for_many ? static_cast<std::int64_t>(most) : 1;
    if (count == 0 && !claims) return 0;
    LASTLY_POINT("deque-look");
    buffer* const from = buffer_.load(acquire);     // order: [D2] sees the items copied into a grown buffer
    LASTLY_POINT("deque-read");
    for (std::int64_t i = 0; i < count; ++i) items[i] = from->get(oldest + i);
    LASTLY_POINT("deque-steal");
    if (LASTLY_FAULT("deque-last-item") && oldest + 1 == b) return 1;
    const bool mine = top_.compare_exchange_strong(top, moved(top, static_cast<std::uint64_t>(count)), seq_cst, relaxed);   // order: [D3] the slots were read before; [D4] once only
    if (!mine && count != 0) contended = true;
    return mine ? static_cast<std::size_t>(count) : 0;
}

bool deque::steal_if(const deque_filter& filter, deque_item& item) noexcept {
    for (std::uint64_t top = top_.load(seq_cst);;) {    // order: [D4] before the look at bottom
        const std::int64_t b = bottom_.load(seq_cst);   // order: [D1] sees the slots that its store published; [D4] after top
        const std::int64_t count = below(b, top);
        if (count <= 0) return false;
        LASTLY_POINT("deque-look-if");
        item = buffer_.load(acquire)->get(b - count);   // order: [D2] sees the items copied into a grown buffer
        const std::uint64_t now = top_.load(acquire);   // order: [D2] after the look at the buffer: what had left before that was grown is not in it
        if (moved(now, 0) != moved(top, 0) && !LASTLY_FAULT("deque-filter")) return false;
        top = now;
        if (!filter(item)) return false;
        if (top_.compare_exchange_strong(top, moved(top, 1), seq_cst, seq_cst)) return true;   // order: [D3] the slot was read before; [D4] once only, or before the next look at bottom
        if (below(b, top) != count) return false;       // else only a claim came or went
    }
}

bool deque::take_oldest(deque_item& item) noexcept {
    bool contended = false;
    return steal(item, contended);
}

std::size_t deque::size() const noexcept {
    const std::uint64_t top = top_.load(seq_cst);   // order: [D4] before bottom: never too few
    const std::int64_t b = bottom_.load(seq_cst);   // order: [I2] after the intent to sleep was published
    return static_cast<std::size_t>(std::max<std::int64_t>(below(b, top), 0));
}

}   // namespace lastly::detail
