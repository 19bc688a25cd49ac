// The handle's side of a task: waiting, asking, cancelling, letting go; and who gets the error.
#include <lastly/detail/handle.hpp>

#include "../check_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using lastly::errc;
using lastly::report_kind;
using lastly::task_handle;
using namespace std::chrono_literals;

namespace {

// The code of the system_error that `call` throws.
template <class Call>
std::error_code code_of(Call&& call) {
    try {
        call();
    } catch (const std::system_error& e) {
        return e.code();
    }
    return {};
}

}   // namespace

TEST_CASE("task_handle: an empty one refuses everything, and says why") {
    task_handle<int> none;
    CHECK_FALSE(none.valid());
    const std::string told = "lastly: an empty task_handle (default-constructed, moved from, or after get())";
    CHECK(message_of<std::logic_error>([&] { (void)none.ready(); }) == told);
    CHECK(message_of<std::logic_error>([&] { none.wait(); }) == told);
    CHECK(message_of<std::logic_error>([&] { (void)none.wait_for(1ms); }) == told);
    CHECK(message_of<std::logic_error>([&] { (void)none.get(); }) == told);
    CHECK(message_of<std::logic_error>([&] { (void)none.outcome(); }) == told);
    CHECK(message_of<std::logic_error>([&] { (void)none.cancel(); }) == told);
    CHECK(message_of<std::logic_error>([&] { none.detach(); }) == told);
}

TEST_CASE("task_handle: it is valid until it is moved from, detached, or asked for the value") {
    checked_pool pool(2);
    auto h = pool->submit([] { return std::make_unique<int>(7); });
    task_handle<std::unique_ptr<int>> other = std::move(h);
    CHECK_FALSE(h.valid());
    CHECK(other.valid());
    CHECK(*other.get() == 7);
    CHECK_FALSE(other.valid());
    auto d = pool->submit([] {});
    d.detach();
    CHECK_FALSE(d.valid());
    auto failing = pool->submit([]() -> int { throw std::runtime_error("x"); });
    CHECK_THROWS_AS(failing.get(), std::runtime_error);
    CHECK_FALSE(failing.valid());   // also when it threw
}

TEST_CASE("task_handle: it is ready once the task is over, and tells how it ended") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        occupied_workers busy(*pool);
        bool finalized = false;
        auto h = pool->submit([] { return 5; }, lastly::finally([&] { finalized = true; }));
        CHECK_FALSE(h.ready());
        CHECK(contains(message_of<std::logic_error>([&] { (void)h.outcome(); }), "outcome() before ready(); wait() first"));
        CHECK_FALSE(h.wait_for(0ns));
        CHECK_FALSE(h.wait_for(-1s));
        CHECK_FALSE(h.wait_for(2ms));
        busy.release();
        CHECK(h.wait_for(lastly::forever));
        CHECK(h.ready());
        CHECK(h.wait_for(0ns));
        CHECK(finalized);
        CHECK(h.outcome().succeeded());
        CHECK(h.outcome().started());
        CHECK(h.outcome().kind() == lastly::outcome_kind::succeeded);
        CHECK(h.get() == 5);
    }
}

TEST_CASE("task_handle: several threads may wait for one task, and see what it wrote") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        for (int round = 0; round < 20; ++round) {
            int letter = 0;   // plain
            std::atomic<int> seen{0};
            std::latch ready(3);
            const auto h = pool->submit([&] {
                ready.wait();
                letter = 9;
            });
            std::vector<std::thread> waiters;
            for (int i = 0; i < 3; ++i) {
                waiters.emplace_back([&, i] {
                    ready.count_down();
                    if (i == 0) while (!h.wait_for(1us)) continue;
                    else h.wait();
                    seen += letter;
                });
            }
            for (std::thread& t : waiters) t.join();
            CHECK(seen.load() == 27);
        }
    }
}

TEST_CASE("task_handle: a value comes back as the body's type") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        static int object = 1;
        auto reference = pool->submit([]() -> int& { return object; });
        CHECK(&reference.get() == &object);
        auto nothing = pool->submit([] {});
        nothing.get();
        CHECK_FALSE(nothing.valid());
        struct alignas(128) wide { char c; };
        CHECK(pool->submit([] { return wide{'w'}; }).get().c == 'w');
    }
}

TEST_CASE("task_handle: a task cancelled before it started does not start, and its chain runs on a worker") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        occupied_workers busy(*pool);
        bool body = false;
        std::thread::id chain_ran_on;
        auto h = pool->submit([&] { body = true; }, lastly::finally([&] { chain_ran_on = std::this_thread::get_id(); }));
        CHECK(h.cancel(std::make_error_code(std::errc::timed_out)));
        CHECK_FALSE(h.cancel(errc::cancelled));   // the first cause wins
        CHECK_FALSE(h.ready());
        busy.release();
        h.wait();
        CHECK_FALSE(h.cancel());   // over
        CHECK_FALSE(body);
        CHECK(chain_ran_on != std::thread::id());
        CHECK(chain_ran_on != std::this_thread::get_id());
        CHECK(h.outcome().cancelled());
        CHECK_FALSE(h.outcome().started());
        CHECK(h.outcome().cause() == std::errc::timed_out);
        try {
            h.get();
            FAIL("a cancelled task has no value");
        } catch (const lastly::task_cancelled& e) {
            CHECK(e.code() == std::errc::timed_out);
        }
    }
}

TEST_CASE("task_handle: of several cancellers one did it, and its cause stays") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        for (int round = 0; round < 30; ++round) {
            occupied_workers busy(*pool);
            auto h = pool->submit([] {});
            std::atomic<int> wins{0}, winner{-1};
            std::latch together(3);
            std::vector<std::thread> cancellers;
            for (int i = 0; i < 3; ++i) {
                cancellers.emplace_back([&, i] {
                    together.arrive_and_wait();
                    if (h.cancel({i + 100, std::generic_category()})) {
                        ++wins;
                        winner = i;
                    }
                });
            }
            for (std::thread& t : cancellers) t.join();
            busy.release();
            h.wait();
            CHECK(wins.load() == 1);
            CHECK(h.outcome().cause().value() == winner.load() + 100);
        }
    }
}

TEST_CASE("task_handle: a task that waits for its own handle is told so") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        task_handle<void> own;
        std::latch stored(1);
        std::error_code waited, waited_for, got;
        own = pool->submit([&] {
            stored.wait();
            waited = code_of([&] { own.wait(); });
            waited_for = code_of([&] { (void)own.wait_for(1ms); });
            got = code_of([&] { own.get(); });
        });
        stored.count_down();
        pool->wait_idle();
        CHECK(waited == std::errc::resource_deadlock_would_occur);
        CHECK(waited_for == std::errc::resource_deadlock_would_occur);
        CHECK(got == std::errc::resource_deadlock_would_occur);
        CHECK(own.valid());
        CHECK(own.outcome().succeeded());
    }
}

TEST_CASE("task_handle: a task waits for another one of its pool, also with a single worker") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        const int sum = pool->run([] {
            auto a = lastly::this_task::submit([] { return lastly::this_task::submit([] { return 1; }).get() + 10; });
            auto b = lastly::this_task::submit([] { return 100; });
            auto c = lastly::this_task::submit([] { return 1'000; });
            c.wait();
            return a.get() + b.get() + c.get();
        });
        CHECK(sum == 1'111);
    }
}

TEST_CASE("task_handle: it outlives its pool, with its value or its error") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        task_handle<std::string> value;
        task_handle<void> cancelled;
        {
            lastly::pool_options o;
            o.workers = workers;
            lastly::pool pool(o);
            value = pool.submit([] { return std::string("kept"); }, lastly::named("kept"));
            occupied_workers busy(pool);
            cancelled = pool.submit([] {});
            CHECK_FALSE(pool.shutdown_now(0ns).complete);
            busy.release();
        }
        CHECK(value.ready());
        CHECK(value.get() == "kept");
        CHECK(cancelled.ready());
        CHECK_FALSE(cancelled.cancel());
        CHECK(cancelled.outcome().cause() == errc::pool_shutdown);
        CHECK(code_of([&] { cancelled.get(); }) == errc::pool_shutdown);
    }
}

TEST_CASE("task_handle: an error that nobody looked at goes to the sink, once") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        const auto fails = [] { throw std::runtime_error("unread"); };
        { const auto dropped = pool->submit(fails, lastly::named("dropped after")), kept_until_over = pool->submit([] {});
          dropped.wait(); }
        pool->submit(fails, lastly::named("let go")).detach();
        pool->wait_idle();
        auto assigned_over = pool->submit(fails, lastly::named("assigned over"));
        assigned_over.wait();
        assigned_over = pool->submit([] {});
        { auto read = pool->submit(fails); read.wait(); CHECK(read.outcome().failed()); }
        { auto taken = pool->submit(fails); CHECK_THROWS(taken.get()); }
        pool->wait_idle();
        assigned_over.wait();
        std::vector<std::string> names;
        for (const noted_report& r : pool.reports()) {
            CHECK(r.kind == report_kind::failed);
            CHECK(r.what == "unread");
            names.push_back(r.name);
        }
        CHECK(names == std::vector<std::string>{"dropped after", "let go", "assigned over"});
    }
}

TEST_CASE("task_handle: an unlooked-at cancellation is told, except one that the program brought about in bulk") {
    checked_pool pool(1);
    {
        occupied_workers busy(*pool);
        pool->submit([] {}, lastly::named("one")).cancel(errc::deadline_exceeded);
        pool->submit([] {}, lastly::named("two")).cancel(errc::sibling_failed);
        pool->submit([] {}, lastly::named("three")).cancel(errc::process_exit);
    }
    pool->wait_idle();
    REQUIRE(pool.reports().size() == 1);
    CHECK(pool.reports()[0].kind == report_kind::cancelled);
    CHECK(pool.reports()[0].name == "one");
    CHECK(pool.reports()[0].cause == errc::deadline_exceeded);
}

TEST_CASE("task_handle: its value is destroyed with it, where nobody takes it") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        auto object = std::make_shared<int>(1);
        const std::weak_ptr<int> watch = object;
        {
            auto h = pool->submit([p = std::move(object)]() mutable { return std::move(p); });
            h.wait();
            CHECK_FALSE(watch.expired());
        }
        CHECK(watch.expired());
    }
}
