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
    set_peak(peak_step);
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

// Where a push has to look again.
void deque::set_peak(std::int64_t peak) noexcept {
    peak_ = peak;
    limit_ = std::min(peak_, top_seen_ + static_cast<std::int64_t>(buffer_.load(relaxed)->mask + 1));   // order: only the owner stores it
}

bool deque::make_room(std::int64_t bottom, std::size_t count) noexcept {
    if (room_for(bottom, count) == nullptr) return false;
    const std::int64_t end = bottom + static_cast<std::int64_t>(count);
    set_peak(end < peak_ ? peak_ : end + peak_step);
    return true;
}

bool deque::push_into_full(deque_item item) noexcept { return push_all(&item, 1); }

// Thieves may be about to move this top past b. The last item goes to whoever moves it. Of several, one that comes from now on sees too few
// for taking many; if one is on its way it moves top in vain once the owner has taken the oldest item, which lies at the young end afterwards.
bool deque::take_near_top(std::int64_t b, std::int64_t t) noexcept {
    bool mine = false;
    while (t <= b && !mine) {
        if (t < b && peak_ < t + enough_for_many) return true;   // as in take_at
        if (t < b && (claim_.load(seq_cst) == 0 || LASTLY_FAULT("deque-many"))) {   // order: [D5] after the store of bottom: whoever claims later sees it
            set_peak(b + peak_step);
            t = top_seen_ = top_.load(seq_cst);   // order: [D4][D5] whoever claimed before has moved it
            continue;
        }
        const deque_item oldest = buffer_.load(relaxed)->get(t);   // order: only the owner stores it
        LASTLY_POINT("deque-near");
        mine = top_.compare_exchange_strong(t, t + 1, seq_cst, seq_cst);   // order: [D3][D4] the last item goes to whoever moves top; [D5] nor does a thief take many from there
        top_seen_ = mine ? t + 1 : t;
        if (mine && t < b) {
            buffer_.load(relaxed)->put(b, oldest);   // order: only the owner stores it
            set_peak(b + peak_step);
            bottom_.store(b + 1, seq_cst);   // order: [D1] publishes the slot
            return true;
        }
    }
    bottom_.store(b + 1, relaxed);                      // order: restores the empty deque; hides no item
    return mine;
}

std::size_t deque::steal_many(deque_item* items, std::size_t most, bool& contended) noexcept {
    std::int64_t t = top_.load(seq_cst);            // order: [D4] before the look at bottom
    std::int64_t b = bottom_.load(seq_cst);         // order: [D1] sees the slots that its store published; [D4] after top
    if (t >= b) return 0;
    const bool claims = most > 1 && b - t >= enough_for_many && claim_.exchange(1, seq_cst) == 0;   // order: [D5] before the look at top and bottom that counts
    if (claims) {
        t = top_.load(seq_cst);      // order: [D4][D5] after the claim, before the look at bottom
        b = bottom_.load(seq_cst);   // order: [D1][D4][D5] as above, after the claim
    }
    std::size_t count = t < b ? 1 : 0;
    if (claims && b - t >= enough_for_many) count = most;
    LASTLY_POINT("deque-look");
    buffer* const from = buffer_.load(acquire);     // order: [D2] sees the items copied into a grown buffer
    LASTLY_POINT("deque-read");
    for (std::size_t i = 0; i < count; ++i) items[i] = from->get(t + static_cast<std::int64_t>(i));
    LASTLY_POINT("deque-steal");
    const bool mine = count != 0 && ((LASTLY_FAULT("deque-last-item") && t + 1 == b) || top_.compare_exchange_strong(t, t + static_cast<std::int64_t>(count), seq_cst, relaxed));   // order: [D3] the slots were read before; [D4] once only
    if (claims) claim_.store(0, seq_cst);           // order: [D5] after the move: an owner that sees no claim sees that
    if (count != 0 && !mine) contended = true;
    return mine ? count : 0;
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
