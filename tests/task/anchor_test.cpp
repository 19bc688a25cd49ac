// Anchors: visits keep a pool's sink alive; a later pool takes an anchor over.
#include "core/task/anchor.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>

using namespace lastly::detail;

TEST_CASE("anchor: it is open between open and shut only, and a later lease has a new serial number") {
    auto lease = std::make_unique<anchor_lease>();
    pool_anchor* const first = lease->get();
    const std::uint64_t serial = first->serial();
    CHECK_FALSE(bool(visit(*first)));
    lease->open();
    CHECK(bool(visit(*first)));
    lease.reset();
    CHECK_FALSE(bool(visit(*first)));
    const anchor_lease second;
    CHECK(second.get()->serial() > serial);
    CHECK(second.get()->gate().load(acquire) == 0);
    CHECK_FALSE(bool(visit(*second.get())));
}

TEST_CASE("anchor: shutting waits for the last visitor") {
    anchor_lease lease;
    lease.open();
    auto outer = std::make_unique<visit>(*lease.get());
    auto inner = std::make_unique<visit>(*lease.get());
    REQUIRE(*outer);
    REQUIRE(*inner);
    CHECK(visit::is_at(*lease.get()));
    std::atomic<bool> left{false}, seen_left{false};
    std::thread owner([&] {
        lease.shut();
        lease.await_visitors();
        seen_left = left.load();
    });
    inner.reset();
    left = true;
    outer.reset();
    CHECK_FALSE(visit::is_at(*lease.get()));
    owner.join();
    CHECK(seen_left);
}

TEST_CASE("anchor: nobody's is never open") { CHECK_FALSE(bool(visit(nobodys_anchor()))); }
