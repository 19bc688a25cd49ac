// The umbrella: one include offers everything.
#include <lastly/lastly.hpp>

#include <doctest/doctest.h>

#include <type_traits>

static_assert(std::is_class_v<lastly::pool> && std::is_class_v<lastly::task_context>);
static_assert(std::is_class_v<lastly::task<int>> && std::is_class_v<lastly::task_handle<int>> && std::is_class_v<lastly::result<int>>);
static_assert(std::is_class_v<lastly::outcome> && std::is_class_v<lastly::pool_options> && std::is_class_v<lastly::error_report>);
static_assert(std::is_class_v<lastly::ledger_snapshot> && std::is_class_v<lastly::shutdown_report> && std::is_class_v<lastly::live_task>);
static_assert(std::is_enum_v<lastly::errc> && std::is_enum_v<lastly::outcome_kind> && std::is_enum_v<lastly::task_state>);

TEST_CASE("lastly: one include is enough for a task with a finalizer") {
    bool closed = false;
    {
        lastly::pool pool({.workers = 2});
        auto handle = pool.submit([] { return 6 * 7; }, lastly::finally([&] { closed = true; }), lastly::named("answer"));
        CHECK(handle.get() == 42);
        CHECK(closed);
        CHECK(pool.shutdown().ledger.balanced());
    }
}
