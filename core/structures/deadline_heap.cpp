// See deadline_heap.hpp. Chunks and their table are runs of slabs: untouched pages of the table cost nothing.
#include "core/structures/deadline_heap.hpp"

#include "core/structures/frame_store.hpp"

#include <new>

namespace lastly::detail {

deadline_heap::~deadline_heap() {
    while (chunk_count_ != 0) release_block({block_kind::node, chunk_cells * sizeof(cell)}, chunks_[--chunk_count_]);
    if (chunks_ != nullptr) release_block({block_kind::node, max_chunks * sizeof(cell*)}, chunks_);
}

bool deadline_heap::grow() noexcept {
    if (chunks_ == nullptr) {
        void* const table = allocate_block({block_kind::node, max_chunks * sizeof(cell*)});
        if (table == nullptr) return false;
        chunks_ = new (table) cell*[max_chunks];
    }
    if (chunk_count_ == max_chunks) return false;
    void* const chunk = allocate_block({block_kind::node, chunk_cells * sizeof(cell)});
    if (chunk == nullptr) return false;
    chunks_[chunk_count_++] = new (chunk) cell[chunk_cells];
    return true;
}

void deadline_heap::shrink() noexcept {
    while (chunk_count_ > 1 && size_ <= (chunk_count_ - 2) * chunk_cells) {
        release_block({block_kind::node, chunk_cells * sizeof(cell)}, chunks_[--chunk_count_]);
    }
}

void deadline_heap::rise(std::uint32_t place, const cell& c) noexcept {
    while (place != 0) {
        const std::uint32_t above = (place - 1) / 4;
        if (at(above).deadline <= c.deadline) break;
        put(place, at(above));
        place = above;
    }
    put(place, c);
}

void deadline_heap::sink(std::uint32_t place, const cell& c) noexcept {
    for (;;) {
        const std::uint32_t begin = place * 4 + 1;
        if (begin >= size_) break;
        const std::uint32_t end = size_ - begin < 4 ? size_ : begin + 4;
        std::uint32_t least = begin;
        for (std::uint32_t i = begin + 1; i < end; ++i) {
            if (at(i).deadline < at(least).deadline) least = i;
        }
        if (c.deadline <= at(least).deadline) break;
        put(place, at(least));
        place = least;
    }
    put(place, c);
}

bool deadline_heap::push(entry& e, time_point deadline) noexcept {
    if (size_ == chunk_count_ * chunk_cells && !grow()) return false;
    rise(size_++, {deadline, &e});
    return true;
}

bool deadline_heap::remove(entry& e) noexcept {
    if (e.place == nowhere) return false;
    const std::uint32_t gap = e.place;
    e.place = nowhere;
    const cell last = at(--size_);
    if (gap != size_) {   // the last one fills the gap, then goes up or down
        if (gap != 0 && last.deadline < at((gap - 1) / 4).deadline) rise(gap, last);
        else sink(gap, last);
    }
    shrink();
    return true;
}

}   // namespace lastly::detail
