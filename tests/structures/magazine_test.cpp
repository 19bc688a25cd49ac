// Magazines and the depot: what is given comes back, once, to whoever asks for its class.
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

constexpr auto kind = block_kind::node;
constexpr std::uint32_t size_class = detail::small_classes - 1;

void* fake_block(std::uint64_t n) { return reinterpret_cast<void*>(n * 64); }

// The depot of one class, empty for the test: what waited there comes back at the end.
class emptied_depot {
public:
    emptied_depot() {
        while (detail::magazine* const m = detail::take_magazine(kind, size_class)) kept_.push_back(m);
    }
    ~emptied_depot() {
        while (detail::magazine* const m = detail::take_magazine(kind, size_class)) detail::give_empty_magazine(*m);
        for (detail::magazine* const m : kept_) detail::give_magazine(kind, size_class, *m);
    }
    emptied_depot(const emptied_depot&) = delete;
    emptied_depot& operator=(const emptied_depot&) = delete;

private:
    std::vector<detail::magazine*> kept_;
};

}   // namespace

TEST_CASE("magazine: empty ones are distinct, aligned and empty") {
    std::set<detail::magazine*> taken;
    for (int i = 0; i < 300; ++i) {   // more than a slab holds
        detail::magazine* const m = detail::take_empty_magazine();
        REQUIRE(m != nullptr);
        CHECK(m->count == 0);
        CHECK(reinterpret_cast<std::uintptr_t>(m) % alignof(detail::magazine) == 0);
        CHECK(taken.insert(m).second);
        for (void*& block : m->blocks) block = m;   // all of it is ours
        m->count = detail::magazine::capacity;
    }
    for (detail::magazine* const m : taken) {
        for (void* const block : m->blocks) CHECK(block == m);
        detail::give_empty_magazine(*m);
    }
}

TEST_CASE("magazine: empty ones are used again before a new slab is taken") {
    std::vector<detail::magazine*> taken;
    for (int i = 0; i < 200; ++i) taken.push_back(detail::take_empty_magazine());
    for (detail::magazine* const m : taken) detail::give_empty_magazine(*m);
    const std::size_t before = detail::slabs_in_use();
    for (detail::magazine*& m : taken) {
        m = detail::take_empty_magazine();
        REQUIRE(m != nullptr);
        CHECK(m->count == 0);
    }
    CHECK(detail::slabs_in_use() == before);
    for (detail::magazine* const m : taken) detail::give_empty_magazine(*m);
}

TEST_CASE("magazine: without memory for a slab there is none, and later there is one again") {
    std::vector<detail::magazine*> taken;
    bool refused = false;
    for (int i = 0; i < 1'000'000 && !refused; ++i) {
        detail::fail_slabs(1);
        detail::magazine* const m = detail::take_empty_magazine();
        if (m != nullptr) taken.push_back(m);
        else refused = true;
    }
    detail::fail_slabs(0);
    CHECK(refused);
    detail::magazine* const m = detail::take_empty_magazine();
    CHECK(m != nullptr);
    if (m != nullptr) detail::give_empty_magazine(*m);
    for (detail::magazine* const t : taken) detail::give_empty_magazine(*t);
}

TEST_CASE("magazine: the depot gives back what was given, the last first") {
    const emptied_depot depot;
    CHECK(detail::waiting_magazines(kind, size_class) == 0);
    CHECK(detail::take_magazine(kind, size_class) == nullptr);
    detail::magazine* given[3];
    for (std::uint32_t i = 0; i < 3; ++i) {
        given[i] = detail::take_empty_magazine();
        REQUIRE(given[i] != nullptr);
        given[i]->count = i + 1;
        given[i]->blocks[i] = fake_block(i + 1);
        detail::give_magazine(kind, size_class, *given[i]);
        CHECK(detail::waiting_magazines(kind, size_class) == i + 1);
    }
    for (std::uint32_t i = 3; i-- > 0;) {
        detail::magazine* const m = detail::take_magazine(kind, size_class);
        REQUIRE(m == given[i]);
        CHECK(m->count == i + 1);
        CHECK(m->blocks[i] == fake_block(i + 1));
        CHECK(detail::waiting_magazines(kind, size_class) == i);
        detail::give_empty_magazine(*m);
    }
    CHECK(detail::take_magazine(kind, size_class) == nullptr);
    CHECK(detail::waiting_magazines(kind, size_class) == 0);
}

TEST_CASE("magazine: a class and a kind see only their own magazines") {
    const emptied_depot depot;
    const std::uint64_t frames = detail::waiting_magazines(block_kind::frame, size_class);
    const std::uint64_t smaller = detail::waiting_magazines(kind, size_class - 1);
    detail::magazine* const m = detail::take_empty_magazine();
    REQUIRE(m != nullptr);
    m->count = 1;
    m->blocks[0] = fake_block(1);
    detail::give_magazine(kind, size_class, *m);
    CHECK(detail::waiting_magazines(block_kind::frame, size_class) == frames);
    CHECK(detail::waiting_magazines(kind, size_class - 1) == smaller);
    CHECK(detail::take_magazine(kind, size_class) == m);
    detail::give_empty_magazine(*m);
}

TEST_CASE("magazine: one given back as empty holds nothing") {
    detail::magazine* const m = detail::take_empty_magazine();
    REQUIRE(m != nullptr);
    m->count = 5;
    detail::give_empty_magazine(*m);
    detail::magazine* const again = detail::take_empty_magazine();
    CHECK(again == m);
    CHECK(again->count == 0);
    detail::give_empty_magazine(*again);
}

TEST_CASE("magazine: each is in one hand at a time") {
    constexpr unsigned threads = 4, rounds = 20'000, magazines = 6;
    const emptied_depot depot;
    for (unsigned i = 0; i < magazines; ++i) {
        detail::magazine* const m = detail::take_empty_magazine();
        REQUIRE(m != nullptr);
        m->count = 1;
        m->blocks[0] = nullptr;
        detail::give_magazine(kind, size_class, *m);
    }
    std::atomic<std::uint64_t> collisions{0}, takes{0};
    std::vector<std::thread> crew;
    for (unsigned t = 1; t <= threads; ++t) {
        crew.emplace_back([&, t] {
            for (unsigned round = 0; round < rounds; ++round) {
                detail::magazine* const full = detail::take_magazine(kind, size_class);
                detail::magazine* const empty = detail::take_empty_magazine();
                if (empty != nullptr) empty->blocks[1] = fake_block(t);
                if (full != nullptr) {
                    ++takes;
                    if (full->blocks[0] != nullptr || full->count != 1) ++collisions;
                    full->blocks[0] = fake_block(t);
                    std::this_thread::yield();
                    if (full->blocks[0] != fake_block(t)) ++collisions;
                    full->blocks[0] = nullptr;
                    detail::give_magazine(kind, size_class, *full);
                }
                if (empty != nullptr) {
                    if (empty->blocks[1] != fake_block(t) || empty->count != 0) ++collisions;
                    detail::give_empty_magazine(*empty);
                }
            }
        });
    }
    for (std::thread& t : crew) t.join();
    CHECK(collisions.load() == 0);
    CHECK(takes.load() > 0);
    CHECK(detail::waiting_magazines(kind, size_class) == magazines);
}
