// What a child keeps of its parent's runs: nothing that could run. The rest of P6: tests/process/fork_test.cpp.
#include "core/task/inherit.hpp"

#include "core/process/fork.hpp"
#include "core/task/context.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/thread_block.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>
#include <lastly/lastly.hpp>

#include <chrono>

#include <sys/wait.h>
#include <unistd.h>

using namespace lastly::detail;

TEST_CASE("inherit: in a child no run of the parent's is seen, in the parent all are") {
    REQUIRE(guard_fork());
    run_record r;
    const run_scope scope(r);
    const pid_t child = support::fork_bounded();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::_exit(current_run() == nullptr && r.chain->deferred != nullptr ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(current_run() == &r);
    CHECK(r.chain->deferred == nullptr);
}

TEST_CASE("inherit: the locks that a child needs are free after a fork, and no deadline of the parent's waits in it") {
    const auto later = lastly::with_timeout(lastly::context::background(), std::chrono::hours(1));
    REQUIRE(deadlines_waiting() != 0);
    REQUIRE(guard_fork());
    const pid_t child = support::fork_bounded();
    REQUIRE(child >= 0);
    if (child == 0) {
        const bool none_waits = deadlines_waiting() == 0;
        hold_tasks_for_fork();
        release_tasks_after_fork(false);
        ::_exit(none_waits ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    hold_tasks_for_fork();
    release_tasks_after_fork(false);
    CHECK(deadlines_waiting() != 0);
}
