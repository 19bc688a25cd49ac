// Accounts: found again, taken over, left behind.
#include "core/sched/pool_core.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace support;
namespace detail = lastly::detail;

namespace {

detail::pool_core* open(unsigned workers) {
    lastly::pool_options o;
    o.workers = workers;
    return detail::open_pool(o, false);
}
int accounts_of(const detail::pool_core& pool) {
    int n = 0;
    for (const detail::account* a = pool.accounts.load(detail::acquire); a != nullptr; a = a->next) ++n;
    return n;
}

}   // namespace

TEST_CASE("account: a thread keeps its account with each of several pools") {
    detail::pool_core* const a = open(1);
    detail::pool_core* const b = open(1);
    detail::account* const with_a = detail::account_for(*a);
    detail::account* const with_b = detail::account_for(*b);
    CHECK(with_a != with_b);
    CHECK(detail::account_for(*a) == with_a);
    CHECK(detail::account_for(*b) == with_b);
    detail::destroy_pool(a);
    CHECK(detail::account_for(*b) == with_b);
    detail::destroy_pool(b);
}

TEST_CASE("account: short-lived submitting threads share accounts one after another") {
    with_workers([](unsigned workers) {
        detail::pool_core* const pool = open(workers);
        for (int i = 0; i < 200; ++i) {
            std::thread([&] { CHECK(detail::account_for(*pool) != nullptr); }).join();
        }
        CHECK(accounts_of(*pool) == static_cast<int>(workers) + 1);
        detail::destroy_pool(pool);
    });
}

TEST_CASE("account: threads outlive pools and pools outlive threads, in any order") {
    with_workers([](unsigned workers) {
        for (int round = 0; round < 50; ++round) {
            auto pool = std::make_unique<lastly::pool>(options(workers));
            std::atomic<int> submitted{0};
            std::atomic<bool> leave{false};
            std::vector<std::thread> threads;
            for (int t = 0; t < 3; ++t) {
                threads.emplace_back([&, t] {
                    pool->detach([] {});
                    submitted.fetch_add(1);
                    if (t != 0) await([&] { return leave.load(); });
                });
            }
            await([&] { return submitted.load() == 3; });
            if (round % 2 == 0) leave = true;
            pool->shutdown();
            pool.reset();
            leave = true;
            for (auto& t : threads) t.join();
        }
    });
}
