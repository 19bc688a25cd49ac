// Slabs and runs of slabs: their numbers, their uses, their pages, and what a walker sees of them.
#include "core/structures/slab.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace detail = lastly::detail;
using detail::block_kind;

namespace {

bool reads_as_zeros(const std::byte* from, std::size_t bytes) {
    return std::all_of(from, from + bytes, [](std::byte b) { return b == std::byte{0}; });
}

// The slabs that a walk finds in use as that kind, with their classes.
std::set<std::pair<std::byte*, std::uint32_t>> walked(block_kind kind) {
    std::set<std::pair<std::byte*, std::uint32_t>> found;
    detail::slab_walk walk;
    std::byte* first = nullptr;
    std::uint32_t size_class = 0;
    while (walk.next(kind, first, size_class)) found.emplace(first, size_class);
    return found;
}

}   // namespace

TEST_CASE("slab: a slab is aligned to its size, zeroed, and counted while in use") {
    const std::size_t before = detail::slabs_in_use();
    std::byte* const s = detail::take_slabs(3, block_kind::node);
    REQUIRE(s != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(s) % detail::slab_bytes == 0);
    CHECK(reads_as_zeros(s, detail::slab_bytes));
    CHECK(detail::slabs_in_use() == before + 1);
    detail::give_slabs(s);
    CHECK(detail::slabs_in_use() == before);
}

TEST_CASE("slab: its number leads back to it from any block inside") {
    std::byte* const s = detail::take_slabs(0, block_kind::node);
    REQUIRE(s != nullptr);
    const std::uint32_t number = detail::slab_number(s);
    CHECK(number >= 1);
    CHECK(number < (1u << 24));
    CHECK(detail::slab_at(number) == s);
    CHECK(detail::slab_number(s + detail::slab_bytes - 1) == number);
    CHECK(&detail::info_of(s + 4096) == &detail::info_of(s));
    CHECK(detail::bytes_of_block(s + 4096) == detail::bytes_of(0));
    CHECK(detail::info_of(s).use.load(detail::relaxed) == 1 + (0 << 2 | static_cast<std::uint32_t>(block_kind::node)));
    detail::give_slabs(s);
    CHECK(detail::info_of(s).use.load(detail::relaxed) == 0);
}

TEST_CASE("slab: what was given back is taken again, and reads as zeros") {
    std::byte* const s = detail::take_slabs(2, block_kind::node);
    REQUIRE(s != nullptr);
    std::memset(s, 0xab, detail::slab_bytes);
    detail::give_slabs(s);
    std::byte* const again = detail::take_slabs(5, block_kind::node);
    CHECK(again == s);
    CHECK(reads_as_zeros(again, detail::slab_bytes));
    detail::give_slabs(again);
}

TEST_CASE("slab: a large class takes a run of whole slabs") {
    const std::size_t before = detail::slabs_in_use();
    for (std::uint32_t k = 0; k < detail::span_classes; ++k) {
        CAPTURE(k);
        std::byte* const run = detail::take_slabs(detail::small_classes + k, block_kind::node);
        REQUIRE(run != nullptr);
        CHECK(detail::slabs_in_use() == before + (std::size_t{1} << k));
        run[0] = std::byte{1};
        run[(detail::slab_bytes << k) - 1] = std::byte{2};
        CHECK(&detail::region::of(run) == &detail::region::of(run + (detail::slab_bytes << k) - 1));
        detail::give_slabs(run);
        CHECK(detail::slabs_in_use() == before);
        CHECK(run[(detail::slab_bytes << k) - 1] == std::byte{0});   // still mapped, and given back
    }
}

TEST_CASE("slab: runs that are in use do not overlap, also across regions") {
    const std::size_t before = detail::slabs_in_use();
    std::vector<std::pair<std::byte*, std::size_t>> runs;
    std::set<const detail::region*> regions;
    for (int round = 0; round < 7; ++round) {
        for (const std::uint32_t k : {8u, 0u, 1u}) {
            std::byte* const run = detail::take_slabs(detail::small_classes + k, block_kind::node);
            REQUIRE(run != nullptr);
            runs.emplace_back(run, detail::slab_bytes << k);
            regions.insert(&detail::region::of(run));
        }
    }
    CHECK(regions.size() >= 2);
    std::sort(runs.begin(), runs.end());
    for (std::size_t i = 1; i < runs.size(); ++i) CHECK(runs[i - 1].first + runs[i - 1].second <= runs[i].first);
    for (const auto& [run, bytes] : runs) CHECK(detail::slab_at(detail::slab_number(run)) == run);
    for (const auto& [run, bytes] : runs) detail::give_slabs(run);
    CHECK(detail::slabs_in_use() == before);
}

TEST_CASE("slab: the n-th take from now on fails when a test asks for it") {
    detail::fail_slabs(1);
    CHECK(detail::take_slabs(0, block_kind::node) == nullptr);
    std::byte* const a = detail::take_slabs(0, block_kind::node);
    CHECK(a != nullptr);
    detail::fail_slabs(2);
    std::byte* const b = detail::take_slabs(0, block_kind::node);
    CHECK(b != nullptr);
    CHECK(detail::take_slabs(detail::small_classes + 1, block_kind::node) == nullptr);
    detail::fail_slabs(1);
    detail::fail_slabs(0);
    std::byte* const c = detail::take_slabs(0, block_kind::node);
    CHECK(c != nullptr);
    for (std::byte* const s : {a, b, c}) detail::give_slabs(s);
}

TEST_CASE("slab: a walk finds what is in use as its kind, once, and nothing else") {
    std::byte* const f = detail::take_slabs(4, block_kind::frame);
    std::byte* const n = detail::take_slabs(5, block_kind::node);
    std::byte* const run = detail::take_slabs(detail::small_classes + 2, block_kind::frame);
    REQUIRE((f != nullptr && n != nullptr && run != nullptr));
    const auto frames = walked(block_kind::frame);
    const auto nodes = walked(block_kind::node);
    CHECK(frames.count({f, 4}) == 1);
    CHECK(frames.count({run, detail::small_classes + 2}) == 1);
    CHECK(frames.count({n, 5}) == 0);
    CHECK(nodes.count({n, 5}) == 1);
    for (std::size_t i = 1; i < 4; ++i) {   // the inside of a run is no slab of its own
        const auto* const inside = run + i * detail::slab_bytes;
        CHECK(std::none_of(frames.begin(), frames.end(), [&](const auto& found) { return found.first == inside; }));
    }
    for (std::byte* const s : {f, n, run}) detail::give_slabs(s);
    CHECK(walked(block_kind::frame).count({f, 4}) == 0);
    CHECK(walked(block_kind::node).count({n, 5}) == 0);
}

TEST_CASE("slab: one that is given back reads as zeros at once, also during a walk") {
    std::byte* const s = detail::take_slabs(detail::small_classes, block_kind::node);
    REQUIRE(s != nullptr);
    std::memset(s, 0x03, detail::slab_bytes);
    detail::slab_walk walk;
    std::byte* first = nullptr;
    std::uint32_t size_class = 0;
    bool found = false;
    while (!found && walk.next(block_kind::node, first, size_class)) found = first == s;
    CHECK(found);
    const std::size_t before = detail::slabs_in_use();
    detail::give_slabs(s);
    CHECK(detail::slabs_in_use() == before - 1);
    CHECK(reads_as_zeros(s, detail::slab_bytes));   // phase free, wherever a header may lie
    std::byte* const again = detail::take_slabs(0, block_kind::node);
    CHECK(again == s);
    CHECK(reads_as_zeros(again, detail::slab_bytes));
    detail::give_slabs(again);
}

TEST_CASE("slab: one of frames is used again only for frames of the same kind and size") {
    for (const block_kind kind : {block_kind::frame, block_kind::named_frame}) {
        for (const std::uint32_t size_class : {0u, 3u, detail::small_classes}) {
            CAPTURE(size_class);
            std::byte* const s = detail::take_slabs(size_class, kind);
            REQUIRE(s != nullptr);
            detail::give_slabs(s);
            const block_kind other = kind == block_kind::frame ? block_kind::named_frame : block_kind::frame;
            std::byte* const strangers[] = {detail::take_slabs(size_class, other), detail::take_slabs(size_class, block_kind::node),
                                            detail::take_slabs(size_class, block_kind::magazine),
                                            detail::take_slabs(size_class == 0 ? 1 : 0, kind),
                                            detail::take_slabs(detail::small_classes + (size_class == detail::small_classes ? 1u : 0u), kind)};
            for (std::byte* const stranger : strangers) {
                REQUIRE(stranger != nullptr);
                CHECK((stranger + detail::slab_bytes <= s || stranger >= s + detail::slab_bytes));
            }
            std::byte* const same = detail::take_slabs(size_class, kind);
            CHECK(same == s);
            CHECK(reads_as_zeros(same, detail::slab_bytes));
            detail::give_slabs(same);
            for (std::byte* const stranger : strangers) detail::give_slabs(stranger);
        }
    }
}

TEST_CASE("slab: every time it is taken is another birth") {
    std::byte* const s = detail::take_slabs(0, block_kind::node);
    REQUIRE(s != nullptr);
    const std::uint32_t births = detail::info_of(s).births;
    CHECK(births >= 1);
    detail::give_slabs(s);
    REQUIRE(detail::take_slabs(detail::small_classes, block_kind::node) == s);
    CHECK(detail::info_of(s).births == births + 1);
    detail::give_slabs(s);
}

TEST_CASE("slab: a slab is in one hand at a time") {
    constexpr unsigned threads = 4, rounds = 1'500;
    const std::size_t before = detail::slabs_in_use();
    std::atomic<std::uint64_t> collisions{0}, refused{0}, dirty{0};
    std::vector<std::thread> crew;
    for (unsigned t = 1; t <= threads; ++t) {
        crew.emplace_back([&, t] {
            for (unsigned round = 0; round < rounds; ++round) {
                std::byte* held[2] = {detail::take_slabs(0, block_kind::node),
                                      detail::take_slabs(detail::small_classes + round % 2, block_kind::node)};
                for (std::byte* const s : held) {
                    if (s == nullptr) ++refused;
                    else if (*reinterpret_cast<std::uint64_t*>(s) != 0) ++dirty;
                    else *reinterpret_cast<std::uint64_t*>(s) = t;
                }
                for (std::byte* const s : held) {
                    if (s == nullptr) continue;
                    if (*reinterpret_cast<std::uint64_t*>(s) != t) ++collisions;
                    detail::give_slabs(s);
                }
            }
        });
    }
    for (std::thread& t : crew) t.join();
    CHECK(collisions.load() == 0);
    CHECK(dirty.load() == 0);
    CHECK(refused.load() == 0);
    CHECK(detail::slabs_in_use() == before);
}
