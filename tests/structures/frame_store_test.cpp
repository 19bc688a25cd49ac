// The frame store: blocks of every size, exchanged between threads, and memory that stays flat.
#include "core/structures/frame_store.hpp"

#include "block_exchange.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace detail = lastly::detail;
using detail::block_kind;

namespace {

void in_a_thread_of_its_own(const auto& work) { std::thread(work).join(); }

std::set<detail::frame*> walked_frames() {
    std::set<detail::frame*> found;
    detail::walk_frames([](detail::frame& f, void* to) { static_cast<std::set<detail::frame*>*>(to)->insert(&f); }, &found);
    return found;
}

void show(detail::frame& f, detail::phase p) { f.show(p, 0, 0); }

}   // namespace

TEST_CASE("frame_store: a block is aligned to a cache line and holds what was asked for") {
    for (const std::size_t bytes : {1u, 48u, 64u, 65u, 128u, 129u, 500u, 1025u, 3000u, 8192u, 8193u, 20u << 10, 70u << 10, 1u << 20}) {
        CAPTURE(bytes);
        void* const block = detail::allocate_block({block_kind::node, bytes});
        REQUIRE(block != nullptr);
        CHECK(detail::bytes_of_block(block) >= bytes);
        CHECK(detail::bytes_of_block(block) == detail::block_size(detail::block_kind::frame, bytes).usable);
        CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
        std::memset(block, 0x5a, detail::bytes_of_block(block));
        detail::release_block({block_kind::node, bytes}, block);
    }
}

TEST_CASE("frame_store: blocks in use do not overlap") {
    for (std::uint32_t c = 0; c < detail::small_classes; ++c) {
        CAPTURE(c);
        const std::size_t bytes = detail::bytes_of(c);
        std::vector<std::byte*> blocks;
        for (int i = 0; i < 150; ++i) {   // more than two magazines
            blocks.push_back(static_cast<std::byte*>(detail::allocate_block({block_kind::node, bytes})));
            REQUIRE(blocks.back() != nullptr);
        }
        std::sort(blocks.begin(), blocks.end());
        std::size_t overlaps = 0;
        for (std::size_t i = 1; i < blocks.size(); ++i) overlaps += blocks[i] < blocks[i - 1] + bytes ? 1u : 0u;
        CHECK(overlaps == 0);
        for (std::byte* const block : blocks) detail::release_block({block_kind::node, bytes}, block);
    }
}

TEST_CASE("frame_store: more than 16 MiB is refused") {
    CHECK(detail::allocate_block({block_kind::frame, (16u << 20) + 1}) == nullptr);
    CHECK(detail::allocate_frame({detail::block_kind::frame, ~std::size_t{0}}) == nullptr);
}

TEST_CASE("frame_store: without memory a large block is refused, and the next one is there") {
    const std::size_t before = detail::slabs_in_use();
    detail::fail_slabs(1);
    CHECK(detail::allocate_block({block_kind::node, 20 << 10}) == nullptr);
    void* const block = detail::allocate_block({block_kind::node, 20 << 10});
    CHECK(block != nullptr);
    detail::release_block({block_kind::node, 20 << 10}, block);
    CHECK(detail::slabs_in_use() == before);
}

TEST_CASE("frame_store: without memory a small block is refused, and the next one is there") {
    bool refused = false, later = false;
    in_a_thread_of_its_own([&] {
        std::vector<void*> held;
        for (int i = 0; i < 1'000'000 && !refused; ++i) {
            detail::fail_slabs(1);
            void* const block = detail::allocate_block({block_kind::node, 3072});
            if (block != nullptr) held.push_back(block);
            else refused = true;
        }
        detail::fail_slabs(0);
        held.push_back(detail::allocate_block({block_kind::node, 3072}));
        later = held.back() != nullptr;
        for (void* const block : held) {
            if (block != nullptr) detail::release_block({block_kind::node, 3072}, block);
        }
    });
    CHECK(refused);
    CHECK(later);
}

TEST_CASE("frame_store: a frame that comes back on its thread is used next, and keeps its generation") {
    detail::frame* const f = detail::allocate_frame({detail::block_kind::frame, 100});
    REQUIRE(f != nullptr);
    f->progress.store(detail::make_progress(77, 0, 0, detail::phase::free), detail::relaxed);
    detail::release_frame(*f, {detail::block_kind::frame, 100});
    detail::frame* const again = detail::allocate_frame({detail::block_kind::frame, 128});
    CHECK(again == f);
    CHECK(again->generation() == 77);
    CHECK(detail::phase_of(again->progress.load(detail::relaxed)) == detail::phase::free);
    detail::release_frame(*again, {detail::block_kind::frame, 128});
}

TEST_CASE("frame_store: frames with and without a name and nodes never share a slab") {
    constexpr block_kind kinds[] = {block_kind::frame, block_kind::named_frame, block_kind::node};
    std::vector<void*> blocks[3];
    std::set<std::uint32_t> slabs[3];
    for (int i = 0; i < 200; ++i) {
        for (std::size_t k = 0; k < 3; ++k) {
            blocks[k].push_back(detail::allocate_block({kinds[k], 64}));
            slabs[k].insert(detail::slab_number(blocks[k].back()));
        }
    }
    for (std::size_t k = 0; k < 3; ++k) {
        for (void* const b : blocks[k]) {
            CHECK(slabs[(k + 1) % 3].count(detail::slab_number(b)) + slabs[(k + 2) % 3].count(detail::slab_number(b)) == 0);
            detail::release_block({kinds[k], 64}, b);
        }
    }
}

TEST_CASE("frame_store: after a flush another thread uses what this one had cached") {
    constexpr std::size_t bytes = 1536;
    void* mine = nullptr;
    bool found = false;
    in_a_thread_of_its_own([&] {
        mine = detail::allocate_block({block_kind::node, bytes});
        detail::release_block({block_kind::node, bytes}, mine);
        detail::flush_thread_cache();
        detail::flush_thread_cache();   // nothing left: no harm
        in_a_thread_of_its_own([&] {
            std::vector<void*> held;
            for (int i = 0; i < 500 && !found; ++i) {
                held.push_back(detail::allocate_block({block_kind::node, bytes}));
                found = held.back() == mine;
            }
            for (void* const block : held) detail::release_block({block_kind::node, bytes}, block);
        });
    });
    CHECK(found);
}

TEST_CASE("frame_store: a block is in one hand at a time while threads exchange them") {
    block_exchange frames(block_kind::frame, {64, 128, 640});
    frames.run(4, 30'000);
    CHECK(frames.collisions() == 0);
    CHECK(frames.refused() == 0);
    block_exchange named(block_kind::named_frame, {64, 256, 20 << 10});
    named.run(4, 3'000);
    CHECK(named.collisions() == 0);
    CHECK(named.refused() == 0);
    block_exchange nodes(block_kind::node, {64, 4096, 8192, 20 << 10});
    nodes.run(4, 6'000);
    CHECK(nodes.collisions() == 0);
    CHECK(nodes.refused() == 0);
}

TEST_CASE("frame_store: memory stays flat when one thread allocates and another frees") {
    std::size_t settled = 0;
    for (int round = 0; round < 60; ++round) {
        std::vector<void*> blocks;
        for (int i = 0; i < 1'000; ++i) blocks.push_back(detail::allocate_block({block_kind::node, 256}));
        in_a_thread_of_its_own([&] {
            for (void* const block : blocks) detail::release_block({block_kind::node, 256}, block);
        });
        if (round == 10) settled = detail::slabs_in_use();
    }
    CHECK(detail::slabs_in_use() <= settled + 1);
}

TEST_CASE("frame_store: memory stays flat over 2,000 short threads") {
    std::size_t settled = 0;
    std::vector<void*> left;   // by the thread before
    for (int n = 0; n < 2'000; ++n) {
        in_a_thread_of_its_own([&] {
            std::vector<void*> mine;
            for (int i = 0; i < 12; ++i) mine.push_back(detail::allocate_block({block_kind::frame, i % 2 == 0 ? 64u : 320u}));
            for (std::size_t i = 0; i < left.size(); ++i) detail::release_block({block_kind::frame, i % 2 == 0 ? 64u : 320u}, left[i]);
            left.assign(mine.begin(), mine.begin() + 6);
            for (std::size_t i = 6; i < 12; ++i) detail::release_block({block_kind::frame, i % 2 == 0 ? 64u : 320u}, mine[i]);
        });
        if (n == 100) settled = detail::slabs_in_use();
    }
    CHECK(detail::slabs_in_use() <= settled);
    for (std::size_t i = 0; i < left.size(); ++i) detail::release_block({block_kind::frame, i % 2 == 0 ? 64u : 320u}, left[i]);
}

TEST_CASE("frame_store: a walk visits each frame in use, and no free one") {
    std::vector<detail::frame*> frames;
    for (const std::size_t bytes : {64u, 64u, 200u, 8192u, 20u << 10}) {
        frames.push_back(detail::allocate_frame({detail::block_kind::frame, bytes}));
        REQUIRE(frames.back() != nullptr);
        CHECK(walked_frames().count(frames.back()) == 0);
        show(*frames.back(), detail::phase::building);
    }
    const auto found = walked_frames();
    for (detail::frame* const f : frames) CHECK(found.count(f) == 1);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        show(*frames[i], detail::phase::free);
        detail::release_frame(*frames[i], {detail::block_kind::frame, std::vector<std::size_t>{64, 64, 200, 8192, 20 << 10}[i]});
    }
    const auto later = walked_frames();
    for (detail::frame* const f : frames) CHECK(later.count(f) == 0);
}

namespace {

// A slab of frames that is given back while a walk is in the midst of it, and what is taken meanwhile.
struct reborn_slab {
    std::byte* slab;
    std::size_t visits;
    std::vector<std::byte*> taken;

    static void visit(detail::frame& f, void* self) {
        auto& s = *static_cast<reborn_slab*>(self);
        const auto* const at = reinterpret_cast<std::byte*>(&f);
        if (at < s.slab || at >= s.slab + detail::slab_bytes || ++s.visits > 1) return;
        show(f, detail::phase::free);
        detail::give_slabs(s.slab);
        for (const auto kind : {block_kind::node, block_kind::magazine}) {
            s.taken.push_back(detail::take_slabs(detail::small_classes, kind));
            if (s.taken.back() != nullptr) std::memset(s.taken.back(), 0x02, detail::slab_bytes);   // every byte could be a phase
        }
    }
};

}   // namespace

TEST_CASE("frame_store: a walk does not take for frames what a slab has become meanwhile") {
    reborn_slab s{detail::take_slabs(0, block_kind::frame), 0, {}};
    REQUIRE(s.slab != nullptr);
    show(*reinterpret_cast<detail::frame*>(s.slab), detail::phase::building);
    detail::walk_frames(&reborn_slab::visit, &s);
    CHECK(s.visits == 1);
    for (std::byte* const slab : s.taken) {
        REQUIRE(slab != nullptr);
        detail::give_slabs(slab);
    }
}

TEST_CASE("frame_store: a walk goes on while frames come and go") {
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> turns{0};
    detail::frame* const steady = detail::allocate_frame({detail::block_kind::frame, 64});
    REQUIRE(steady != nullptr);
    show(*steady, detail::phase::queued);
    std::thread busy([&] {
        while (!over.load()) {
            detail::frame* frames[40];
            for (detail::frame*& f : frames) {
                f = detail::allocate_frame({detail::block_kind::frame, 64});
                if (f != nullptr) show(*f, detail::phase::queued);
            }
            for (detail::frame* const f : frames) {
                if (f == nullptr) continue;
                show(*f, detail::phase::free);
                detail::release_frame(*f, {detail::block_kind::frame, 64});
            }
            ++turns;
        }
    });
    std::size_t missed = 0;
    for (int walk = 0; walk < 200 || turns.load() < 10; ++walk) missed += walked_frames().count(steady) == 1 ? 0u : 1u;
    over = true;
    busy.join();
    CHECK(missed == 0);
    show(*steady, detail::phase::free);
    detail::release_frame(*steady, {detail::block_kind::frame, 64});
}
