// What a shutdown that had to stop waiting tells about the tasks that still run.
#include <lastly/profile.hpp>

#include "check_pool.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <latch>
#include <string>
#include <type_traits>

using lastly::task_state;
using namespace std::chrono_literals;

static_assert(std::is_trivially_copyable_v<lastly::live_task>);
static_assert(std::is_move_constructible_v<lastly::shutdown_report>);

TEST_CASE("shutdown_report: it names a body that still runs, with its site and what is pending") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::latch entered(1), leave(1);
        const std::uint32_t line = __LINE__ + 1;
        pool->detach([&](lastly::task_context& t) {
            t.defer([] {});
            t.defer([] {});
            entered.count_down();
            leave.wait();
        }, lastly::named("slow"), lastly::finally([] {}));
        entered.wait();
        const lastly::shutdown_report r = pool->shutdown(1ms);
        CHECK_FALSE(r.complete);
        CHECK(r.ledger.live == 1);
        REQUIRE(r.still_running.size() == 1);
        const lastly::live_task& t = r.still_running[0];
        CHECK(std::string(t.name) == "slow");
        CHECK(std::string(t.site.file) == __FILE__);
        CHECK(t.site.line == line);
        CHECK(t.state == task_state::running);
        CHECK(t.finalizers_pending == 3);
        CHECK(t.age >= 0ns);
        CHECK(t.age < 60s);
        leave.count_down();
        CHECK(pool->shutdown().complete);
    }
}

TEST_CASE("shutdown_report: a task in its finalizers is told as finalizing, with the rest pending") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::latch entered(1), leave(1);
        pool->detach([] {}, lastly::finally([] {}), lastly::finally([&] {
                         entered.count_down();
                         leave.wait();
                     }));
        entered.wait();
        const lastly::shutdown_report r = pool->shutdown_now(0ns);
        CHECK_FALSE(r.complete);
        REQUIRE(r.still_running.size() == 1);
        CHECK(std::string(r.still_running[0].name).empty());
        CHECK(r.still_running[0].state == task_state::finalizing);
        CHECK(r.still_running[0].finalizers_pending == 1);
        leave.count_down();
        const lastly::shutdown_report later = pool->shutdown();
        CHECK(later.complete);
        CHECK(later.still_running.empty());
        CHECK(later.ledger.balanced());
    }
}

TEST_CASE("shutdown_report: only tasks of its own pool are told, and queued ones are not") {
    checked_pool one(1), other(1);
    {
        occupied_workers busy(*one), elsewhere(*other);
        one->detach([] {}, lastly::named("queued"));
        const lastly::shutdown_report r = one->shutdown(0ns);
        CHECK_FALSE(r.complete);
        CHECK(r.still_running.size() == 1);
        CHECK(r.ledger.live == 2);
    }
    CHECK(one->shutdown().ledger.succeeded == 2);
}
