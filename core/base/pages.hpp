// Address space from the system, in large aligned pieces.
// Any thread. Invariant: memory that was given out stays mapped for ever; `drop_pages` gives its contents back, and a later
// read sees zeros.
#pragma once

#include <cstddef>

namespace lastly::detail {

// Zeroed memory that costs nothing until touched; null: refused. `bytes` and `alignment` are powers of two, at least a page.
std::byte* map_pages(std::size_t bytes, std::size_t alignment) noexcept;
void unmap_pages(std::byte* begin, std::size_t bytes) noexcept;   // only what nobody else has seen
void drop_pages(std::byte* begin, std::size_t bytes) noexcept;

}   // namespace lastly::detail
