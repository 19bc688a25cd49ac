// The ledger as a pool shows it: each column moves at its own event.
#include <lastly/ledger.hpp>

#include "check_pool.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <type_traits>

static_assert(std::is_aggregate_v<lastly::ledger_snapshot> && std::is_trivially_copyable_v<lastly::ledger_snapshot>);
static_assert(noexcept(lastly::ledger_snapshot{}.balanced()));

TEST_CASE("ledger: a new one is all zeros, and balanced") {
    const lastly::ledger_snapshot s;
    CHECK(s.attempts + s.accepted + s.rejected + s.succeeded + s.failed + s.cancelled == 0);
    CHECK(s.finalizers_attached + s.finalizers_run + s.finalizers_returned + s.finalizers_thrown + s.live + s.held == 0);
    CHECK(s.balanced());
}

TEST_CASE("ledger: every end of a task is counted in its own column") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        {
            occupied_workers busy(*pool);   // succeed themselves
            auto stopped = pool->submit([] {}, lastly::finally([] {}), lastly::finally([] {}));
            CHECK(stopped.cancel());
            const lastly::ledger_snapshot queued = pool->ledger();
            CHECK(queued.live == workers + 1u);
            CHECK(queued.finalizers_attached == 2);
            CHECK(queued.finalizers_run == 0);
            CHECK_FALSE(queued.balanced());
            busy.release();
            stopped.wait();
        }
        pool->detach([] { throw std::runtime_error("x"); }, lastly::on_failure([] {}));
        pool->detach([] { lastly::this_task::defer([] {}); }, lastly::finally([] { throw std::runtime_error("y"); }),
                     lastly::on_cancelled([] {}));
        auto kept = pool->submit([] { return 1; });
        kept.wait();
        pool->wait_idle();
        const lastly::ledger_snapshot held = pool->ledger();
        CHECK(held.held == 1);
        kept.get();
        pool->close();
        CHECK_THROWS_AS(pool->detach([] {}, lastly::finally([] {})), lastly::task_rejected);
        const lastly::ledger_snapshot s = pool->ledger();
        CHECK(s.attempts == workers + 5u);
        CHECK(s.accepted == workers + 4u);
        CHECK(s.rejected == 1);
        CHECK(s.succeeded == workers + 1u);
        CHECK(s.failed == 2);   // the second by its finalizer
        CHECK(s.cancelled == 1);
        CHECK(s.finalizers_attached == 7);
        CHECK(s.finalizers_run == 7);
        CHECK(s.finalizers_returned == 6);
        CHECK(s.finalizers_thrown == 1);
        CHECK(s.held == 0);
        CHECK(s.balanced());
    }
}

TEST_CASE("ledger: a finalizer that does not apply counts as run") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        bool called = false;
        pool->run([] {}, lastly::on_failure([&] { called = true; }), lastly::on_cancelled([&] { called = true; }));
        CHECK_FALSE(called);
        pool->wait_idle();
        CHECK(pool->ledger().finalizers_run == 2);
        CHECK(pool->ledger().finalizers_returned == 2);
    }
}
