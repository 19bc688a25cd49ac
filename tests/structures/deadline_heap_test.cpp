// The heap of deadlines: its order against a sorted list of the standard library, its places, its growth, and its failures.
#include "core/structures/deadline_heap.hpp"

#include "core/structures/slab.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

using lastly::detail::deadline_heap;

namespace {

using moment = deadline_heap::time_point;

moment at(std::int64_t nanoseconds) { return moment(std::chrono::nanoseconds(nanoseconds)); }

struct timed : deadline_heap::entry {
    moment deadline;
};

std::vector<timed> entries(std::size_t count, unsigned seed, std::int64_t range) {
    std::mt19937_64 random(seed);
    std::vector<timed> made(count);
    for (timed& t : made) t.deadline = at(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(range)));
    return made;
}

timed& pop(deadline_heap& heap) {
    auto& first = static_cast<timed&>(heap.first());
    CHECK(heap.earliest() == first.deadline);
    REQUIRE(heap.remove(first));
    return first;
}

}   // namespace

TEST_CASE("deadline_heap: entries leave in the order of their deadlines, also equal ones") {
    for (const std::int64_t range : {std::int64_t{1}, std::int64_t{7}, std::int64_t{1} << 40}) {
        for (const std::size_t count : {0u, 1u, 2u, 5u, 6u, 4096u, 4097u}) {
            CAPTURE(count);
            CAPTURE(range);
            std::vector<timed> all = entries(count, 1, range);
            deadline_heap heap;
            for (timed& t : all) REQUIRE(heap.push(t, t.deadline));
            std::vector<moment> expected, left;
            for (const timed& t : all) expected.push_back(t.deadline);
            std::sort(expected.begin(), expected.end());
            while (!heap.empty()) left.push_back(pop(heap).deadline);
            CHECK(left == expected);
        }
    }
}

TEST_CASE("deadline_heap: an empty one has no deadline, and entries far before and after now are ordered, too") {
    deadline_heap heap;
    CHECK(heap.empty());
    CHECK(heap.size() == 0);
    CHECK(heap.earliest() == moment::max());
    timed last{{}, moment::max()}, first{{}, moment::min()}, middle{{}, at(0)};
    for (timed* const t : {&last, &first, &middle}) REQUIRE(heap.push(*t, t->deadline));
    CHECK(heap.size() == 3);
    CHECK(&pop(heap) == &first);
    CHECK(&pop(heap) == &middle);
    CHECK(&pop(heap) == &last);
    CHECK(heap.earliest() == moment::max());
}

TEST_CASE("deadline_heap: what is removed from anywhere leaves the others in order") {
    std::vector<timed> all = entries(10'000, 2, 5'000);
    std::multimap<moment, timed*> model;
    std::vector<timed*> inside, outside;
    for (timed& t : all) outside.push_back(&t);
    deadline_heap heap;
    std::mt19937_64 random(3);
    const auto take_any = [&](std::vector<timed*>& from) {
        std::swap(from[random() % from.size()], from.back());
        timed* const taken = from.back();
        from.pop_back();
        return taken;
    };
    std::size_t wrong = 0;
    for (int step = 0; step < 60'000; ++step) {
        const bool grows = step < 20'000 ? random() % 4 != 0 : random() % 4 == 0;   // up to some 10,000, then down to none
        if (grows && !outside.empty()) {
            timed* const t = take_any(outside);
            wrong += heap.push(*t, t->deadline) ? 0u : 1u;
            model.emplace(t->deadline, t);
            inside.push_back(t);
        } else if (!inside.empty()) {
            timed* const t = take_any(inside);
            wrong += heap.remove(*t) ? 0u : 1u;
            wrong += t->place == deadline_heap::nowhere ? 0u : 1u;
            const auto [begin, end] = model.equal_range(t->deadline);
            model.erase(std::find_if(begin, end, [t](const auto& e) { return e.second == t; }));
            outside.push_back(t);
        }
        wrong += heap.size() == model.size() ? 0u : 1u;
        wrong += heap.earliest() == (model.empty() ? moment::max() : model.begin()->first) ? 0u : 1u;
    }
    CHECK(wrong == 0);
}

TEST_CASE("deadline_heap: an entry knows whether it is in the heap") {
    deadline_heap heap;
    timed a{{}, at(1)}, b{{}, at(2)};
    CHECK_FALSE(heap.remove(a));
    REQUIRE(heap.push(a, a.deadline));
    REQUIRE(heap.push(b, b.deadline));
    CHECK(a.place != deadline_heap::nowhere);
    CHECK(heap.remove(a));
    CHECK(a.place == deadline_heap::nowhere);
    CHECK_FALSE(heap.remove(a));
    CHECK(heap.size() == 1);
    REQUIRE(heap.push(a, at(3)));   // again, with another deadline
    CHECK(heap.earliest() == b.deadline);
    CHECK(&heap.first() == &b);
    CHECK(heap.remove(b));
    CHECK(heap.earliest() == at(3));
}

TEST_CASE("deadline_heap: memory grows by chunks and goes back with the entries") {
    constexpr std::size_t chunk = 4096;
    const std::size_t before = lastly::detail::slabs_in_use();
    {
        std::vector<timed> all = entries(8 * chunk, 4, 1'000'000);
        deadline_heap heap;
        std::size_t one = 0;
        for (std::size_t i = 0; i < all.size(); ++i) {
            REQUIRE(heap.push(all[i], all[i].deadline));
            if (i == 0) one = lastly::detail::slabs_in_use();
        }
        const std::size_t full = lastly::detail::slabs_in_use();
        CHECK(one > before);
        CHECK(full > one);
        while (heap.size() > 4 * chunk) (void)pop(heap);
        const std::size_t half = lastly::detail::slabs_in_use();
        CHECK(half < full);
        CHECK(half > one);
        while (!heap.empty()) (void)pop(heap);
        CHECK(lastly::detail::slabs_in_use() == one);   // the first chunk stays until the heap goes
    }
    CHECK(lastly::detail::slabs_in_use() == before);
}

TEST_CASE("deadline_heap: around the end of a chunk entries come and go without taking memory each time") {
    constexpr std::size_t chunk = 4096;
    std::vector<timed> all = entries(chunk + 1, 5, 1'000'000);
    deadline_heap heap;
    for (timed& t : all) REQUIRE(heap.push(t, t.deadline));
    const std::size_t now = lastly::detail::slabs_in_use();
    for (int i = 0; i < 10; ++i) {
        REQUIRE(heap.remove(all.back()));
        CHECK(lastly::detail::slabs_in_use() == now);
        REQUIRE(heap.push(all.back(), all.back().deadline));
    }
}

TEST_CASE("deadline_heap: a push without memory says so and changes nothing") {
    timed t{{}, at(1)};
    for (const unsigned nth : {1u, 2u}) {   // the table of chunks, then the first chunk
        CAPTURE(nth);
        deadline_heap heap;
        lastly::detail::fail_slabs(nth);
        CHECK_FALSE(heap.push(t, t.deadline));
        lastly::detail::fail_slabs(0);
        CHECK(t.place == deadline_heap::nowhere);
        CHECK(heap.empty());
        REQUIRE(heap.push(t, t.deadline));
        CHECK(&pop(heap) == &t);
    }
    std::vector<timed> all = entries(4096, 6, 1'000);
    deadline_heap heap;
    for (timed& e : all) REQUIRE(heap.push(e, e.deadline));
    const moment earliest = heap.earliest();
    lastly::detail::fail_slabs(1);
    CHECK_FALSE(heap.push(t, at(0)));
    lastly::detail::fail_slabs(0);
    CHECK(t.place == deadline_heap::nowhere);
    CHECK(heap.size() == 4096);
    CHECK(heap.earliest() == earliest);
}
