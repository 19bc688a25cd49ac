// The queue from outside: nothing is lost or doubled, with and without memory for it.
#include "core/structures/injector.hpp"

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
std::size_t number_of(const detail::frame* f) { return f->line.load(detail::relaxed); }

}   // namespace

TEST_CASE("injector: an empty one gives nothing, with and without a consumer") {
    detail::injector queue;
    const auto consumer = queue.make_consumer();
    detail::frame* got[4] = {};
    CHECK(queue.take(consumer.get(), got, 4) == 0);
    CHECK(queue.take(nullptr, got, 4) == 0);
    CHECK(queue.take_spilled(got, 4) == 0);
}

TEST_CASE("injector: one producer's frames come out in their order") {
    constexpr std::size_t count = 2'000;
    const auto frames = make_frames(count);
    detail::injector queue;
    const auto producer = queue.make_producer();
    REQUIRE(producer != nullptr);
    for (const bool with_consumer : {true, false}) {
        CAPTURE(with_consumer);
        const auto consumer = with_consumer ? queue.make_consumer() : nullptr;
        for (std::size_t i = 0; i < count; ++i) queue.push(producer.get(), frames[i]);
        std::size_t next = 0, wrong = 0;
        detail::frame* got[64];
        while (const std::size_t taken = queue.take(consumer.get(), got, 64)) {
            for (std::size_t i = 0; i < taken; ++i) wrong += got[i] == &frames[next++] ? 0u : 1u;
        }
        CHECK(next == count);
        CHECK(wrong == 0);
    }
}

TEST_CASE("injector: it goes on in order when it uses its blocks again and again") {
    constexpr std::size_t wave = 3'000;
    const auto frames = make_frames(wave);
    detail::injector queue;
    const auto producer = queue.make_producer();
    const auto consumer = queue.make_consumer();
    std::size_t wrong = 0;
    for (int round = 0; round < 20; ++round) {
        for (std::size_t i = 0; i < wave; ++i) queue.push(producer.get(), frames[i]);
        std::size_t next = 0;
        detail::frame* got[100];
        while (const std::size_t taken = queue.take(consumer.get(), got, 100)) {
            for (std::size_t i = 0; i < taken; ++i) wrong += got[i] == &frames[next++] ? 0u : 1u;
        }
        wrong += next == wave ? 0u : 1u;
    }
    CHECK(wrong == 0);
}

TEST_CASE("injector: a taker gets at most as many as it asked for") {
    const auto frames = make_frames(600);
    detail::injector queue;
    const auto producer = queue.make_producer();
    for (std::size_t i = 0; i < 600; ++i) queue.push(producer.get(), frames[i]);
    detail::frame* got[600] = {};
    CHECK(queue.take(nullptr, got, 1) == 1);
    CHECK(got[1] == nullptr);
    CHECK(queue.take(nullptr, got, 3) == 3);
    CHECK(got[3] == nullptr);
    std::size_t taken = 4;
    while (const std::size_t n = queue.take(nullptr, got, 600)) taken += n;   // more than one batch
    CHECK(taken == 600);
}

TEST_CASE("injector: without a producer a frame goes to the overflow list, in order") {
    const auto frames = make_frames(5);
    detail::injector queue;
    for (std::size_t i = 0; i < 5; ++i) queue.push(nullptr, frames[i]);
    detail::frame* got[8] = {};
    REQUIRE(queue.take_spilled(got, 2) == 2);
    CHECK(number_of(got[0]) == 0);
    CHECK(number_of(got[1]) == 1);
    REQUIRE(queue.take(nullptr, got, 8) == 3);
    CHECK(number_of(got[0]) == 2);
    CHECK(number_of(got[2]) == 4);
    CHECK(queue.take(nullptr, got, 8) == 0);
}

TEST_CASE("injector: what was spilled comes before what was queued") {
    const auto frames = make_frames(4);
    detail::injector queue;
    const auto producer = queue.make_producer();
    queue.push(producer.get(), frames[0]);
    queue.spill(frames[1]);
    queue.push(producer.get(), frames[2]);
    queue.spill(frames[3]);
    detail::frame* got[4] = {};
    std::vector<std::size_t> order;
    while (const std::size_t n = queue.take(nullptr, got, 4)) {
        for (std::size_t i = 0; i < n; ++i) order.push_back(number_of(got[i]));
    }
    CHECK(order == std::vector<std::size_t>{1, 3, 0, 2});
}

TEST_CASE("injector: it may be destroyed with frames in it, which stay their owners'") {
    const auto frames = make_frames(3);
    {
        detail::injector queue;
        const auto producer = queue.make_producer();
        queue.push(producer.get(), frames[0]);
        queue.push(nullptr, frames[1]);
        queue.spill(frames[2]);
    }
    CHECK(number_of(&frames[0]) == 0);
}

TEST_CASE("injector: a producer that is gone leaves its frames to be taken") {
    const auto frames = make_frames(100);
    detail::injector queue;
    for (std::size_t i = 0; i < 100; ++i) queue.push(queue.make_producer().get(), frames[i]);
    std::vector<int> out(100, 0);
    detail::frame* got[16];
    while (const std::size_t n = queue.take(nullptr, got, 16)) {
        for (std::size_t i = 0; i < n; ++i) ++out[number_of(got[i])];
    }
    CHECK(out == std::vector<int>(100, 1));
}

namespace {

constexpr std::size_t each = 2'500;

// Producers push all frames, one in `spill_every` to the overflow list; takers count what they get.
std::size_t wrong_after_exchange(std::size_t producers, std::size_t takers, std::size_t share, std::size_t spill_every) {
    const std::size_t count = producers * share;
    const auto frames = make_frames(count);
    const auto out = std::make_unique<std::atomic<std::uint32_t>[]>(count);
    detail::injector queue;
    std::atomic<std::size_t> taken{0};
    std::vector<std::thread> crew;
    for (std::size_t p = 0; p < producers; ++p) {
        crew.emplace_back([&, p] {
            const auto mine = queue.make_producer();
            for (std::size_t i = 0; i < share; ++i) {
                queue.push(spill_every != 0 && i % spill_every == 0 ? nullptr : mine.get(), frames[p * share + i]);
            }
        });
    }
    for (std::size_t t = 0; t < takers; ++t) {
        crew.emplace_back([&, t] {
            const auto mine = t == 0 ? nullptr : queue.make_consumer();
            detail::frame* got[32];
            while (taken.load() < count) {
                const std::size_t n = queue.take(mine.get(), got, t % 2 == 0 ? 32 : 5);
                for (std::size_t i = 0; i < n; ++i) out[number_of(got[i])].fetch_add(1, std::memory_order_relaxed);
                if (n == 0) std::this_thread::yield();
                taken.fetch_add(n);
            }
        });
    }
    for (std::thread& t : crew) t.join();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) wrong += out[i].load() == 1 ? 0u : 1u;
    return wrong;
}

}   // namespace

TEST_CASE("injector: each frame of several producers is taken exactly once") {
    for (int round = 0; round < 24; ++round) {
        CHECK(wrong_after_exchange(1, 1, each, 0) == 0);
        CHECK(wrong_after_exchange(3, 1, each, 0) == 0);
        CHECK(wrong_after_exchange(3, 3, each, 0) == 0);
    }
    CHECK(wrong_after_exchange(2, 2, 40 * each, 0) == 0);   // the index that the queue would have by itself goes round
}

TEST_CASE("injector: each frame is taken exactly once also when some overflow") {
    for (int round = 0; round < 9; ++round) {
        CHECK(wrong_after_exchange(3, 2, each, 3) == 0);
        CHECK(wrong_after_exchange(2, 3, each, 1) == 0);
    }
}

TEST_CASE("injector: the taker sees what the producer wrote into the frame") {
    constexpr std::size_t count = 3 * each;
    const auto frames = make_frames(count);
    std::vector<std::uint64_t> letters(count, 0);   // plain: the queue must order it
    detail::injector queue;
    std::thread producer([&] {
        const auto mine = queue.make_producer();
        for (std::size_t i = 0; i < count; ++i) {
            letters[i] = i + 1;
            queue.push(i % 7 == 0 ? nullptr : mine.get(), frames[i]);
        }
    });
    std::size_t taken = 0, wrong = 0;
    detail::frame* got[16];
    while (taken < count) {
        const std::size_t n = queue.take(nullptr, got, 16);
        for (std::size_t i = 0; i < n; ++i) wrong += letters[number_of(got[i])] == number_of(got[i]) + 1 ? 0u : 1u;
        taken += n;
    }
    producer.join();
    CHECK(wrong == 0);
}
