// Anchors: visits keep a pool's sink alive; a later pool takes an anchor over.
#include "core/task/anchor.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace lastly::detail;

TEST_CASE("anchor: a given-back anchor refuses visits and returns with a new serial number") {
    pool_anchor* const first = take_anchor();
    const std::uint64_t serial = first->serial();
    CHECK(first->enter());
    first->leave();
    give_anchor(*first);
    CHECK_FALSE(first->enter());
    pool_anchor* const second = take_anchor();
    CHECK(second->serial() > serial);
    CHECK(second->gate().load(acquire) == 0);
    CHECK(second->enter());
    second->leave();
    give_anchor(*second);
}

TEST_CASE("anchor: giving back waits for the last visitor") {
    pool_anchor* const a = take_anchor();
    REQUIRE(a->enter());
    REQUIRE(a->enter());
    std::atomic<bool> left{false}, seen_left{false};
    std::thread owner([&] {
        give_anchor(*a);
        seen_left = left.load();
    });
    a->leave();
    left = true;
    a->leave();
    owner.join();
    CHECK(seen_left);
}
