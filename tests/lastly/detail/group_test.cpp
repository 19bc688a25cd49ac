// What the seam beneath task_group promises: parents, ways in, ends, and who is told what.
#include <lastly/detail/group.hpp>

#include "../check_pool.hpp"
#include "core/sched/account.hpp"
#include "core/task/context.hpp"
#include "core/task/group.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace detail = lastly::detail;
using detail::group_core;
using lastly::errc;
using errors = std::vector<std::exception_ptr>;

namespace {

detail::pool_core& core(checked_pool& pool) { return detail::pool_access::core(*pool); }

template <class Body, class... Attach>
void spawn(checked_pool& pool, group_core& g, Body&& body, Attach&&... attach) {
    detail::frame& f = detail::build_frame<false>(&core(pool), lastly::creation_site::current(), std::forward<Body>(body), std::forward<Attach>(attach)...);
    detail::spawn_frame(core(pool), g, f, false);
}

// What a wait ends with: "" or the exception's text.
std::string end_of_wait(checked_pool& pool, group_core& g, errors& failures) {
    return message_of<std::exception>([&] { detail::wait_for_group(core(pool), g, failures); });
}

bool stops_with(group_core& g, lastly::cancel_source& above) {
    const bool before = g.context()->stopped();
    above.cancel();
    return !before && g.context()->stopped();
}

}   // namespace

TEST_CASE("group: without a parent it stands below whatever stops the task that makes it") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers), other(1);
        auto attached = lastly::with_cancel();
        pool->run([&] {   // a context that is attached to the task
            group_core& g = detail::open_group(core(pool), true, nullptr);
            CHECK(stops_with(g, attached));
            detail::close_group(core(pool), g);
        }, attached.context());
        auto above = lastly::with_cancel();
        lastly::task_group outer(*pool, above.context());
        outer.spawn([&] {   // the group of the task; the inner one may be of another pool
            group_core& g = detail::open_group(core(other), true, nullptr);
            CHECK(stops_with(g, above));
            detail::close_group(core(other), g);
        });
        CHECK_THROWS_AS(outer.wait(), lastly::task_cancelled);
        lastly::task_handle<void> own;
        std::latch assigned(1);
        own = pool->submit([&](lastly::task_context&) {   // the handle of the task
            group_core& g = detail::open_group(core(pool), true, nullptr);
            assigned.wait();
            CHECK_FALSE(g.context()->stopped());
            own.cancel(std::make_error_code(std::errc::interrupted));
            CHECK(g.context()->cause() == std::errc::interrupted);
            detail::close_group(core(pool), g);
        });
        assigned.count_down();
        own.wait();
    }
}

TEST_CASE("group: made in a finalizer, or with a parent of its own, it is not stopped with the task") {
    checked_pool pool(2);
    auto attached = lastly::with_cancel();
    auto parent = lastly::with_cancel();
    pool->run([&] {
        const lastly::context given = parent.context();
        group_core& g = detail::open_group(core(pool), true, &given);
        attached.cancel();
        CHECK_FALSE(g.context()->stopped());
        CHECK(stops_with(g, parent));
        detail::close_group(core(pool), g);
    }, attached.context(), lastly::finally([&] {
        group_core& g = detail::open_group(core(pool), true, nullptr);
        CHECK_FALSE(g.context()->stopped());
        std::atomic<int> ran{0};
        spawn(pool, g, [&] { ++ran; });
        errors failures;
        detail::wait_for_group(core(pool), g, failures);   // also waited for in a finalizer
        CHECK(ran == 1);
        detail::close_group(core(pool), g);
    }));
}

TEST_CASE("group: only the first cancel stops it, and a wait renews it") {
    checked_pool pool(1);
    group_core& g = detail::open_group(core(pool), true, nullptr);
    CHECK(detail::cancel_group(g, errc::discarded));
    CHECK_FALSE(detail::cancel_group(g, errc::cancelled));
    std::error_code cause;
    spawn(pool, g, [] {}, lastly::finally([&](const lastly::outcome& o) { cause = o.cause(); }));
    errors failures;
    CHECK(end_of_wait(pool, g, failures).empty());
    CHECK(cause == errc::discarded);
    CHECK(detail::cancel_group(g, errc::cancelled));
    detail::close_group(core(pool), g);
}

TEST_CASE("group: a refused member has run its chain, counts nowhere, and fails nothing") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        group_core& g = detail::open_group(core(pool), true, nullptr);
        pool->close();
        int chains = 0;
        for (int i = 0; i < 70; ++i) {
            CHECK_THROWS_AS(spawn(pool, g, [] {}, lastly::finally([&](const lastly::outcome& o) { chains += o.rejected() ? 1 : 100; })),
                            lastly::task_rejected);
        }
        CHECK(chains == 70);
        CHECK(g.is_complete());
        CHECK_FALSE(g.context()->stopped());
        errors failures;
        CHECK(end_of_wait(pool, g, failures).empty());
        CHECK(failures.empty());
        detail::close_group(core(pool), g);
    }
}

TEST_CASE("group: without an account a member is refused, and the group stays complete") {
    checked_pool pool(1);
    group_core& g = detail::open_group(core(pool), true, nullptr);
    detail::fail_accounts(1);
    int chains = 0;
    CHECK_THROWS_AS(spawn(pool, g, [] {}, lastly::finally([&] { ++chains; })), lastly::task_rejected);
    detail::fail_accounts(0);
    CHECK(chains == 1);
    CHECK(g.is_complete());
    detail::close_group(core(pool), g);
}

TEST_CASE("group: the errors of a wait replace those of the one before, and the first one is thrown") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        group_core& g = detail::open_group(core(pool), false, nullptr);
        errors failures;
        for (int i = 0; i < 3; ++i) {   // one after the other: their order is known
            spawn(pool, g, [i] { throw std::runtime_error(std::to_string(i)); });
            while (pool->ledger().failed != static_cast<std::uint64_t>(i) + 1) std::this_thread::yield();
        }
        CHECK(end_of_wait(pool, g, failures) == "0");
        REQUIRE(failures.size() == 3);
        CHECK(message_of<std::runtime_error>([&] { std::rethrow_exception(failures[1]); }) == "1");
        CHECK(message_of<std::runtime_error>([&] { std::rethrow_exception(failures[2]); }) == "2");
        spawn(pool, g, [] { throw std::runtime_error("later"); });
        CHECK(end_of_wait(pool, g, failures) == "later");
        CHECK(failures.size() == 1);
        CHECK(end_of_wait(pool, g, failures).empty());
        CHECK(failures.empty());
        detail::close_group(core(pool), g);
        CHECK(pool.reports().empty());
    }
}

TEST_CASE("group: errors that nobody took go to the sink of its pool when it is closed, in their order") {
    checked_pool pool(2);
    group_core& g = detail::open_group(core(pool), false, nullptr);
    for (const char* const name : {"one", "two"}) {
        spawn(pool, g, [name] { throw std::runtime_error(name); }, lastly::named("member"));
        const std::uint64_t wanted = name == std::string("one") ? 1 : 2;
        while (pool->ledger().failed != wanted) std::this_thread::yield();
    }
    CHECK(pool.reports().empty());
    detail::close_group(core(pool), g);
    const auto told = pool.reports();
    REQUIRE(told.size() == 2);
    CHECK(told[0].what == "one");
    CHECK(told[1].what == "two");
    CHECK(told[0].name == "member");
    CHECK(told[0].kind == lastly::report_kind::failed);
}

TEST_CASE("group: a wait that finds no memory for a fresh context does not lose the failure that it found") {
    checked_pool pool(1);
    group_core& g = detail::open_group(core(pool), true, nullptr);
    spawn(pool, g, [] { throw std::runtime_error("kept"); });
    pool->wait_idle();
    errors failures;
    detail::fail_context_nodes(1);
    CHECK_THROWS_AS(detail::wait_for_group(core(pool), g, failures), std::bad_alloc);
    detail::fail_context_nodes(0);
    CHECK(end_of_wait(pool, g, failures) == "kept");   // the group failed: no later wait takes it for a good one
    CHECK(failures.size() == 1);
    detail::close_group(core(pool), g);
}

TEST_CASE("group: a cancel from anywhere races the wait that gives the group a fresh context") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        lastly::task_group group(*pool);
        std::atomic<bool> over{false};
        std::thread canceller([&] {
            while (!over) group.cancel();
        });
        std::atomic<int> chains{0};
        for (int i = 0; i < 500; ++i) {
            group.spawn([] {}, lastly::finally([&] { ++chains; }));
            group.spawn([] {}, lastly::finally([&] { ++chains; }));
            group.wait();
        }
        over = true;
        canceller.join();
        CHECK(chains == 1000);
    }
}

TEST_CASE("E2: a handle's cancel after its group's stop is too late, for a queued member and a running one") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        for (const bool running : {false, true}) {
            std::optional<support::blockade> all;
            if (!running) all.emplace(*pool, workers);
            lastly::task_group group(*pool);
            std::atomic<bool> begun{false}, go{false};
            auto member = group.submit([&] {
                begun = true;
                support::await([&] { return go.load(); });
                lastly::this_task::throw_if_stopped();
            });
            if (running) support::await([&] { return begun.load(); });
            group.cancel(std::make_error_code(std::errc::timed_out));
            CHECK_FALSE(member.cancel(std::make_error_code(std::errc::broken_pipe)));
            go = true;
            all.reset();
            group.wait();
            CHECK(member.outcome().cause() == std::errc::timed_out);
            CHECK_FALSE(member.cancel());
        }
    }
}

TEST_CASE("group: a parent's deadline that has passed is told by a wait, also before that one's timer went off") {
    checked_pool pool(1);
    int told = 0;
    for (int round = 0; round < 50; ++round) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(300);
        const auto parent = lastly::with_deadline(lastly::context::background(), deadline);
        while (std::chrono::steady_clock::now() < deadline) {}
        const lastly::context given = parent.context();
        group_core& g = detail::open_group(core(pool), true, &given);
        CHECK(g.context()->cause() == errc::deadline_exceeded);   // from the start
        errors failures;
        try {
            detail::wait_for_group(core(pool), g, failures);
        } catch (const lastly::task_cancelled& e) {
            told += e.code() == errc::deadline_exceeded ? 1 : 0;
        }
        detail::close_group(core(pool), g);
    }
    CHECK(told == 50);
}

TEST_CASE("E2: a context that a task asks for late shows the cause that came first") {
    checked_pool pool(2);
    lastly::task_group group(*pool);
    std::atomic<bool> begun{false}, go{false};
    std::error_code shown;
    auto member = group.submit([&](lastly::task_context& t) {
        begun = true;
        support::await([&] { return go.load(); });
        shown = t.context().cause();
        t.throw_if_stopped();
    });
    support::await([&] { return begun.load(); });
    CHECK(member.cancel(std::make_error_code(std::errc::timed_out)));
    group.cancel(std::make_error_code(std::errc::broken_pipe));
    go = true;
    group.wait();
    CHECK(shown == std::errc::timed_out);
    CHECK(member.outcome().cause() == std::errc::timed_out);
}

TEST_CASE("group: members spawned from outside race waits that give the group a fresh context") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        lastly::task_group group(*pool);
        std::atomic<int> chains{0};
        std::atomic<bool> over{false};
        std::thread spawner([&] {
            for (int spawned = 1; spawned <= 2000; ++spawned) {
                group.spawn([] { static_cast<void>(lastly::this_task::stop_requested()); }, lastly::finally([&] { ++chains; }));
                support::await([&] { return chains.load() >= spawned; });
            }
            over = true;
        });
        while (!over) {
            group.cancel();
            group.wait();
        }
        spawner.join();
        group.wait();
        CHECK(chains == 2000);
    }
}

TEST_CASE("C3: a group that a detached task makes is told of the end of its pool") {
    for (const unsigned workers : worker_counts) {
        for (const bool detached : {true, false}) {
            CAPTURE(workers);
            CAPTURE(detached);
            lastly::pool pool(support::options(workers));
            std::atomic<bool> begun{false};
            std::error_code told;
            auto body = [&] {
                lastly::task_group group(pool);
                group.spawn([&] {
                    begun = true;
                    support::await([] { return lastly::this_task::stop_requested(); });
                });
                try {
                    group.wait();
                } catch (const lastly::task_cancelled& e) {
                    told = e.code();
                }
            };
            lastly::task_handle<void> handle;
            if (detached) pool.detach(body);
            else handle = pool.submit(body);
            support::await([&] { return begun.load(); });
            CHECK(pool.shutdown_now().complete);
            CHECK(told == lastly::errc::pool_shutdown);
        }
    }
}

TEST_CASE("E2: the first stop that a detached body is told of is its cause, and that of the context which it asks for later") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        lastly::cancel_source source = lastly::with_cancel();
        lastly::task_group group(*pool);
        std::atomic<bool> begun{false}, told{false}, go{false};
        std::error_code of_context, of_outcome;
        group.spawn(
            [&] {
                begun = true;
                support::await([] { return lastly::this_task::stop_requested(); });
                told = true;
                support::await([&] { return go.load(); });
                of_context = lastly::this_task::context().cause();
                lastly::this_task::throw_if_stopped();
            },
            source.context(), lastly::finally([&](const lastly::outcome& o) { of_outcome = o.cause(); }));
        support::await([&] { return begun.load(); });
        group.cancel(std::make_error_code(std::errc::timed_out));
        support::await([&] { return told.load(); });
        source.cancel(std::make_error_code(std::errc::broken_pipe));   // asked for first, were it not for what the body knows
        go = true;
        group.wait();
        CHECK(of_context == std::errc::timed_out);
        CHECK(of_outcome == std::errc::timed_out);
    }
}
