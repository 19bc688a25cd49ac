// See magazine.hpp; edge M1 in README.md here.
#include "core/structures/magazine.hpp"

#include "core/structures/tagged_stack.hpp"

namespace lastly::detail {

namespace {

constexpr std::uint32_t per_slab = slab_bytes / sizeof(magazine);

std::uint64_t number_of(const magazine& m) noexcept {
    const auto offset = reinterpret_cast<std::uintptr_t>(&m) % slab_bytes;
    return std::uint64_t{slab_number(&m)} * per_slab + offset / sizeof(magazine);
}
magazine& magazine_at(std::uint64_t number) noexcept {
    return reinterpret_cast<magazine*>(slab_at(static_cast<std::uint32_t>(number / per_slab)))[number % per_slab];
}
struct magazine_links {
    static atomic<std::uint64_t>& link(std::uint64_t number) noexcept { return magazine_at(number).next; }
};

struct alignas(64) shelf {
    tagged_stack<magazine_links> stack;
    atomic<std::uint64_t> count{0};
};
shelf full[cached_kinds][small_classes];
shelf empty;
atomic<std::uint64_t> uncarved{0};   // the highest magazine never used of the current slab, going down; 0: none

}   // namespace

magazine* take_empty_magazine() noexcept {
    if (const std::uint64_t number = empty.stack.pop()) return &magazine_at(number);
    for (;;) {
        std::uint64_t top = uncarved.load(acquire);   // order: [M1] sees the slab behind the address
        while (top != 0) {
            const std::uint64_t below = top % slab_bytes == 0 ? 0 : top - sizeof(magazine);
            if (uncarved.compare_exchange_weak(top, below, acq_rel, acquire)) return reinterpret_cast<magazine*>(top);   // order: [M1] hands the slab on
        }
        std::byte* const slab = take_slabs(class_of(sizeof(magazine)), block_kind::magazine);
        if (slab == nullptr) return nullptr;
        std::uint64_t none = 0;
        const auto highest = reinterpret_cast<std::uint64_t>(slab + slab_bytes - sizeof(magazine));
        if (!uncarved.compare_exchange_strong(none, highest, release, relaxed)) give_slabs(slab);   // order: [M1] publishes the slab
    }
}

void give_empty_magazine(magazine& m) noexcept {
    m.count = 0;
    empty.stack.push(number_of(m));
}

magazine* take_magazine(block_kind kind, std::uint32_t size_class) noexcept {
    shelf& from = full[static_cast<int>(kind)][size_class];
    const std::uint64_t number = from.stack.pop();
    if (number == 0) return nullptr;
    from.count.fetch_sub(1, relaxed);   // order: a figure that decides when to trim
    return &magazine_at(number);
}

void give_magazine(block_kind kind, std::uint32_t size_class, magazine& m) noexcept {
    shelf& to = full[static_cast<int>(kind)][size_class];
    to.count.fetch_add(1, relaxed);     // order: a figure that decides when to trim
    to.stack.push(number_of(m));
}

std::uint64_t waiting_magazines(block_kind kind, std::uint32_t size_class) noexcept {
    return full[static_cast<int>(kind)][size_class].count.load(relaxed);   // order: a figure that decides when to trim
}

}   // namespace lastly::detail
