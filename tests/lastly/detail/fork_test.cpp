// What a fork costs in memory, and where it may happen. Rule B1.
#include <lastly/detail/fork.hpp>
#include <lastly/parallel.hpp>

#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using namespace support;
namespace detail = lastly::detail;

TEST_CASE("fork: a branch is offered in one cache line") {
    CHECK(sizeof(detail::branch) <= 64);
    CHECK(detail::branch::thief_shift > detail::branch::end_shift);
}

TEST_CASE("fork: a run can fork where its task's pool has a worker, and nowhere else") {
    lastly::pool pool(options(1)), other(options(1));
    CHECK_FALSE(detail::can_fork(detail::current_run(), detail::pool_access::core(pool)));
    CHECK_FALSE(detail::is_run_of(nullptr, detail::pool_access::core(pool)));
    CHECK(detail::workers_of(detail::pool_access::core(pool)) == 1);
    pool.run([&] {
        const auto* const r = detail::current_run();
        CHECK(detail::can_fork(r, detail::pool_access::core(pool)));
        CHECK_FALSE(detail::can_fork(r, detail::pool_access::core(other)));
        CHECK(detail::is_run_of(r, detail::pool_access::core(pool)));
        CHECK_FALSE(detail::is_run_of(r, detail::pool_access::core(other)));
    });
    check_end(pool);
    check_end(other);
}

TEST_CASE("fork: scopes nest, and leave nothing behind") {
    lastly::pool pool(options(1));
    pool.run([&] {
        detail::run_record& r = *detail::current_run();
        CHECK(r.scope == nullptr);
        lastly::parallel_invoke(pool, [&] {
            detail::branch_scope* const outer = r.scope;
            REQUIRE(outer != nullptr);
            CHECK(outer->outer == nullptr);
            CHECK_THROWS(lastly::parallel_invoke(pool, [&] {
                CHECK(r.scope->outer == outer);
                throw 1;
            }));
            CHECK(r.scope == outer);
        });
        CHECK(r.scope == nullptr);
        CHECK(r.forks->size() == 0);
    });
    check_end(pool);
}
