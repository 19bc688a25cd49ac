// A task before submission, its handle's type, and what a body asks about its own task.
#include <lastly/task.hpp>

#include "check_pool.hpp"

#include <doctest/doctest.h>

#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

using lastly::make_task;
using lastly::outcome;
using lastly::task;
using lastly::task_context;
using lastly::task_handle;
namespace this_task = lastly::this_task;

namespace {

template <class T>
inline constexpr bool is_move_only = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                                     std::is_nothrow_default_constructible_v<T> && !std::is_copy_constructible_v<T> &&
                                     !std::is_copy_assignable_v<T>;
static_assert(is_move_only<task<int>> && is_move_only<task<void>> && is_move_only<task<int&>>);
static_assert(is_move_only<task_handle<int>> && is_move_only<task_handle<void>> && is_move_only<task_handle<int&>>);
static_assert(sizeof(task<std::string>) == sizeof(void*) && sizeof(task_handle<std::string>) == sizeof(void*));
static_assert(!std::is_copy_constructible_v<task_context> && !std::is_move_constructible_v<task_context>);
static_assert(std::is_same_v<decltype(std::declval<task_handle<int&>&>().get()), int&>);
static_assert(std::is_same_v<decltype(std::declval<task_handle<std::string>&>().get()), std::string>);
static_assert(std::is_same_v<decltype(std::declval<const task_handle<int>&>().outcome()), const outcome&>);
static_assert(noexcept(std::declval<const task<int>&>().valid()) && noexcept(std::declval<const task_handle<int>&>().valid()));

struct body_of_context { std::string operator()(task_context&); };
struct body_of_both { int operator()(task_context&); char operator()(); };
struct not_a_body { void operator()(int); };
template <class B> concept makes_task = requires(B b) { make_task(std::move(b)); };
static_assert(std::is_same_v<decltype(make_task(std::declval<body_of_context>())), task<std::string>>);
static_assert(std::is_same_v<decltype(make_task(std::declval<body_of_both>())), task<int>>);   // the context is preferred
static_assert(std::is_same_v<decltype(make_task(std::declval<int& (*)()>())), task<int&>>);
static_assert(std::is_same_v<decltype(make_task(std::declval<const int& (*)()>())), task<const int&>>);
static_assert(makes_task<void (*)()> && !makes_task<not_a_body> && !makes_task<int>);

}   // namespace

TEST_CASE("task: it is valid until it is submitted or moved from") {
    checked_pool pool(2);
    task<int> none;
    CHECK_FALSE(none.valid());
    task<int> t = make_task([] { return 3; });
    CHECK(t.valid());
    task<int> moved = std::move(t);
    CHECK(moved.valid());
    CHECK_FALSE(t.valid());
    auto handle = pool->submit(std::move(moved));
    CHECK_FALSE(moved.valid());
    CHECK(handle.get() == 3);
}

TEST_CASE("task: an empty one cannot be submitted, and says so") {
    checked_pool pool(1);
    task<int> none;
    const std::string told = "lastly: an empty task (submitted already, moved from, or default-constructed)";
    CHECK(message_of<std::logic_error>([&] { (void)pool->submit(std::move(none)); }) == told);
    CHECK(message_of<std::logic_error>([&] { pool->detach(std::move(none)); }) == told);
    CHECK(message_of<std::logic_error>([&] { (void)pool->try_submit(std::move(none)); }) == told);
    CHECK(pool->ledger().attempts == 0);
}

TEST_CASE("task: one that is destroyed unsubmitted runs its chain, discarded") {
    std::string told;
    lastly::outcome_kind kind{};
    std::error_code cause;
    bool started = true, inside = false;
    {
        auto body_alive = std::make_shared<int>(1);
        const std::weak_ptr<int> watch = body_alive;
        const auto t = make_task([kept = std::move(body_alive), &told] { told += '!'; }, lastly::finally([&] { told += '1'; }),
                                 lastly::on_cancelled([&, watch](const outcome& o) {
                                     told += watch.expired() ? '?' : '2';   // captures go after the finalizers
                                     kind = o.kind();
                                     cause = o.cause();
                                     started = o.started();
                                     inside = this_task::inside() && this_task::finalizing();
                                 }),
                                 lastly::on_success([&] { told += 's'; }));
        CHECK(told.empty());
        CHECK_FALSE(watch.expired());
    }
    CHECK(told == "21");
    CHECK(kind == lastly::outcome_kind::rejected);
    CHECK(cause == lastly::errc::discarded);
    CHECK_FALSE(started);
    CHECK(inside);
    CHECK_FALSE(this_task::inside());
}

TEST_CASE("task: assigning over one discards it, and keeps the other") {
    int discarded = 0, ran = 0;
    const auto make = [&] { return make_task([&ran] { ++ran; }, lastly::on_cancelled([&] { ++discarded; })); };
    checked_pool pool(1);
    {
        auto t = make();
        t = make();
        CHECK(discarded == 1);
        auto& same = t;
        t = std::move(same);   // to itself
        CHECK(t.valid());
        CHECK(discarded == 1);
        pool->submit(std::move(t)).wait();
    }
    CHECK(ran == 1);
    CHECK(discarded == 1);
}

TEST_CASE("task: it may be made by one thread, outlive a pool, and run in a later one") {
    std::string told;
    task<std::string> t;
    {
        checked_pool pool(1);
        pool->run([&] {
            t = make_task([] { return std::string(this_task::name()); }, lastly::named("traveller"),
                          lastly::finally([&] { told = "done"; }));
        });
    }
    {
        checked_pool pool(2);
        CHECK(pool->submit(std::move(t)).get() == "traveller");
    }
    CHECK(told == "done");
}

TEST_CASE("task: a discarded one's finalizer may throw and defer, and nobody else is hurt") {
    int deferred = 0;
    {
        const auto t = make_task([] {}, lastly::finally([&] { this_task::defer([&] { ++deferred; }); }), lastly::finally([] { throw 1; }),
                                 lastly::finally([&](const outcome& o) { this_task::defer([&, c = o.cause()] { deferred += c == lastly::errc::discarded ? 10 : 100; }); }));
    }
    CHECK(deferred == 11);
}

TEST_CASE("this_task: outside a task there is nothing to ask, and defer refuses") {
    CHECK_FALSE(this_task::inside());
    CHECK_FALSE(this_task::finalizing());
    CHECK_FALSE(this_task::stop_requested());
    CHECK_NOTHROW(this_task::throw_if_stopped());
    CHECK(std::string(this_task::name()).empty());
    bool called = false;
    CHECK(message_of<std::logic_error>([&] { this_task::defer([&] { called = true; }); }) ==
          "lastly: defer outside a task; nothing was registered");
    CHECK_FALSE(called);
    std::error_code told;
    CHECK(message_of<std::logic_error>([&] {
              (void)this_task::submit([&] { called = true; }, lastly::finally([&](const outcome& o) { told = o.cause(); }));
          }) == "lastly: this_task::submit outside a task of a pool");
    CHECK_FALSE(called);
    CHECK(told == lastly::errc::discarded);   // nothing is lost
}

TEST_CASE("this_task: it answers for the body and for its finalizers") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        bool in_body = false, finalizing_in_body = true, in_finalizer = false, finalizing = false, in_deferred = false;
        pool->run(
            [&] {
                in_body = this_task::inside();
                finalizing_in_body = this_task::finalizing();
                this_task::defer([&] { in_deferred = this_task::inside() && this_task::finalizing(); });
            },
            lastly::finally([&] {
                in_finalizer = this_task::inside();
                finalizing = this_task::finalizing();
            }));
        CHECK(in_body);
        CHECK_FALSE(finalizing_in_body);
        CHECK(in_finalizer);
        CHECK(finalizing);
        CHECK(in_deferred);
    }
}

TEST_CASE("this_task: a task submits to its own pool, with attachments, also while that drains") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        bool finalized = false;
        CHECK(pool->run([&] {
            pool->close();   // what comes from inside is accepted
            return this_task::submit([] { return 4; }, lastly::finally([&] { finalized = true; }), lastly::named("inner")).get();
        }) == 4);
        CHECK(finalized);
        CHECK(pool->shutdown().ledger.accepted == 2);
    }
}

TEST_CASE("task_context: a body sees a stop, throws with its cause, and its finalizers are shielded") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::latch entered(1), go_on(1);
        bool before = true, after = false, deep = false, in_finalizer = true;
        auto h = pool->submit(
            [&](task_context& t) {
                before = t.stop_requested();
                t.throw_if_stopped();
                entered.count_down();
                go_on.wait();
                after = t.stop_requested();
                deep = this_task::stop_requested();
                t.throw_if_stopped();
            },
            lastly::finally([&] {
                in_finalizer = this_task::stop_requested();
                this_task::throw_if_stopped();
            }));
        entered.wait();
        CHECK(h.cancel(std::make_error_code(std::errc::timed_out)));
        go_on.count_down();
        h.wait();
        CHECK_FALSE(before);
        CHECK(after);
        CHECK(deep);
        CHECK_FALSE(in_finalizer);
        CHECK(h.outcome().cancelled());
        CHECK(h.outcome().started());
        CHECK(h.outcome().cause() == std::errc::timed_out);
    }
}

TEST_CASE("task_context: a body that returns despite a stop succeeded") {
    checked_pool pool(1);
    std::latch entered(1), go_on(1);
    auto h = pool->submit([&](task_context&) {
        entered.count_down();
        go_on.wait();
        return 9;
    });
    entered.wait();
    h.cancel();
    go_on.count_down();
    CHECK(h.get() == 9);
}

TEST_CASE("task_context: task_cancelled without a stop is a failure like any other") {
    checked_pool pool(1);
    auto h = pool->submit([] { throw lastly::task_cancelled(lastly::errc::cancelled); });
    h.wait();
    CHECK(h.outcome().failed());
    CHECK_THROWS_AS(h.get(), lastly::task_cancelled);
}

TEST_CASE("task_context: defer from another thread than the task's is refused") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        bool called = false;
        const std::string told = pool->run([&](task_context& t) {
            std::string words;
            std::thread([&] { words = message_of<std::logic_error>([&] { t.defer([&] { called = true; }); }); }).join();
            return words;
        });
        CHECK(told == "lastly: defer from another thread than the task's own; nothing was registered");
        CHECK_FALSE(called);
        pool->wait_idle();
        CHECK(pool->ledger().finalizers_attached == 0);
    }
}

TEST_CASE("task: the site of its making is told in a report, wherever it is submitted") {
    checked_pool pool(1);
    const std::uint32_t line = __LINE__ + 1;
    auto t = make_task([] { throw std::runtime_error("here"); });
    pool->detach(std::move(t));
    pool->wait_idle();
    REQUIRE(pool.reports().size() == 1);
    CHECK(pool.reports()[0].line == line);
    CHECK(pool.reports()[0].what == "here");
}
