// Memory from the system: aligned, zeroed, and zeroed again when dropped.
#include "core/base/pages.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace detail = lastly::detail;

namespace {

bool reads_as_zeros(const std::byte* from, std::size_t bytes) {
    return std::all_of(from, from + bytes, [](std::byte b) { return b == std::byte{0}; });
}

}   // namespace

TEST_CASE("pages: they are aligned as asked, and read as zeros") {
    for (const std::size_t alignment : {std::size_t{4096}, std::size_t{64} << 10, std::size_t{4} << 20, std::size_t{64} << 20}) {
        CAPTURE(alignment);
        constexpr std::size_t bytes = std::size_t{64} << 10;
        std::byte* const p = detail::map_pages(bytes, alignment);
        REQUIRE(p != nullptr);
        CHECK(reinterpret_cast<std::uintptr_t>(p) % alignment == 0);
        CHECK(reads_as_zeros(p, bytes));
        std::memset(p, 0xff, bytes);
        detail::unmap_pages(p, bytes);
    }
}

TEST_CASE("pages: what is dropped reads as zeros, and may be written again") {
    constexpr std::size_t page = 4096, bytes = 16 * page;
    std::byte* const p = detail::map_pages(bytes, page);
    REQUIRE(p != nullptr);
    std::memset(p, 0x77, bytes);
    detail::drop_pages(p + 4 * page, 8 * page);
    CHECK(p[4 * page - 1] == std::byte{0x77});
    CHECK(reads_as_zeros(p + 4 * page, 8 * page));
    CHECK(p[12 * page] == std::byte{0x77});
    std::memset(p + 4 * page, 0x11, 8 * page);
    CHECK(p[5 * page] == std::byte{0x11});
    detail::unmap_pages(p, bytes);
}

TEST_CASE("pages: what the system does not have is refused") { CHECK(detail::map_pages(std::size_t{1} << 56, 4096) == nullptr); }

TEST_CASE("pages: a large piece costs nothing until it is touched") {
    constexpr std::size_t bytes = std::size_t{1} << 36;
    std::byte* const p = detail::map_pages(bytes, std::size_t{64} << 20);
    REQUIRE(p != nullptr);
    p[0] = std::byte{1};
    p[bytes - 1] = std::byte{2};
    detail::unmap_pages(p, bytes);
}
