// What a shutdown that had to stop waiting tells about the tasks that still run; a profile as a user meets it.
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

static_assert(std::is_copy_constructible_v<lastly::task_profile> && std::is_nothrow_move_constructible_v<lastly::task_profile>);
static_assert(std::is_base_of_v<lastly::task_profile::counts, lastly::task_profile::group>);

TEST_CASE("task_profile: an empty one has no tasks, and a line to say so") {
    const lastly::task_profile none;
    CHECK(none.groups.empty());
    CHECK(none.total == lastly::task_profile::counts{});
    CHECK_FALSE(none.growth);
    CHECK(none.to_text() == "task profile: pool \"\": 0 live (0 queued, 0 running, 0 finalizing), 0 held, 0 finalizers pending\n");
    CHECK((none - none).growth);
    CHECK((none - none).groups.empty());
}

TEST_CASE("task_profile: it outlives its pool") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        lastly::task_profile kept;
        std::uint32_t line = 0;
        {
            lastly::pool_options options;
            options.name = "short-lived";
            checked_pool pool(workers, options);
            occupied_workers busy(*pool);
            line = __LINE__ + 1;
            pool->detach([] {}, lastly::named("kept in the queue"));
            kept = pool->profile();
        }
        CHECK(kept.pool == "short-lived");
        REQUIRE(kept.groups.size() == 2);
        CHECK(kept.total.count == workers + 1);
        const std::string text = kept.to_text();
        CHECK(contains(text, "task profile: pool \"short-lived\": " + std::to_string(workers + 1) + " live (1 queued, "));
        CHECK(contains(text, "kept in the queue  " + std::string(__FILE__) + ":" + std::to_string(line) + "\n"));
    }
}

TEST_CASE("task_profile: what grows between two profiles is told by subtraction, with its site") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        occupied_workers busy(*pool);
        for (int i = 0; i < 3; ++i) pool->detach([] {}, lastly::named("steady"));
        const lastly::task_profile before = pool->profile();
        std::uint32_t line = 0;
        for (int i = 0; i < 5; ++i) {
            line = __LINE__ + 1;
            pool->detach([] {}, lastly::named("growing"), lastly::finally([] {}));
        }
        const lastly::task_profile grown = pool->profile() - before;
        CHECK(grown.growth);
        REQUIRE(grown.groups.size() == 1);
        CHECK(std::string(grown.groups[0].name) == "growing");
        CHECK(grown.groups[0].site.line == line);
        CHECK(grown.groups[0].count == 5);
        CHECK(grown.groups[0].queued == 5);
        CHECK(grown.groups[0].finalizers_pending == 5);
        CHECK(grown.total == static_cast<const lastly::task_profile::counts&>(grown.groups[0]));
    }
}
