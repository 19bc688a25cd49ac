// See pages.hpp. mmap without a reservation of swap; the unaligned ends are unmapped again.
// Any thread.
#include "core/base/pages.hpp"

#include <cstdint>
#include <sys/mman.h>

namespace lastly::detail {

std::byte* map_pages(std::size_t bytes, std::size_t alignment) noexcept {
    void* const raw = ::mmap(nullptr, bytes + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) return nullptr;
    auto* const begin = static_cast<std::byte*>(raw);
    const std::size_t lead = (alignment - reinterpret_cast<std::uintptr_t>(begin) % alignment) % alignment;
    if (lead != 0) ::munmap(begin, lead);
    ::munmap(begin + lead + bytes, alignment - lead);
    return begin + lead;
}

void unmap_pages(std::byte* begin, std::size_t bytes) noexcept { ::munmap(begin, bytes); }
void drop_pages(std::byte* begin, std::size_t bytes) noexcept { ::madvise(begin, bytes, MADV_DONTNEED); }

}   // namespace lastly::detail
