// The block sizes: each request gets the smallest class that holds it.
#include "lastly/detail/size_classes.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>

namespace detail = lastly::detail;

static_assert(detail::class_of(1) == 0);
static_assert(detail::bytes_of(0) == 64);
static_assert(detail::class_of(detail::slab_bytes << detail::span_classes) == detail::no_class);

TEST_CASE("size_classes: a small request gets the smallest class that holds it") {
    std::size_t wrong = 0;
    for (std::size_t bytes = 0; bytes <= detail::block_sizes.back(); ++bytes) {
        const std::uint32_t c = detail::class_of(bytes);
        const bool fits = c < detail::small_classes && detail::bytes_of(c) >= bytes;
        const bool smallest = c == 0 || detail::bytes_of(c - 1) < bytes;
        wrong += fits && smallest ? 0u : 1u;
    }
    CHECK(wrong == 0);
}

TEST_CASE("size_classes: sizes grow and are whole cache lines") {
    for (std::uint32_t c = 0; c < detail::small_classes + detail::span_classes; ++c) {
        CHECK(detail::bytes_of(c) % 64 == 0);
        CHECK(detail::class_of(detail::bytes_of(c)) == c);
        if (c != 0) CHECK(detail::bytes_of(c) > detail::bytes_of(c - 1));
    }
}

TEST_CASE("size_classes: every small class fits a slab at least eight times") {
    for (std::uint32_t c = 0; c < detail::small_classes; ++c) CHECK(detail::slab_bytes / detail::bytes_of(c) >= 8);
}

TEST_CASE("size_classes: a large request gets a run of slabs, doubling") {
    const std::uint32_t first = detail::small_classes;
    CHECK(detail::class_of(8192) == first - 1);
    CHECK(detail::class_of(8193) == first);
    CHECK(detail::class_of(20 << 10) == first);
    CHECK(detail::class_of(64 << 10) == first);
    CHECK(detail::class_of((64 << 10) + 1) == first + 1);
    CHECK(detail::bytes_of(first + 1) == 128 << 10);
    CHECK(detail::class_of(16 << 20) == first + 8);
    CHECK(detail::bytes_of(first + 8) == 16 << 20);
}

TEST_CASE("size_classes: more than 16 MiB has no class") {
    CHECK(detail::class_of((16 << 20) + 1) == detail::no_class);
    CHECK(detail::class_of(~std::size_t{0}) == detail::no_class);
}

TEST_CASE("size_classes: a block's size tells kind and class, and each pair of these has a shelf of its own") {
    std::set<std::uint32_t> shelves;
    for (const detail::block_kind kind : {detail::block_kind::frame, detail::block_kind::named_frame, detail::block_kind::node}) {
        for (std::uint32_t c = 0; c < detail::small_classes + detail::span_classes; ++c) {
            const detail::block_size size(kind, detail::bytes_of(c));
            CHECK(size.kind() == kind);
            CHECK(size.size_class() == c);
            CHECK(size.usable == detail::bytes_of(c));
            CHECK(shelves.insert(size.shelf).second);
        }
    }
    const detail::block_size none(detail::block_kind::node, ~std::size_t{0});
    CHECK(none.usable == 0);
    CHECK(none.size_class() == detail::no_class);
}
