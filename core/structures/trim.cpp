// Giving memory back: takes waiting magazines, counts each slab's blocks among them, and returns the slabs that are complete.
// One thread at a time, told by a flag that nobody waits for. Invariants: 1. While a magazine is here its blocks are in this
// thread's hand. 2. `returned` of a slab is written by the trimmer only, and 0 when it leaves.
#include "core/structures/frame_store.hpp"
#include "core/structures/magazine.hpp"

namespace lastly::detail {

namespace {

atomic<std::uint32_t> trimming{0};

struct haul {
    magazine* first = nullptr;   // linked through `next` as addresses: they are in this thread's hand

    void add(magazine& m) noexcept {
        m.next.store(reinterpret_cast<std::uint64_t>(first), relaxed);   // order: this thread's own
        first = &m;
    }
    magazine* take() noexcept {
        magazine* const m = first;
        if (m != nullptr) first = reinterpret_cast<magazine*>(m->next.load(relaxed));   // order: this thread's own
        return m;
    }
};

void count_blocks(const magazine& m, bool count) noexcept {
    for (std::uint32_t i = 0; i < m.count; ++i) {
        std::uint32_t& returned = info_of(m.blocks[i]).returned;
        returned = count ? returned + 1 : 0;
    }
}

// Takes the complete slabs' blocks out of the magazine; a slab whose last block was taken out is given back.
void strip(magazine& m, std::uint32_t blocks_per_slab) noexcept {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < m.count; ++i) {
        slab_info& info = info_of(m.blocks[i]);
        if (info.returned < blocks_per_slab) {
            m.blocks[kept++] = m.blocks[i];
        } else if (++info.returned == 2 * blocks_per_slab) {
            info.returned = 0;
            const auto address = reinterpret_cast<std::uintptr_t>(m.blocks[i]);
            give_slabs(reinterpret_cast<std::byte*>(address / slab_bytes * slab_bytes));
        }
    }
    m.count = kept;
}

void trim_class(block_kind kind, std::uint32_t size_class, std::uint64_t keep, bool (*go_on)(void*), void* argument) noexcept {
    haul taken;
    bool finished = true;
    while (waiting_magazines(kind, size_class) > keep) {
        magazine* const m = take_magazine(kind, size_class);
        if (m == nullptr) break;
        count_blocks(*m, true);
        taken.add(*m);
        if (go_on != nullptr && !go_on(argument)) {
            finished = false;
            break;
        }
    }
    haul stripped;
    const auto blocks_per_slab = static_cast<std::uint32_t>(slab_bytes / bytes_of(size_class));
    while (magazine* const m = taken.take()) {
        if (finished) strip(*m, blocks_per_slab);
        stripped.add(*m);
    }
    while (magazine* const m = stripped.take()) {
        count_blocks(*m, false);
        if (m->count != 0) give_magazine(kind, size_class, *m);
        else give_empty_magazine(*m);
    }
}

}   // namespace

void trim(std::uint64_t keep, bool (*go_on)(void*), void* argument) noexcept {
    if (trimming.exchange(1, acquire) != 0) return;   // order: [M2] sees the counts that the last trimmer left
    for (const block_kind kind : {block_kind::frame, block_kind::named_frame, block_kind::node}) {
        for (std::uint32_t c = 0; c < small_classes; ++c) {
            if (waiting_magazines(kind, c) > keep) trim_class(kind, c, keep, go_on, argument);
        }
    }
    trimming.store(0, release);   // order: [M2] the counts are 0 again
}

}   // namespace lastly::detail
