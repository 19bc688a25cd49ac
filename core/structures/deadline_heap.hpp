// Deadlines in the order in which they pass: a heap of four children a node, whose entries live in whatever is timed.
// One thread at a time (the timers' lock). Invariants: 1. `entry::place` is where the heap holds it, or `nowhere`. 2. push is the
// only operation that can fail, and changes nothing then. 3. Cells never move when the heap grows: it grows by chunks of 64 KiB,
// so the longest step is O(log n) however many there are; a chunk goes back when a second one is empty.
// Source: d-ary heaps (Johnson 1975); four children share a cache line.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace lastly::detail {

class deadline_heap {
public:
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr std::uint32_t nowhere = ~std::uint32_t{0};

    struct entry {
        std::uint32_t place = nowhere;
    };

    constexpr deadline_heap() noexcept = default;
    ~deadline_heap();
    deadline_heap(const deadline_heap&) = delete;
    deadline_heap& operator=(const deadline_heap&) = delete;

    // Requires: not in the heap. False: no memory, or more than 2^28 entries.
    bool push(entry& e, time_point deadline) noexcept;
    // False: it was not in the heap.
    bool remove(entry& e) noexcept;

    // Empty from now on; the entries are not touched.
    void forget() noexcept { size_ = 0; }

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    entry& first() const noexcept { return *at(0).who; }                                            // requires !empty()
    time_point earliest() const noexcept { return empty() ? time_point::max() : at(0).deadline; }   // max(): empty

private:
    struct cell {
        time_point deadline;
        entry* who;
    };
    static constexpr std::uint32_t chunk_cells = 4096, max_chunks = 1u << 16;

    cell& at(std::uint32_t place) const noexcept { return chunks_[place / chunk_cells][place % chunk_cells]; }
    void put(std::uint32_t place, const cell& c) noexcept {
        at(place) = c;
        c.who->place = place;
    }
    bool grow() noexcept;
    void shrink() noexcept;
    void rise(std::uint32_t place, const cell& c) noexcept;
    void sink(std::uint32_t place, const cell& c) noexcept;

    cell** chunks_ = nullptr;
    std::uint32_t chunk_count_ = 0;
    std::uint32_t size_ = 0;
};

}   // namespace lastly::detail
