// The intrusive list that takes frames when no memory is left to queue them.
#include "core/structures/frame_list.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace detail = lastly::detail;

namespace {

std::unique_ptr<detail::frame[]> make_frames(std::size_t count) {
    auto frames = std::make_unique<detail::frame[]>(count);
    for (std::size_t i = 0; i < count; ++i) frames[i].line.store(static_cast<std::uint32_t>(i), detail::relaxed);
    return frames;
}

}   // namespace

TEST_CASE("frame_list: an empty one gives nothing") {
    detail::frame_list list;
    detail::frame* f = nullptr;
    CHECK(list.take(&f, 1) == 0);
    CHECK(f == nullptr);
}

TEST_CASE("frame_list: frames come out in the order in which they came") {
    const auto frames = make_frames(10);
    detail::frame_list list;
    for (std::size_t i = 0; i < 10; ++i) list.push(frames[i]);
    detail::frame* got[16] = {};
    REQUIRE(list.take(got, 16) == 10);
    for (std::size_t i = 0; i < 10; ++i) CHECK(got[i] == &frames[i]);
    CHECK(list.take(got, 16) == 0);
}

TEST_CASE("frame_list: a taker of some leaves the rest in order before what came later") {
    const auto frames = make_frames(9);
    detail::frame_list list;
    detail::frame* got[4] = {};
    for (std::size_t i = 0; i < 6; ++i) list.push(frames[i]);
    REQUIRE(list.take(got, 2) == 2);
    CHECK(got[0] == &frames[0]);
    CHECK(got[1] == &frames[1]);
    for (std::size_t i = 6; i < 9; ++i) list.push(frames[i]);
    std::size_t next = 2;
    while (const std::size_t count = list.take(got, 3)) {
        for (std::size_t i = 0; i < count; ++i) CHECK(got[i] == &frames[next++]);
    }
    CHECK(next == 9);
}

TEST_CASE("frame_list: exactly as many as there are leave nothing behind") {
    const auto frames = make_frames(3);
    detail::frame_list list;
    detail::frame* got[3] = {};
    for (std::size_t i = 0; i < 3; ++i) list.push(frames[i]);
    CHECK(list.take(got, 3) == 3);
    CHECK(list.take(got, 3) == 0);
    list.push(frames[1]);   // a frame may come again
    CHECK(list.take(got, 3) == 1);
    CHECK(got[0] == &frames[1]);
}

TEST_CASE("frame_list: each frame goes to one of several takers, and none is lost") {
    constexpr std::size_t producers = 2, takers = 2, each = 20'000;
    const auto frames = make_frames(producers * each);
    const auto out = std::make_unique<std::atomic<std::uint32_t>[]>(producers * each);
    detail::frame_list list;
    std::atomic<std::size_t> taken{0};
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            for (std::size_t i = 0; i < each; ++i) list.push(frames[p * each + i]);
        });
    }
    for (std::size_t t = 0; t < takers; ++t) {
        threads.emplace_back([&, t] {
            detail::frame* got[8];
            while (taken.load() < producers * each) {
                const std::size_t count = list.take(got, t == 0 ? 8 : 3);
                for (std::size_t i = 0; i < count; ++i) {
                    out[got[i]->line.load(detail::relaxed)].fetch_add(1, std::memory_order_relaxed);
                }
                taken.fetch_add(count);
            }
        });
    }
    for (std::thread& t : threads) t.join();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < producers * each; ++i) wrong += out[i].load() == 1 ? 0u : 1u;
    CHECK(wrong == 0);
    CHECK(taken.load() == producers * each);
}

TEST_CASE("frame_list: one taker gets each producer's frames in their order") {
    constexpr std::size_t producers = 3, each = 10'000;
    const auto frames = make_frames(producers * each);
    detail::frame_list list;
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            for (std::size_t i = 0; i < each; ++i) list.push(frames[p * each + i]);
        });
    }
    std::size_t next[producers] = {}, taken = 0, wrong = 0;
    detail::frame* got[5];
    while (taken < producers * each) {
        const std::size_t count = list.take(got, 5);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t n = got[i]->line.load(detail::relaxed);
            wrong += n % each == next[n / each]++ ? 0u : 1u;
        }
        taken += count;
    }
    for (std::thread& t : threads) t.join();
    CHECK(wrong == 0);
}
