// See slab.hpp; edges S1 and S2 in README.md here.
#include "core/structures/slab.hpp"

#include "core/base/pages.hpp"
#include "core/structures/tagged_stack.hpp"

namespace lastly::detail {

namespace {

atomic<region*> regions[max_regions];
atomic<std::uint32_t> newest_region{0};   // number + 1; 0: none yet
atomic<std::uint64_t> used_slabs{0};

struct slab_links {
    static atomic<std::uint64_t>& link(std::uint64_t number) noexcept {
        return info_of(slab_at(static_cast<std::uint32_t>(number))).next;
    }
};
tagged_stack<slab_links> free_frames[2][small_classes + span_classes];   // by kind and class: type-stable
tagged_stack<slab_links> free_runs[span_classes];                        // others, by the logarithm of their length

atomic<unsigned> takes_until_failure{0};

bool take_must_fail() noexcept {
    unsigned left = takes_until_failure.load(relaxed);   // order: a test's setting, made before what it is for
    while (left != 0) {
        if (takes_until_failure.compare_exchange_weak(left, left - 1, relaxed, relaxed)) return left == 1;   // order: counts, publishes nothing
    }
    return false;
}

constexpr std::uint32_t run_log(std::uint32_t size_class) noexcept {
    return size_class < small_classes ? 0 : size_class - small_classes;
}

tagged_stack<slab_links>& free_slabs(std::uint32_t size_class, block_kind kind) noexcept {
    if (kind == block_kind::frame || kind == block_kind::named_frame) return free_frames[static_cast<int>(kind)][size_class];
    return free_runs[run_log(size_class)];
}

// Adds a region behind `seen`; another thread may have done so meanwhile. False: out of memory.
bool add_region(std::uint32_t seen) noexcept {
    if (seen == max_regions) return false;
    auto* const fresh = reinterpret_cast<region*>(map_pages(region_bytes, region_bytes));
    if (fresh == nullptr) return newest_region.load(acquire) != seen;   // order: [S1] somebody else may have succeeded
    fresh->number = seen;
    fresh->carved.store(1, relaxed);   // order: published by the exchange below
    region* none = nullptr;
    if (!regions[seen].compare_exchange_strong(none, fresh, release, relaxed)) {   // order: [S1] publishes the region's header
        unmap_pages(reinterpret_cast<std::byte*>(fresh), region_bytes);
    }
    newest_region.compare_exchange_strong(seen, seen + 1, acq_rel, acquire);   // order: [S1] the region of that number is there
    return true;
}

std::byte* carve(std::uint32_t count) noexcept {
    for (;;) {
        const std::uint32_t newest = newest_region.load(acquire);   // order: [S1] sees the region of that number
        if (newest != 0) {
            region& r = *regions[newest - 1].load(acquire);         // order: [S1] sees its header
            std::uint32_t at = r.carved.load(relaxed);              // order: the count alone matters
            while (at + count <= slabs_per_region) {
                if (r.carved.compare_exchange_weak(at, at + count, relaxed, relaxed)) return r.slab(at);   // order: whoever moved it owns the slabs; they are fresh
            }
        }
        if (!add_region(newest)) return nullptr;
    }
}

}   // namespace

slab_info& info_of(const void* block) noexcept {
    region& r = region::of(block);
    return r.slabs[(reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(&r)) / slab_bytes];
}

std::size_t bytes_of_block(const void* block) noexcept {
    return bytes_of((info_of(block).use.load(relaxed) - 1) >> 2);   // order: set before the block was handed out
}

std::uint32_t slab_number(const void* block) noexcept {
    region& r = region::of(block);
    const auto i = (reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(&r)) / slab_bytes;
    return r.number * slabs_per_region + static_cast<std::uint32_t>(i);
}

std::byte* slab_at(std::uint32_t number) noexcept {
    return regions[number / slabs_per_region].load(acquire)->slab(number % slabs_per_region);   // order: [S1] sees the region's header
}

void fail_slabs(unsigned nth) noexcept { takes_until_failure.store(nth, relaxed); }   // order: a test's setting, made before what it is for

std::byte* take_slabs(std::uint32_t size_class, block_kind kind) noexcept {
    if (take_must_fail()) return nullptr;
    const std::uint32_t log = run_log(size_class);
    const std::uint64_t number = free_slabs(size_class, kind).pop();
    std::byte* const first = number != 0 ? slab_at(static_cast<std::uint32_t>(number)) : carve(1u << log);
    if (first == nullptr) return nullptr;
    ++info_of(first).births;
    info_of(first).use.store(1 + (size_class << 2 | static_cast<std::uint32_t>(kind)), release);   // order: [S2] a walker that sees the use sees pages that are ready
    used_slabs.fetch_add(std::uint64_t{1} << log, relaxed);   // order: a figure for people
    return first;
}

void give_slabs(std::byte* first) noexcept {
    slab_info& info = info_of(first);
    const std::uint32_t use = info.use.load(relaxed) - 1;   // order: written when this thread's side took it
    const std::uint32_t log = run_log(use >> 2);
    info.use.store(0, release);   // order: [S2] a walker that has entered reads free frames, and then zeros
    drop_pages(first, slab_bytes << log);
    used_slabs.fetch_sub(std::uint64_t{1} << log, relaxed);   // order: a figure for people
    free_slabs(use >> 2, static_cast<block_kind>(use & 3)).push(slab_number(first));
}

std::size_t slabs_in_use() noexcept { return used_slabs.load(relaxed); }   // order: a figure for people

bool slab_walk::next(block_kind kind, std::byte*& first, std::uint32_t& size_class) noexcept {
    const std::uint32_t newest = newest_region.load(acquire);   // order: [S1] sees the regions below that number
    for (; region_ < newest; ++region_, slab_ = 0) {
        region& r = *regions[region_].load(acquire);            // order: [S1] sees its header
        const std::uint32_t carved = r.carved.load(relaxed);    // order: a slab carved later holds nothing that must be seen
        while (slab_ + 1 < carved) {
            ++slab_;
            const std::uint32_t use = r.slabs[slab_].use.load(acquire);   // order: [S2] sees ready pages
            if (use == 0 || ((use - 1) & 3) != static_cast<std::uint32_t>(kind)) continue;
            first = r.slab(slab_);
            size_class = (use - 1) >> 2;
            return true;
        }
    }
    return false;
}

}   // namespace lastly::detail
