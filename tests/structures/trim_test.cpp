// Giving slabs back: complete ones only, none that is in use, and nothing lost on the way.
#include "block_exchange.hpp"

#include "core/structures/frame_store.hpp"
#include "core/structures/magazine.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

namespace detail = lastly::detail;
using detail::block_kind;

namespace {

constexpr std::size_t bytes = 2048;
constexpr std::uint32_t size_class = detail::class_of(bytes);
constexpr std::size_t per_slab = detail::slab_bytes / bytes;

// A thread that uses that many slabs' worth of blocks at once and ends: all of them lie in the depot then.
void fill_depot(std::size_t slabs) {
    std::thread([slabs] {
        std::vector<void*> blocks;
        for (std::size_t i = 0; i < slabs * per_slab; ++i) blocks.push_back(detail::allocate_block({block_kind::node, bytes}));
        for (void* const block : blocks) detail::release_block({block_kind::node, bytes}, block);
    }).join();
}

// Nothing waits in the depot, but for what other tests' blocks in use keep there.
void start_clean() {
    detail::flush_thread_cache();
    detail::trim(0, nullptr, nullptr);
}

}   // namespace

TEST_CASE("trim: slabs whose blocks all wait in the depot go back") {
    start_clean();
    const std::size_t before = detail::slabs_in_use();
    const std::uint64_t waiting = detail::waiting_magazines(block_kind::node, size_class);
    fill_depot(20);
    const std::size_t filled = detail::slabs_in_use();
    CHECK(filled >= before + 20);
    detail::trim(0, nullptr, nullptr);
    CHECK(detail::slabs_in_use() <= filled - 20);
    CHECK(detail::waiting_magazines(block_kind::node, size_class) <= waiting);
}

TEST_CASE("trim: slabs go back while a walk is in the midst of them, too") {
    start_clean();
    fill_depot(10);
    const std::size_t filled = detail::slabs_in_use();
    detail::slab_walk walk;
    std::byte* first = nullptr;
    std::uint32_t found_class = 0;
    REQUIRE(walk.next(block_kind::node, first, found_class));
    detail::trim(0, nullptr, nullptr);
    CHECK(detail::slabs_in_use() <= filled - 10);
    while (walk.next(block_kind::node, first, found_class)) CHECK(detail::info_of(first).use.load(detail::relaxed) != 0);
    fill_depot(10);   // the same slabs again
    CHECK(detail::slabs_in_use() <= filled);
    detail::trim(0, nullptr, nullptr);
}

TEST_CASE("trim: a slab of which one block is in use stays, and its other blocks are used again") {
    start_clean();
    std::vector<std::byte*> kept;
    std::thread([&kept] {
        std::vector<void*> blocks;
        for (std::size_t i = 0; i < 4 * per_slab; ++i) blocks.push_back(detail::allocate_block({block_kind::node, bytes}));
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            if (i % per_slab == 5) kept.push_back(static_cast<std::byte*>(blocks[i]));
            else detail::release_block({block_kind::node, bytes}, blocks[i]);
        }
    }).join();
    for (std::byte* const block : kept) *reinterpret_cast<std::uint64_t*>(block) = reinterpret_cast<std::uintptr_t>(block);
    const std::size_t filled = detail::slabs_in_use();
    detail::trim(0, nullptr, nullptr);
    CHECK(detail::slabs_in_use() == filled);
    for (std::byte* const block : kept) CHECK(*reinterpret_cast<std::uint64_t*>(block) == reinterpret_cast<std::uintptr_t>(block));
    fill_depot(3);
    CHECK(detail::slabs_in_use() == filled);   // 4 slabs less 4 blocks hold 3 slabs' worth
    std::thread([&kept] {
        for (std::byte* const block : kept) detail::release_block({block_kind::node, bytes}, block);
    }).join();
    detail::trim(0, nullptr, nullptr);
    CHECK(detail::slabs_in_use() <= filled - 4);
}

TEST_CASE("trim: it leaves the depot alone while no more magazines wait than are to be kept") {
    start_clean();
    fill_depot(10);
    const std::uint64_t waiting = detail::waiting_magazines(block_kind::node, size_class);
    const std::size_t filled = detail::slabs_in_use();
    REQUIRE(waiting > 2);
    detail::trim(waiting, nullptr, nullptr);
    CHECK(detail::slabs_in_use() == filled);
    CHECK(detail::waiting_magazines(block_kind::node, size_class) == waiting);
    detail::trim(0, nullptr, nullptr);
    CHECK(detail::slabs_in_use() < filled);
}

TEST_CASE("trim: it stops when it is told to, and loses no block") {
    start_clean();
    fill_depot(10);
    const std::size_t filled = detail::slabs_in_use();
    int asked = 0;
    const auto stop_at_the_second = [](void* count) { return ++*static_cast<int*>(count) < 2; };
    detail::trim(0, stop_at_the_second, &asked);
    CHECK(asked >= 2);
    CHECK(detail::slabs_in_use() == filled);
    fill_depot(10);
    CHECK(detail::slabs_in_use() == filled);   // all of the blocks were still there
    detail::trim(0, nullptr, nullptr);
    CHECK(detail::slabs_in_use() <= filled - 10);
}

TEST_CASE("trim: what stays after a stop is counted anew the next time") {
    start_clean();
    fill_depot(6);
    const std::size_t filled = detail::slabs_in_use();
    for (int limit = 1; limit < 6; ++limit) {
        int left = limit;
        detail::trim(0, [](void* n) { return --*static_cast<int*>(n) > 0; }, &left);
    }
    std::set<void*> taken;
    std::thread([&taken] {
        for (std::size_t i = 0; i < 6 * per_slab; ++i) taken.insert(detail::allocate_block({block_kind::node, bytes}));
        for (void* const block : taken) detail::release_block({block_kind::node, bytes}, block);
    }).join();
    CHECK(taken.size() == 6 * per_slab);
    detail::trim(0, nullptr, nullptr);
    CHECK(detail::slabs_in_use() <= filled - 6);
}

TEST_CASE("trim: several trimmers at once give no slab back that is in use") {
    std::atomic<bool> over{false};
    std::vector<std::thread> trimmers;
    for (int i = 0; i < 2; ++i) {
        trimmers.emplace_back([&over, i] {
            while (!over.load()) {
                if (i == 0) {
                    detail::walk_frames([](detail::frame&, void*) {}, nullptr);
                    detail::trim(0, nullptr, nullptr);
                } else {
                    detail::trim(1, nullptr, nullptr);
                }
                std::this_thread::yield();
            }
        });
    }
    std::uint64_t collisions = 0, refused = 0;
    for (int round = 0; round < 40; ++round) {   // threads that end leave slabs to trim
        block_exchange nodes(block_kind::node, {256, bytes, 8192});
        nodes.run(3, 600);
        collisions += nodes.collisions();
        refused += nodes.refused();
    }
    over = true;
    for (std::thread& t : trimmers) t.join();
    CHECK(collisions == 0);
    CHECK(refused == 0);
    detail::trim(0, nullptr, nullptr);
}
