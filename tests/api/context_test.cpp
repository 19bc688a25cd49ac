// Contexts and their owners as users see them, without pools.
#include <lastly/context.hpp>

#include "core/task/context.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using lastly::cancel_source;
using lastly::context;
using lastly::errc;
using lastly::with_cancel;
using lastly::with_deadline;
using lastly::with_timeout;
using support::at_a_deadline;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

static_assert(std::is_copy_constructible_v<context> && std::is_nothrow_move_constructible_v<context> && sizeof(context) == sizeof(void*));
static_assert(std::is_nothrow_default_constructible_v<context>);
static_assert(!std::is_copy_constructible_v<cancel_source> && !std::is_copy_assignable_v<cancel_source> && !std::is_default_constructible_v<cancel_source>);
static_assert(std::is_nothrow_move_constructible_v<cancel_source> && std::is_nothrow_move_assignable_v<cancel_source>);
template <class S> concept gives_context = requires(S&& s) { std::forward<S>(s).context(); };
static_assert(gives_context<cancel_source&> && gives_context<const cancel_source&>);
static_assert(!gives_context<cancel_source> && !gives_context<const cancel_source>);   // a temporary owner would cancel at once

const std::error_code why(77, std::generic_category());

}   // namespace

TEST_CASE("context: the background, a default-constructed and a moved-from one are the same, and never stop") {
    auto owner = with_cancel();
    context moved = owner.context();
    const context taken = std::move(moved);
    CHECK(taken == owner.context());
    for (const context& c : {context::background(), context(), moved}) {
        CHECK(c == context::background());
        CHECK_FALSE(c == taken);
        CHECK_FALSE(c.stop_requested());
        CHECK_FALSE(c.cause());
        CHECK_FALSE(c.deadline());
        CHECK_FALSE(c.stop_token().stop_possible());
        CHECK(c.sleep_for(1us));
        auto below = with_cancel(c);
        CHECK(below.cancel());
        CHECK_FALSE(c.stop_requested());
    }
}

TEST_CASE("context: copies are the same node, which lives as long as one of them") {
    std::optional<context> first, second;
    {
        auto owner = with_cancel();
        first = owner.context();
        second = first;
        CHECK(*second == *first);
        first = context::background();
        CHECK_FALSE(*second == *first);
        context& same = *second;
        second = same;   // onto itself
        CHECK(*second == owner.context());
        CHECK(owner.cancel(why));
    }
    CHECK(second->stop_requested());
    CHECK(second->cause() == why);
    const auto below = with_cancel(*second);
    CHECK(below.context().cause() == why);
}

TEST_CASE("C3: an owner that is destroyed cancels its context") {
    std::optional<cancel_source> owner = with_cancel();
    const context kept = owner->context();
    const auto below = with_cancel(kept);
    CHECK_FALSE(kept.stop_requested());
    owner.reset();
    CHECK(kept.cause() == errc::cancelled);
    CHECK(below.context().cause() == errc::cancelled);
}

TEST_CASE("C3: an owner that is assigned over cancels what it had, and owns the other") {
    auto a = with_cancel(), b = with_cancel();
    const context of_a = a.context(), of_b = b.context();
    a = std::move(b);
    CHECK(of_a.cause() == errc::cancelled);
    CHECK_FALSE(of_b.stop_requested());
    CHECK(a.context() == of_b);
    cancel_source& same = a;
    a = std::move(same);   // onto itself
    CHECK_FALSE(of_b.stop_requested());
    CHECK(a.cancel(why));
    CHECK(of_b.cause() == why);
}

TEST_CASE("context: an owner that was moved from owns nothing and says so") {
    auto a = with_cancel();
    const context kept = a.context();
    {
        const cancel_source b = std::move(a);
        CHECK_FALSE(a.cancel());
        CHECK_THROWS_AS((void)a.context(), std::logic_error);
        CHECK_FALSE(kept.stop_requested());
        CHECK(b.context() == kept);
    }
    CHECK(kept.stop_requested());
    a = with_cancel();
    CHECK_FALSE(a.context().stop_requested());
}

TEST_CASE("E2: the first cancel of an owner wins, an empty cause stands for cancelled") {
    auto a = with_cancel(), b = with_cancel();
    CHECK(a.cancel(why));
    CHECK_FALSE(a.cancel(errc::pool_shutdown));
    CHECK(a.context().cause() == why);
    CHECK(b.cancel(std::error_code()));
    CHECK(b.context().cause() == errc::cancelled);
}

TEST_CASE("context: limits and moments are those that were asked for, at both ends of the scale") {
    const auto parent = with_timeout(context::background(), 1h);
    const auto begin = clock_type::now();
    const auto minute = with_timeout(context::background(), 1min);
    const auto end = clock_type::now();
    REQUIRE(minute.context().deadline().has_value());
    CHECK(*minute.context().deadline() >= begin + 1min);
    CHECK(*minute.context().deadline() <= end + 1min);
    const auto deadline_of = [](const cancel_source& s) { return s.context().deadline(); };
    constexpr auto longest = std::chrono::nanoseconds::max();
    constexpr auto last = clock_type::time_point::max();
    CHECK(deadline_of(with_deadline(parent.context(), begin + 1min)) == begin + 1min);
    CHECK_FALSE(deadline_of(with_timeout(context::background(), longest)));
    CHECK_FALSE(deadline_of(with_timeout(context::background(), longest - 1ns)));
    CHECK_FALSE(deadline_of(with_deadline(context::background(), last)));
    CHECK(deadline_of(with_timeout(parent.context(), longest)) == parent.context().deadline());
    CHECK(deadline_of(with_deadline(parent.context(), last - 1ns)) == parent.context().deadline());
    for (const auto limit : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
        const auto passed = with_timeout(parent.context(), limit);
        CHECK(passed.context().cause() == errc::deadline_exceeded);
    }
    for (const auto moment : {clock_type::time_point::min(), clock_type::time_point(), begin}) {
        const auto passed = with_deadline(parent.context(), moment);
        CHECK(passed.context().cause() == errc::deadline_exceeded);
        CHECK(passed.context().deadline() == moment);
    }
    CHECK_FALSE(parent.context().stop_requested());
}

TEST_CASE("C5: a timeout stops its context when it has passed, and not before") {
    for (int i = 0; i < 20; ++i) {
        const auto timed = with_timeout(context::background(), 1ms * (i % 4));
        CHECK_FALSE(timed.context().sleep_for(std::chrono::nanoseconds::max()));
        CHECK(clock_type::now() >= *timed.context().deadline());
        CHECK(timed.context().cause() == errc::deadline_exceeded);
    }
}

TEST_CASE("C1: a stop wakes whoever sleeps on the context") {
    for (int round = 0; round < 100; ++round) {   // in some of them all sleep already
        auto owner = with_cancel();
        const auto below = with_cancel(owner.context());
        std::atomic<int> woken{0};
        std::latch about_to_sleep(3);
        std::vector<std::thread> sleepers;
        for (int i = 0; i < 3; ++i) {
            sleepers.emplace_back([&, c = i == 0 ? owner.context() : below.context()] {
                about_to_sleep.count_down();
                if (!c.sleep_for(std::chrono::nanoseconds::max()) && c.cause() == why) woken.fetch_add(1);
            });
        }
        about_to_sleep.wait();
        CHECK(owner.cancel(why));
        for (std::thread& t : sleepers) t.join();
        CHECK(woken == 3);
    }
}

TEST_CASE("context: a sleep without a stop lasts to its end") {
    const auto owner = with_cancel();
    const auto begin = clock_type::now();
    CHECK(owner.context().sleep_for(2ms));
    CHECK(clock_type::now() - begin >= 2ms);
    CHECK(owner.context().sleep_until(begin));
    CHECK(owner.context().sleep_for(std::chrono::nanoseconds::min()));
}

TEST_CASE("context: tokens work with the standard library, and a stop wakes what waits with them") {
    auto owner = with_cancel();
    const std::stop_token token = owner.context().stop_token(), again = owner.context().stop_token();
    CHECK(token == again);
    CHECK(token.stop_possible());
    CHECK_FALSE(token.stop_requested());
    std::mutex mutex;
    std::condition_variable_any condition;
    std::atomic<bool> stopped{false};
    std::thread waiter([&] {
        std::unique_lock lock(mutex);
        stopped = !condition.wait(lock, token, [] { return false; });
    });
    CHECK(owner.cancel());
    waiter.join();
    CHECK(stopped);
    CHECK(token.stop_requested());
    int called = 0;
    const std::stop_callback later(token, [&] { ++called; });
    CHECK(called == 1);
}

TEST_CASE("C1: a token that is asked for after the stop calls back at once") {
    auto owner = with_cancel();
    CHECK(owner.cancel());
    int called = 0;
    const std::stop_callback late(owner.context().stop_token(), [&] { ++called; });
    CHECK(called == 1);
    std::mutex mutex;
    std::condition_variable_any condition;
    std::unique_lock lock(mutex);
    CHECK(owner.context().stop_token().stop_requested());
    if (called == 1) CHECK_FALSE(condition.wait(lock, owner.context().stop_token(), [] { return false; }));   // it would wait for ever
}

TEST_CASE("context: a token outlives its node, and keeps the stop") {
    std::stop_token token;
    {
        const auto owner = with_cancel();
        token = owner.context().stop_token();
        CHECK_FALSE(token.stop_requested());
    }
    CHECK(token.stop_requested());   // the owner's end cancelled it
}

TEST_CASE("C6: when a callback runs, everything below shows the stop already, and higher ones run first") {
    cancel_source top = with_cancel();
    const cancel_source middle = with_cancel(top.context()), bottom = with_cancel(middle.context()), beside = with_cancel(top.context());
    std::vector<int> order;
    int seen = 0;
    const auto look = [&](int level) {
        order.push_back(level);
        for (const cancel_source* s : {&std::as_const(top), &middle, &bottom, &beside}) seen += s->context().stop_requested() ? 1 : 0;
    };
    const std::stop_callback lowest(bottom.context().stop_token(), [&] { look(2); });
    const std::stop_callback middling(middle.context().stop_token(), [&] { look(1); });
    const std::stop_callback highest(top.context().stop_token(), [&] { look(0); });
    CHECK(top.cancel());
    CHECK(order == std::vector<int>{0, 1, 2});
    CHECK(seen == 12);
}

TEST_CASE("C6: callbacks run with no lock held, they may make, cancel, free and ask anything") {
    auto top = with_cancel(), other = with_timeout(context::background(), 1h);
    std::optional<cancel_source> child = with_cancel(top.context()), stopped_before = with_cancel(top.context());
    CHECK(stopped_before->cancel());
    std::vector<cancel_source> made;
    std::thread::id ran;
    int calls = 0, nested = 0;
    bool cancelled_again = true;
    const std::stop_callback of_other(other.context().stop_token(), [&] { ++nested; });
    std::optional<std::stop_callback<std::function<void()>>> self;
    self.emplace(top.context().stop_token(), [&] {
        ++calls;
        ran = std::this_thread::get_id();
        child.reset();
        stopped_before.reset();   // nobody else holds it: it is freed, which takes its parent's lock
        made.push_back(with_cancel(top.context()));
        made.push_back(with_timeout(other.context(), 1min));
        other.cancel(why);
        cancelled_again = top.cancel();
        top.context().sleep_for(1h);
        self.reset();
    });
    CHECK(top.cancel(errc::sibling_failed));
    CHECK(calls == 1);
    CHECK(nested == 1);
    CHECK(ran == std::this_thread::get_id());
    CHECK_FALSE(cancelled_again);
    REQUIRE(made.size() == 2);
    CHECK(made[0].context().cause() == errc::sibling_failed);
    CHECK(made[1].context().cause() == why);
}

TEST_CASE("C6: a callback that releases the last reference to its own node is no danger") {
    const auto owner = with_timeout(context::background(), 1ms);
    const context watch = owner.context();
    std::atomic<bool> ran{false};
    auto dying = std::make_unique<cancel_source>(with_cancel(watch));
    std::latch done(1);
    const std::stop_callback callback(dying->context().stop_token(), [&] {
        dying.reset();
        ran = true;
        done.count_down();
    });
    done.wait();   // on the timer's thread
    CHECK(ran);
    CHECK(watch.cause() == errc::deadline_exceeded);
}

TEST_CASE("C6: a deadline's callbacks run on the timer's thread, and may make and call off deadlines") {
    std::optional<cancel_source> far = with_timeout(context::background(), 1h);
    std::optional<cancel_source> next;
    at_a_deadline([&] {
        far.reset();
        next = with_timeout(context::background(), 1ms);
    });
    CHECK_FALSE(next->context().sleep_for(std::chrono::nanoseconds::max()));
    CHECK(next->context().cause() == errc::deadline_exceeded);
}

TEST_CASE("context: without memory an owner is not made") {
    const auto parent = with_cancel();
    lastly::detail::fail_context_nodes(1);
    CHECK_THROWS_AS((void)with_cancel(parent.context()), std::bad_alloc);
    lastly::detail::fail_context_nodes(1);
    CHECK_THROWS_AS((void)with_timeout(parent.context(), 1h), std::bad_alloc);
    lastly::detail::fail_context_nodes(0);
    CHECK_FALSE(parent.context().stop_requested());
    const auto made = with_cancel(parent.context());
    CHECK_FALSE(made.context().stop_requested());
}
