// Looking at a frame that others use: what a look shows belongs to one task.
#include "core/structures/frame_view.hpp"

#include "lastly/detail/build.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace detail = lastly::detail;
using detail::phase;

namespace {

constexpr std::array<const char*, 4> names = {"north", "east", "south", "west"};
constexpr std::array<const char*, 3> files = {"a.cpp", "b.cpp", "c.cpp"};
constexpr detail::frame_ops nameless{nullptr, nullptr, nullptr, nullptr, {detail::block_kind::frame, 64}, 3, false, false, false};
constexpr detail::frame_ops named_first{nullptr, nullptr, nullptr, nullptr, {detail::block_kind::named_frame, 64}, 1, true, false, false};
constexpr detail::frame_ops named_second{nullptr, nullptr, nullptr, nullptr, {detail::block_kind::named_frame, 64}, 2, true, true, false};

// Not from the store: its generations begin at one.
struct alignas(64) one_frame {
    std::byte bytes[64]{};
    one_frame() { get().progress.store(detail::make_progress(1, 0, 0, phase::free), detail::relaxed); }
    detail::frame& get() { return *reinterpret_cast<detail::frame*>(bytes); }
};

const detail::frame_ops& ops_for(std::uint64_t n) { return n % 3 == 0 ? nameless : n % 3 == 1 ? named_first : named_second; }

// All that a look shows follows from the frame's generation.
void build(detail::frame& f) {
    const std::uint64_t n = f.generation() + 1;
    const detail::frame_ops& ops = ops_for(n);
    detail::prepare_frame(f, ops, {files[n % files.size()], static_cast<std::uint32_t>(n)});
    if (ops.named) detail::store_name(f, names[n % names.size()]);
    f.owner.store(reinterpret_cast<detail::pool_anchor*>(n * 64), detail::release);
    f.stamp.store(n * 7, detail::release);
}

bool belongs_to_one_task(const detail::frame_view& v) {
    const std::uint64_t n = v.progress >> 32;
    const bool name_fits = n % 3 == 0 ? *v.name == '\0' : v.name == names[n % names.size()];
    return name_fits && v.site.line == static_cast<std::uint32_t>(n) && v.site.file == files[n % files.size()] &&
           v.stamp == n * 7 && v.owner == reinterpret_cast<detail::pool_anchor*>(n * 64) &&
           (v.progress >> 8 & 0xff) == ops_for(n).attached;
}

}   // namespace

TEST_CASE("frame_view: a free frame and one being built show nothing") {
    one_frame storage;
    detail::frame& f = storage.get();
    detail::frame_view v{};
    CHECK_FALSE(detail::look(f, v));   // never used
    build(f);
    CHECK_FALSE(detail::look(f, v));
    f.show(phase::queued, 0, 3);
    CHECK(detail::look(f, v));
    f.show(phase::free, 0, 0);
    CHECK_FALSE(detail::look(f, v));
}

TEST_CASE("frame_view: a look shows the fields of the task in every phase") {
    one_frame storage;
    detail::frame& f = storage.get();
    for (int task = 0; task < 6; ++task) {
        build(f);
        const std::uint64_t n = f.generation();
        CHECK(n == static_cast<std::uint64_t>(task) + 2);
        for (const phase p : {phase::queued, phase::running, phase::finalizing, phase::held}) {
            f.show(p, 5, ops_for(n).attached);
            detail::frame_view v{};
            REQUIRE(detail::look(f, v));
            CHECK(belongs_to_one_task(v));
            CHECK(detail::phase_of(v.progress) == p);
            CHECK(detail::pending_of(v.progress) == 5u + ops_for(n).attached);
        }
        f.show(phase::free, 0, 0);
    }
}

TEST_CASE("frame_view: a frame has a name if its type has one and it was stored") {
    one_frame storage;
    detail::frame& f = storage.get();
    CHECK(*detail::name_of(f) == '\0');   // never used: no type
    detail::prepare_frame(f, nameless, {"x.cpp", 1});
    CHECK(*detail::name_of(f) == '\0');
    detail::prepare_frame(f, named_second, {"x.cpp", 1});
    CHECK(*detail::name_of(f) == '\0');   // not stored yet
    detail::store_name(f, names[2]);
    CHECK(detail::name_of(f) == names[2]);
}

TEST_CASE("frame_view: a look never shows a mixture of two tasks") {
    one_frame storage;
    detail::frame& f = storage.get();
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> seen{0}, mixed{0}, odd_phase{0};
    std::vector<std::thread> readers;
    for (int r = 0; r < 2; ++r) {
        readers.emplace_back([&] {
            detail::frame_view v{};
            std::uint64_t found = 0;
            do {   // at least once after the end
                if (!detail::look(f, v)) continue;
                ++found;
                if (!belongs_to_one_task(v)) ++mixed;
                const phase p = detail::phase_of(v.progress);
                if (p == phase::free || p == phase::building || p > phase::held) ++odd_phase;
            } while (!over.load(std::memory_order_acquire));
            seen += found;
        });
    }
    for (int task = 0; task < 200'000; ++task) {
        build(f);
        const std::uint64_t attached = ops_for(f.generation()).attached;
        for (const phase p : {phase::queued, phase::running, phase::finalizing}) f.show(p, 0, attached);
        if (task % 1'000 == 0) std::this_thread::yield();   // two CPUs, three threads
        if (task != 199'999) f.show(phase::free, 0, 0);
    }
    over.store(true, std::memory_order_release);
    for (std::thread& r : readers) r.join();
    CHECK(mixed.load() == 0);
    CHECK(odd_phase.load() == 0);
    CHECK(seen.load() > 0);
}
