// A hint: it neither faults nor changes anything.
#include "core/base/prefetch.hpp"

#include "core/base/pages.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>

namespace detail = lastly::detail;

TEST_CASE("prefetch: any address will do, and what lies there stays as it is") {
    alignas(detail::cache_line) std::array<unsigned char, 2 * detail::cache_line> bytes{};
    bytes.fill(0x5a);
    detail::prefetch_for_write(bytes.data());
    detail::prefetch_for_write(bytes.data() + detail::cache_line);
    for (const unsigned char b : bytes) CHECK(b == 0x5a);

    std::byte* const gone = detail::map_pages(4096, 4096);
    REQUIRE(gone != nullptr);
    detail::unmap_pages(gone, 4096);
    detail::prefetch_for_write(gone);
    detail::prefetch_for_write(nullptr);
}
