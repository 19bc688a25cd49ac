// A worker's own queue: the owner pushes and pops at the bottom, thieves take the oldest at the top. It grows.
// Owner: push, push_all, push_each, pop, pop_if, take_oldest. Any thread: steal, steal_many, steal_if, size. Invariants:
//   1. An item is given out once: by the owner alone, or to whoever moves `top` past it.
//   2. `top` only grows. 3. A buffer that was outgrown stays readable until the deque is destroyed: a thief may hold it.
//   4. A slot is read before `top` moves, and what was read counts only if the move succeeded.
//   5. The owner takes an item without moving `top` only if no thief is about to move it past the item.
// Source: Chase and Lev, "Dynamic circular work-stealing deque" (2005), with the corrections of Le, Pop, Cohen, Nardelli (2013).
// Where it differs: sequentially consistent accesses instead of fences, a tag beside each frame, so that a thief may decide
// without touching the frame, and a thief that finds many takes many at once (README.md here).
#pragma once

#include "core/base/test_point.hpp"
#include "lastly/detail/atomic.hpp"

#include <cstddef>
#include <cstdint>

namespace lastly::detail {

struct frame;

struct deque_item {
    frame* task = nullptr;
    std::uintptr_t tag = 0;   // its group's number; 0: of none; look_at_task: the frame says
};
inline constexpr std::uintptr_t look_at_task = ~std::uintptr_t{0};   // it came from outside: nobody has touched the frame here yet

// Which items a taker is ready for; asked before the item is taken.
struct deque_filter {
    bool (*wants)(const deque_item&, void*);
    void* argument;
    bool operator()(const deque_item& item) const { return wants(item, argument); }
};

class deque {
public:
    static constexpr std::size_t most_at_once = 64;   // that steal_many takes
    static constexpr std::uint32_t most_thieves = (1u << 14) - 1;

    // `capacity` is a power of two. Throws std::bad_alloc.
    explicit deque(std::size_t capacity = 256);
    ~deque();
    deque(const deque&) = delete;
    deque& operator=(const deque&) = delete;

    // False: the deque is full and cannot grow; the item stays with the caller.
    bool push(deque_item item) noexcept;
    // Pushes the last item first, so that pops give them in order; all or none.
    bool push_all(const deque_item* items, std::size_t count) noexcept {
        return push_each(count, [items](std::size_t i) { return items[i]; });
    }
    // The same with what `item(i)` says.
    template <class Item> bool push_each(std::size_t count, Item item) noexcept;
    bool pop(deque_item& item) noexcept;           // the youngest
    bool take_oldest(deque_item& item) noexcept;   // as a thief would; false also when a thief was faster
    bool steal(deque_item& item, bool& contended) noexcept { return steal_many(&item, 1, 0, contended) != 0; }
    // The oldest first, how many: one, or, where there are many, `most`, with one move of `top`. Requires: 1 to most_at_once; `thief` is
    // nobody else's number, 1 to most_thieves; with `most` 1 it does not matter.
    std::size_t steal_many(deque_item* items, std::size_t most, std::uint32_t thief, bool& contended) noexcept;
    // As pop and steal, if the filter wants the item that is next.
    template <class Filter>
    bool pop_if(const Filter& filter, deque_item& item) noexcept;
    bool steal_if(const deque_filter& filter, deque_item& item) noexcept;
    // How many items there were at some moment; exact enough to decide whether to sleep: never 0 while an item rests here.
    std::size_t size() const noexcept;

private:
    static constexpr std::int64_t enough_for_many = 256;   // items that a thief must see before it takes more than one
    // What `top` holds: above the index of the oldest item, below the number of the thief that is about to take many from there on; 0: none.
    static constexpr unsigned thief_bits = 14;
    static constexpr std::uint64_t claim_of(std::uint64_t top) noexcept { return top & most_thieves; }
    static constexpr std::uint64_t moved(std::uint64_t top, std::uint64_t items) noexcept { return top - claim_of(top) + (items << thief_bits); }   // without the claim
    // How many items lie below that index. They count modulo 2^50, which is more than there ever are at once.
    static constexpr std::int64_t below(std::int64_t index, std::uint64_t top) noexcept {
        return static_cast<std::int64_t>((static_cast<std::uint64_t>(index) << thief_bits) - moved(top, 0)) >> thief_bits;
    }

    struct buffer;
    bool take_at(std::int64_t b) noexcept;
    bool take_near_top(std::int64_t b, std::uint64_t top) noexcept;
    bool push_into_full(deque_item item) noexcept;
    buffer* room_for(std::int64_t bottom, std::size_t count) noexcept;

    alignas(64) atomic<std::uint64_t> top_{0};
    alignas(64) atomic<std::int64_t> bottom_{0};
    atomic<buffer*> buffer_;
    std::int64_t top_seen_ = 0;   // the owner's: at most top
    std::int64_t limit_ = 0;      // likewise: up to here there is room
};

struct deque::buffer {
    struct slot {
        atomic<frame*> task;
        atomic<std::uintptr_t> tag;
    };
    std::size_t mask;
    buffer* older;   // outgrown, kept for late thieves
    slot* slots;

    static buffer* make(std::size_t capacity, buffer* older) noexcept;
    slot& at(std::int64_t i) noexcept { return slots[static_cast<std::size_t>(i) & mask]; }
    void put(std::int64_t i, deque_item item) noexcept {
        // order (block): published by the store of bottom that follows (D1)
        slot& s = at(i);
        s.task.store(item.task, relaxed);
        s.tag.store(item.tag, relaxed);
    }
    deque_item get(std::int64_t i) noexcept {
        // order (block): bottom was read before (D1), or the owner wrote it; counts only if top is moved afterwards
        const slot& s = at(i);
        return {s.task.load(relaxed), s.tag.load(relaxed)};
    }
};

template <class Item>
bool deque::push_each(std::size_t count, Item item) noexcept {
    const std::int64_t b = bottom_.load(relaxed);   // order: only the owner stores it
    if (b + static_cast<std::int64_t>(count) > limit_ && room_for(b, count) == nullptr) return false;
    buffer now = *buffer_.load(relaxed);   // order: only the owner stores it. Its slots and mask, that no store to a slot can change
    for (std::size_t i = count; i != 0; --i) now.put(b + static_cast<std::int64_t>(count - i), item(i - 1));
    bottom_.store(b + static_cast<std::int64_t>(count), seq_cst);   // order: [D1] publishes the slots; [I2] before the owner's look at the sleepers
    return true;
}

// With room in sight; else the owner looks again, and grows.
inline bool deque::push(deque_item item) noexcept {
    const std::int64_t b = bottom_.load(relaxed);   // order: only the owner stores it
    if (b >= limit_) return push_into_full(item);
    buffer_.load(relaxed)->put(b, item);   // order: only the owner stores it
    bottom_.store(b + 1, seq_cst);   // order: [D1] publishes the slot; [I2] before the owner's look at the sleepers
    return true;
}

inline bool deque::pop(deque_item& item) noexcept {
    const std::int64_t b = bottom_.load(relaxed) - 1;   // order: only the owner stores it
    if (b < top_seen_) return false;
    const deque_item youngest = buffer_.load(relaxed)->get(b);   // order: only the owner stores it
    if (!take_at(b)) return false;
    item = youngest;
    return true;
}

// Takes the youngest item, at b; false: a thief has it.
[[gnu::always_inline]] inline bool deque::take_at(std::int64_t b) noexcept {
    bottom_.store(b, seq_cst);                          // order: [D4] before the look at top: a thief sees this bottom, or we see its top
    const std::uint64_t top = top_.load(seq_cst);       // order: [D4] after the store of bottom
    const auto beneath = static_cast<std::int64_t>((static_cast<std::uint64_t>(b) << thief_bits) - top);   // items, in the units of top
    LASTLY_POINT("deque-pop");
    const bool is_out_of_reach = beneath >= std::int64_t{most_at_once} << thief_bits || (beneath > 0 && claim_of(top) == 0);   // of thieves
    return is_out_of_reach || take_near_top(b, top);
}

template <class Filter>
[[gnu::always_inline]] inline bool deque::pop_if(const Filter& filter, deque_item& item) noexcept {
    const std::int64_t b = bottom_.load(relaxed) - 1;   // order: only the owner stores it
    if (b < top_seen_) return false;
    const deque_item youngest = buffer_.load(relaxed)->get(b);   // order: only the owner stores it
    if (!filter(youngest) || !take_at(b)) return false;
    item = youngest;
    return true;
}

}   // namespace lastly::detail
