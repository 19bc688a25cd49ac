// The deque against a model, at capacities that make it grow and wrap around at once.
#include "core/structures/deque.hpp"

#include "core/base/test_point.hpp"

#include "steal_stress.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <thread>
#include <vector>

namespace detail = lastly::detail;

namespace {

// The deque never looks into a frame: a number stands for one.
detail::deque_item item(std::uintptr_t n) { return {reinterpret_cast<detail::frame*>(n * 64), n}; }

std::uintptr_t number_of(const detail::deque_item& i) {
    CHECK(reinterpret_cast<std::uintptr_t>(i.task) == i.tag * 64);   // frame and tag travel together
    return i.tag;
}

std::uintptr_t popped(detail::deque& d) {
    detail::deque_item i;
    return d.pop(i) ? number_of(i) : 0;
}

std::uintptr_t stolen(detail::deque& d) {
    detail::deque_item i;
    bool contended = false;
    const bool got = d.steal(i, contended);
    CHECK_FALSE(contended);   // nobody else is here
    return got ? number_of(i) : 0;
}

}   // namespace

TEST_CASE("deque: an empty one gives nothing to anybody") {
    for (const std::size_t capacity : {2u, 4u}) {
        CAPTURE(capacity);
        detail::deque d(capacity);
        detail::deque_item i;
        CHECK(d.size() == 0);
        CHECK_FALSE(d.pop(i));
        CHECK_FALSE(d.take_oldest(i));
        CHECK(stolen(d) == 0);
        CHECK(d.push(item(7)));
        CHECK(popped(d) == 7);
        CHECK(popped(d) == 0);
        CHECK(stolen(d) == 0);
        CHECK(d.size() == 0);
    }
}

TEST_CASE("deque: the owner pops the youngest item") {
    detail::deque d(4);
    for (std::uintptr_t n = 1; n <= 3; ++n) REQUIRE(d.push(item(n)));
    CHECK(popped(d) == 3);
    CHECK(popped(d) == 2);
    CHECK(popped(d) == 1);
    CHECK(popped(d) == 0);
}

TEST_CASE("deque: a thief takes the oldest item") {
    detail::deque d(4);
    for (std::uintptr_t n = 1; n <= 3; ++n) REQUIRE(d.push(item(n)));
    CHECK(stolen(d) == 1);
    CHECK(stolen(d) == 2);
    CHECK(stolen(d) == 3);
    CHECK(stolen(d) == 0);
}

TEST_CASE("deque: its owner may take the oldest item as a thief would") {
    detail::deque d(2);
    for (std::uintptr_t n = 1; n <= 3; ++n) REQUIRE(d.push(item(n)));
    detail::deque_item i;
    REQUIRE(d.take_oldest(i));
    CHECK(number_of(i) == 1);
    CHECK(popped(d) == 3);
    REQUIRE(d.take_oldest(i));
    CHECK(number_of(i) == 2);
    CHECK_FALSE(d.take_oldest(i));
}

TEST_CASE("deque: a thief takes one of few and many of many, the oldest") {
    detail::deque d(2);
    for (std::uintptr_t n = 1; n <= 300; ++n) REQUIRE(d.push(item(n)));
    detail::deque_item got[detail::deque::most_at_once];
    bool contended = false;
    REQUIRE(d.steal_many(got, 50, 7, contended) == 50);
    for (std::uintptr_t n = 1; n <= 50; ++n) CHECK(number_of(got[n - 1]) == n);
    CHECK(d.steal_many(got, 50, 7, contended) == 1);   // 250 are few
    CHECK(number_of(got[0]) == 51);
    CHECK_FALSE(contended);
    CHECK(popped(d) == 300);
    CHECK(d.size() == 248);
}

TEST_CASE("deque: an owner pops the youngest also near a top where many were to be had") {
    detail::deque d(2);
    for (const std::uintptr_t last : {300u, 100u, 1000u, 64u}) {
        CAPTURE(last);
        for (std::uintptr_t n = 1; n <= last; ++n) REQUIRE(d.push(item(n)));
        for (std::uintptr_t n = last; n >= 1; --n) CHECK(popped(d) == n);
        CHECK(popped(d) == 0);
    }
}

TEST_CASE("deque: it grows without losing or reordering an item") {
    for (const std::size_t capacity : {1u, 2u, 4u}) {
        CAPTURE(capacity);
        detail::deque d(capacity);
        for (std::uintptr_t n = 1; n <= 100; ++n) REQUIRE(d.push(item(n)));
        CHECK(d.size() == 100);
        for (std::uintptr_t n = 1; n <= 50; ++n) CHECK(stolen(d) == n);
        for (std::uintptr_t n = 100; n > 50; --n) CHECK(popped(d) == n);
        CHECK(d.size() == 0);
    }
}

TEST_CASE("deque: it wraps around at its capacity without growing over live items") {
    for (const std::size_t capacity : {2u, 4u}) {
        CAPTURE(capacity);
        detail::deque d(capacity);
        std::uintptr_t next_in = 1, next_out = 1;
        for (int round = 0; round < 50; ++round) {
            while (d.size() < capacity) REQUIRE(d.push(item(next_in++)));
            CHECK(stolen(d) == next_out++);
        }
        while (d.size() != 0) CHECK(stolen(d) == next_out++);
        CHECK(next_in == next_out);
    }
}

TEST_CASE("deque: growth in the midst of a wrapped buffer keeps each item in its place") {
    detail::deque d(4);
    for (std::uintptr_t n = 1; n <= 4; ++n) REQUIRE(d.push(item(n)));
    CHECK(stolen(d) == 1);
    CHECK(stolen(d) == 2);
    CHECK(stolen(d) == 3);
    for (std::uintptr_t n = 5; n <= 12; ++n) REQUIRE(d.push(item(n)));   // wraps, then grows twice
    CHECK(d.size() == 9);
    for (std::uintptr_t n = 4; n <= 8; ++n) CHECK(stolen(d) == n);
    for (std::uintptr_t n = 12; n > 8; --n) CHECK(popped(d) == n);
    CHECK(popped(d) == 0);
}

TEST_CASE("deque: a batch is popped in its own order") {
    for (const std::size_t capacity : {2u, 4u}) {
        CAPTURE(capacity);
        detail::deque d(capacity);
        REQUIRE(d.push(item(100)));
        std::vector<detail::deque_item> batch;
        for (std::uintptr_t n = 1; n <= 7; ++n) batch.push_back(item(n));
        REQUIRE(d.push_all(batch.data(), batch.size()));
        CHECK(d.size() == 8);
        CHECK(stolen(d) == 100);
        CHECK(stolen(d) == 7);   // the batch's last lies deepest
        for (std::uintptr_t n = 1; n <= 6; ++n) CHECK(popped(d) == n);
        CHECK(popped(d) == 0);
    }
}

TEST_CASE("deque: an empty batch changes nothing") {
    detail::deque d(2);
    REQUIRE(d.push(item(1)));
    CHECK(d.push_all(nullptr, 0));
    CHECK(d.size() == 1);
    CHECK(popped(d) == 1);
}

TEST_CASE("deque: a batch that exactly fills the buffer does not overwrite it") {
    detail::deque d(4);
    const detail::deque_item batch[] = {item(2), item(3), item(4)};
    REQUIRE(d.push(item(1)));
    REQUIRE(d.push_all(batch, 3));
    CHECK(stolen(d) == 1);
    REQUIRE(d.push(item(5)));
    CHECK(popped(d) == 5);
    CHECK(popped(d) == 2);
    CHECK(popped(d) == 3);
    CHECK(popped(d) == 4);
}

TEST_CASE("deque: any sequence of its operations does what the model does") {
    for (const std::size_t capacity : {2u, 4u}) {
        CAPTURE(capacity);
        std::mt19937 random(static_cast<unsigned>(capacity));
        detail::deque d(capacity);
        std::deque<std::uintptr_t> model;
        std::uintptr_t next = 1;
        std::uint64_t wrong = 0;
        for (int step = 0; step < 40'000; ++step) {
            const unsigned bias = step / 1000 % 2 == 0 ? 5u : 2u;   // long and short in turn
            const unsigned what = static_cast<unsigned>(random() % 8u);
            if (what == 0) {
                std::vector<detail::deque_item> batch;
                const std::size_t count = random() % 6u;
                for (std::size_t i = 0; i < count; ++i) batch.push_back(item(next + i));
                wrong += d.push_all(batch.data(), count) ? 0u : 1u;
                for (std::size_t i = count; i > 0; --i) model.push_back(next + i - 1);
                next += count;
            } else if (what < bias) {
                wrong += d.push(item(next)) ? 0u : 1u;
                model.push_back(next++);
            } else if (what < 6) {
                const std::uintptr_t expected = model.empty() ? 0 : model.back();
                if (expected != 0) model.pop_back();
                wrong += popped(d) == expected ? 0u : 1u;
            } else {
                const std::uintptr_t expected = model.empty() ? 0 : model.front();
                if (expected != 0) model.pop_front();
                wrong += stolen(d) == expected ? 0u : 1u;
            }
            wrong += d.size() == model.size() ? 0u : 1u;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("deque: each item goes to one taker while it grows from two under three thieves") {
    constexpr std::size_t items = 4'000;
    constexpr unsigned rounds = 60;
    steal_stress stress(items);
    for (unsigned round = 0; round < rounds; ++round) {
        stress.round(2, [&](detail::deque& d) {
            std::mt19937 random(round);
            std::size_t next = 0;
            detail::deque_item got, batch[8];
            while (next < items) {
                const std::size_t count = random() % 8u + 1;
                std::size_t filled = 0;
                for (; filled < count && next < items; ++filled) batch[filled] = steal_stress::item(next++);
                if (count % 3 == 0) {
                    if (!d.push_all(batch, filled)) stress.refused();
                } else {
                    for (std::size_t i = 0; i < filled; ++i) {
                        if (!d.push(batch[i])) stress.refused();
                    }
                }
                for (std::size_t pops = random() % 7u; pops > 0 && d.pop(got); --pops) stress.took(got);
                if (count == 5 && d.take_oldest(got)) stress.took(got);
            }
            while (d.pop(got)) stress.took(got);
        });
    }
    CHECK(stress.wrong(rounds) == 0);
    CHECK(stress.torn() == 0);
}

TEST_CASE("deque: the last item goes to its owner or to one thief") {
    constexpr std::size_t items = 250'000;
    for (const std::size_t capacity : {2u, 4u}) {
        CAPTURE(capacity);
        steal_stress stress(items);
        stress.round(capacity, [&](detail::deque& d) {
            detail::deque_item got;
            for (std::size_t n = 0; n < items; ++n) {
                if (!d.push(steal_stress::item(n))) stress.refused();
                if (n % 3 != 0 && d.pop(got)) stress.took(got);
                if (n % 16 == 0) {
                    while (d.take_oldest(got)) stress.took(got);
                }
            }
            while (d.pop(got)) stress.took(got);
        });
        CHECK(stress.wrong(1) == 0);
        CHECK(stress.torn() == 0);
    }
}

TEST_CASE("deque: what a thief takes at once is not also its owner's") {
    constexpr std::size_t items = 36'000, burst = 300;
    constexpr unsigned rounds = 24;
    steal_stress stress(items, detail::deque::most_at_once);
    for (unsigned round = 0; round < rounds; ++round) {
        detail::set_chaos(round + 1);   // with test points: a thief is held up between its look and its move
        stress.round(2, [&](detail::deque& d) {
            detail::deque_item got;
            for (std::size_t n = 0; n < items; ++n) {
                if (!d.push(steal_stress::item(n))) stress.refused();
                if (n % burst != burst - 1) continue;
                for (std::size_t pops = n / burst % 2 == 0 ? burst : burst - 20; pops > 0 && d.pop(got); --pops) stress.took(got);
            }
            while (d.pop(got)) stress.took(got);
        });
    }
    detail::set_chaos(0);
    CHECK(stress.wrong(rounds) == 0);
    CHECK(stress.torn() == 0);
    CHECK(stress.at_once() != 0);
}

TEST_CASE("deque: a filter is asked about nothing but what was pushed, also while the deque grows") {
    constexpr std::uintptr_t items = 4'000;
    std::uint64_t asked = 0, wrong = 0;
    for (unsigned round = 0; round < 200; ++round) {
        detail::set_chaos(round % 8 + 1);   // with test points: a thief is held up between its looks at the top and at the slots
        detail::deque d(2);
        struct seen {
            std::uint64_t asked = 0, wrong = 0;
        } seen;
        const detail::deque_filter none{[](const detail::deque_item& i, void* to) {
                                            auto& count = *static_cast<struct seen*>(to);
                                            ++count.asked;
                                            if (i.tag == 0 || i.tag > items || reinterpret_cast<std::uintptr_t>(i.task) != i.tag * 64) ++count.wrong;
                                            return false;
                                        },
                                        &seen};
        std::atomic<bool> over{false};
        std::thread thief([&] {
            detail::deque_item i;
            while (!over.load()) d.steal_if(none, i);
        });
        detail::deque_item i;
        std::uint64_t lost = 0;
        for (std::uintptr_t n = 1; n <= items; ++n) {
            lost += d.push(item(n)) ? 0u : 1u;
            if (n % 2 == 0) lost += d.take_oldest(i) ? 0u : 1u;   // at any time there is one at the top that has just left
        }
        over = true;
        thief.join();
        CHECK(lost == 0);
        asked += seen.asked;
        wrong += seen.wrong;
    }
    detail::set_chaos(0);
    CHECK(asked != 0);
    CHECK(wrong == 0);
}

TEST_CASE("deque: its size is never zero while an item rests in it") {
    detail::deque d(2);
    REQUIRE(d.push(steal_stress::item(0)));   // stays at the top all the time
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> looks{0}, empty{0};
    std::thread reader([&] {
        while (!over.load()) {
            if (d.size() == 0) ++empty;
            ++looks;
        }
    });
    detail::deque_item got;
    std::uint64_t lost = 0;
    for (int n = 1; n < 200'000 || looks.load() < 100; ++n) {
        lost += d.push(steal_stress::item(static_cast<std::size_t>(n))) ? 0u : 1u;
        lost += d.pop(got) ? 0u : 1u;
    }
    over = true;
    reader.join();
    CHECK(empty.load() == 0);
    CHECK(lost == 0);
    CHECK(d.size() == 1);
}
