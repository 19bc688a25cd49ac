// The frame's header: its layout, its progress word, and its way to the store and back.
#include <lastly/detail/frame.hpp>

#include "core/structures/slab.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

using namespace lastly::detail;

// The header's layout is a contract with walkers and with the room that a handle's part takes.
static_assert(sizeof(frame) == 48 && alignof(frame) == 8 && std::is_standard_layout_v<frame>);
static_assert(std::is_trivially_default_constructible_v<frame> && std::is_trivially_destructible_v<frame>);
static_assert(offsetof(frame, ops) == 0 && offsetof(frame, progress) == 8 && offsetof(frame, state) == 16 && offsetof(frame, line) == 20);
static_assert(offsetof(frame, file) == 24 && offsetof(frame, stamp) == 32 && offsetof(frame, owner) == 40);
static_assert(sizeof(stop_slot) == 16 && sizeof(name_slot) == 8 && sizeof(chain_node) == 32);
static_assert(end_of_name(false) == sizeof(frame) && end_of_name(true) == sizeof(frame) + sizeof(name_slot));
static_assert(static_cast<int>(phase::free) == 0, "a page of zeros holds free frames");
static_assert(noexcept(allocate_frame({block_kind::frame, 1})) && !noexcept(find_run_to_defer_to(nullptr)));

TEST_CASE("progress: generation, pending finalizers and phase do not disturb each other") {
    for (const std::uint64_t generation : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xffff'ffff}}) {
        for (const std::uint64_t deferred : {std::uint64_t{0}, std::uint64_t{300}, std::uint64_t{0xfffe}}) {
            for (const std::uint64_t attached : {std::uint64_t{0}, std::uint64_t{12}, std::uint64_t{255}}) {
                for (const phase p : {phase::free, phase::building, phase::queued, phase::running, phase::finalizing, phase::held}) {
                    const std::uint64_t word = make_progress(generation, deferred, attached, p);
                    CHECK((word >> 32) == generation);
                    CHECK(pending_of(word) == deferred + attached);
                    CHECK(phase_of(word) == p);
                }
            }
        }
    }
}

TEST_CASE("progress: more deferred finalizers than it can count are shown as 65,535") {
    for (const std::uint64_t deferred : {std::uint64_t{0xffff}, std::uint64_t{0x10000}, std::uint64_t{5'000'000'000}}) {
        const std::uint64_t word = make_progress(7, deferred, 0, phase::running);
        CHECK(pending_of(word) == 0xffff);
        CHECK((word >> 32) == 7);
        CHECK(phase_of(word) == phase::running);
    }
}

TEST_CASE("frame: showing a phase keeps the generation") {
    frame* const f = allocate_frame({block_kind::frame, 64});
    REQUIRE(f != nullptr);
    f->progress.store(make_progress(0xffff'fffd, 0, 0, phase::building), relaxed);   // near the wrap
    f->show(phase::running, 3, 2);
    CHECK(f->generation() == 0xffff'fffd);
    CHECK(phase_of(f->progress.load(relaxed)) == phase::running);
    CHECK(pending_of(f->progress.load(relaxed)) == 5);
    f->show(phase::free, 0, 0);
    CHECK(f->generation() == 0xffff'fffd);
    release_frame(*f, {block_kind::frame, 64});
}

TEST_CASE("frame: its bytes begin at its header") {
    frame* const f = allocate_frame({block_kind::frame, 100});
    REQUIRE(f != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(f) % 64 == 0);
    CHECK(static_cast<void*>(f->at(0)) == f);
    CHECK(f->at(48) - f->at(0) == 48);
    f->file.store("here.cpp", relaxed);
    f->line.store(9, relaxed);
    CHECK(f->site().line == 9);
    CHECK(f->site().file == f->file.load(relaxed));
    release_frame(*f, {block_kind::frame, 100});
}

TEST_CASE("first_generation: the same frame's births begin at different generations, none of them zero") {
    std::byte* const s = take_slabs(0, block_kind::frame);
    REQUIRE(s != nullptr);
    const auto& f = *reinterpret_cast<const frame*>(s + 128);
    const std::uint64_t first = first_generation(f);
    CHECK(first != 0);
    CHECK((first >> 32) == 0);   // it fits the progress word
    give_slabs(s);
    REQUIRE(take_slabs(0, block_kind::frame) == s);
    const std::uint64_t second = first_generation(f);
    CHECK(second != 0);
    CHECK(second != first);
    give_slabs(s);
}

TEST_CASE("run_record: a new one would start the body, outside of any task") {
    run_record r;
    CHECK(r.start);
    CHECK_FALSE(r.rejected);
    CHECK_FALSE(r.finalizing);
    CHECK(r.task == nullptr);
    CHECK(r.chain->deferred == nullptr);
    CHECK(r.chain->reported == nullptr);
    CHECK(r.attached + r.run + r.thrown == 0);
    CHECK(current_run() == nullptr);
}
