// See frame_store.hpp. The hot path is a thread's own magazine: no shared memory.
#include "core/structures/frame_store.hpp"

#include "core/structures/frame_list.hpp"
#include "core/structures/magazine.hpp"
#include "core/structures/thread_exit.hpp"
#include "lastly/detail/thread_block.hpp"

#include <new>
#include <utility>

namespace lastly::detail {

namespace {

frame_list lone[cached_kinds][small_classes];   // blocks freed when there was no memory for a magazine
frame_cache* cache_of_thread() noexcept {
    frame_cache* cache = this_thread.frames;
    if (cache == nullptr && arm_thread_exit()) this_thread.frames = cache = new (std::nothrow) frame_cache;
    return cache;
}

void* take_lone(block_kind kind, std::uint32_t size_class) noexcept {
    frame* block = nullptr;
    return lone[static_cast<int>(kind)][size_class].take(&block, 1) != 0 ? block : nullptr;
}

void retire_magazine(block_kind kind, std::uint32_t size_class, magazine* m) noexcept {
    if (m == nullptr) return;
    if (m->count != 0) give_magazine(kind, size_class, *m);
    else give_empty_magazine(*m);
}

void* allocate_slowly(frame_cache::shelf& s, block_kind kind, std::uint32_t size_class) noexcept {
    if (s.spare != nullptr && s.spare->count != 0) {
        std::swap(s.loaded, s.spare);
    } else if (magazine* const full = take_magazine(kind, size_class)) {
        if (s.spare != nullptr) give_empty_magazine(*s.spare);
        s.spare = std::exchange(s.loaded, full);
    } else {
        if (s.fresh == s.fresh_end) {
            if (void* const block = take_lone(kind, size_class)) return block;
            std::byte* const slab = take_slabs(size_class, kind);
            if (slab == nullptr) return nullptr;
            s.fresh = slab;
            s.fresh_end = slab + slab_bytes / bytes_of(size_class) * bytes_of(size_class);
        }
        return std::exchange(s.fresh, s.fresh + bytes_of(size_class));
    }
    return s.loaded->blocks[--s.loaded->count];
}

void release_slowly(frame_cache::shelf& s, block_kind kind, std::uint32_t size_class, void* block) noexcept {
    if (s.spare == nullptr || s.spare->count == magazine::capacity) {
        magazine* const empty = take_empty_magazine();
        if (empty == nullptr) {
            lone[static_cast<int>(kind)][size_class].push(*static_cast<frame*>(block));
            return;
        }
        if (s.spare != nullptr) give_magazine(kind, size_class, *s.spare);
        s.spare = empty;
    }
    std::swap(s.loaded, s.spare);
    s.loaded->blocks[s.loaded->count++] = block;
}

void flush_shelf(frame_cache::shelf& s, block_kind kind, std::uint32_t size_class) noexcept {
    const std::size_t bytes = bytes_of(size_class);
    for (; s.fresh != s.fresh_end; s.fresh += bytes) {
        if (s.loaded == nullptr || s.loaded->count == magazine::capacity) release_slowly(s, kind, size_class, s.fresh);
        else s.loaded->blocks[s.loaded->count++] = s.fresh;
    }
    retire_magazine(kind, size_class, std::exchange(s.loaded, nullptr));
    retire_magazine(kind, size_class, std::exchange(s.spare, nullptr));
}

}   // namespace

void* allocate_elsewhere(block_size size) noexcept {
    const block_kind kind = size.kind();
    const std::uint32_t size_class = size.size_class();
    if (size_class >= small_classes) return size_class == no_class ? nullptr : take_slabs(size_class, kind);
    frame_cache* const cache = cache_of_thread();
    if (cache == nullptr) return take_lone(kind, size_class);
    return allocate_slowly(cache->of[size.shelf], kind, size_class);
}

void release_elsewhere(block_size size, void* block) noexcept {
    const block_kind kind = size.kind();
    const std::uint32_t size_class = size.size_class();
    if (size_class >= small_classes) {
        give_slabs(static_cast<std::byte*>(block));
        return;
    }
    frame_cache* const cache = cache_of_thread();
    if (cache == nullptr) lone[static_cast<int>(kind)][size_class].push(*static_cast<frame*>(block));
    else release_slowly(cache->of[size.shelf], kind, size_class, block);
}

void flush_thread_cache() noexcept {
    frame_cache* const cache = std::exchange(this_thread.frames, nullptr);
    if (cache == nullptr) return;
    for (const block_kind kind : {block_kind::frame, block_kind::named_frame, block_kind::node}) {
        for (std::uint32_t c = 0; c < small_classes; ++c) flush_shelf(cache->of[block_size(kind, bytes_of(c)).shelf], kind, c);
    }
    delete cache;
}

// Pages that went back to the system have forgotten their frames' generations: 4,096 births of a slab have their own.
std::uint64_t first_generation(const frame& f) noexcept { return std::uint64_t{info_of(&f).births & 0xfff} << 20 | 1; }

frame* allocate_frame(block_size size) noexcept { return static_cast<frame*>(allocate_block(size)); }
void release_frame(frame& f, block_size size) noexcept { release_block(size, &f); }

void walk_frames(void (*visit)(frame&, void*), void* argument) {
    for (const block_kind kind : {block_kind::frame, block_kind::named_frame}) {
        slab_walk walk;
        std::byte* slab = nullptr;
        std::uint32_t size_class = 0;
        while (walk.next(kind, slab, size_class)) {
            const std::size_t bytes = bytes_of(size_class);
            const std::size_t count = size_class < small_classes ? slab_bytes / bytes : 1;
            for (std::size_t i = 0; i < count; ++i) {
                frame& f = *reinterpret_cast<frame*>(slab + i * bytes);
                if (phase_of(f.progress.load(acquire)) != phase::free) visit(f, argument);   // order: [F1] sees the fields of the phase
            }
        }
    }
}

}   // namespace lastly::detail
