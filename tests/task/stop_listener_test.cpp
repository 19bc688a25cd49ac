// What a thread that is about to block in a submission hears of stops; alone, and inside tasks.
#include "core/task/stop_listener.hpp"

#include "core/task/context.hpp"
#include "tests/support/pools.hpp"

#include <atomic>
#include <optional>
#include <system_error>
#include <thread>

using lastly::errc;
using lastly::detail::context_access;
using lastly::detail::context_node;
using lastly::detail::stop_listener;
using support::check_end;
using support::options;
using support::with_workers;

namespace {

const std::error_code why(77, std::generic_category());

void count(void* counter) { static_cast<std::atomic<int>*>(counter)->fetch_add(1); }
context_node* node_of(const lastly::cancel_source& s) { return context_access::node(s.context()); }

}   // namespace

TEST_CASE("stop_listener: without anything that could stop it hears nothing, and needs no memory") {
    std::atomic<int> told{0};
    lastly::detail::fail_context_nodes(1);
    const stop_listener nothing(nullptr, nullptr, &count, &told);
    CHECK_FALSE(nothing.cause());
    lastly::detail::fail_context_nodes(0);
    CHECK(told == 0);
}

TEST_CASE("stop_listener: it is told once, of the first stop of the attached context or the group") {
    for (const bool by_group : {false, true}) {
        CAPTURE(by_group);
        auto attached = lastly::with_cancel(), group = lastly::with_cancel();
        std::atomic<int> told{0};
        const stop_listener listener(node_of(attached), node_of(group), &count, &told);
        CHECK_FALSE(listener.cause());
        CHECK(told == 0);
        CHECK((by_group ? group : attached).cancel(why));
        CHECK(told == 1);
        CHECK(listener.cause() == why);
        CHECK((by_group ? attached : group).cancel());
        CHECK(told == 1);
        CHECK(listener.cause() == why);
    }
}

TEST_CASE("stop_listener: made too late it is told at once") {
    auto attached = lastly::with_cancel();
    CHECK(attached.cancel(why));
    std::atomic<int> told{0};
    const stop_listener listener(node_of(attached), nullptr, &count, &told);
    CHECK(told == 1);
    CHECK(listener.cause() == why);
}

TEST_CASE("stop_listener: gone, it is told nothing any more, and what told it has returned") {
    auto attached = lastly::with_cancel();
    std::atomic<int> told{0};
    { const stop_listener listener(node_of(attached), nullptr, &count, &told); }
    CHECK(attached.cancel());
    CHECK(told == 0);

    struct slow_call {
        std::atomic<bool> entered{false}, leave{false}, left{false};
    } call;
    const auto tell = [](void* p) {
        auto& c = *static_cast<slow_call*>(p);
        c.entered = true;
        support::await([&] { return c.leave.load(); });
        c.left = true;
    };
    auto other = lastly::with_cancel();
    std::thread canceller;
    {
        const stop_listener listener(node_of(other), nullptr, tell, &call);
        canceller = std::thread([&] { other.cancel(); });
        support::await([&] { return call.entered.load(); });
        call.leave = true;
    }
    CHECK(call.left);
    canceller.join();
}

TEST_CASE("stop_listener: without memory it says so, and the thread need not wait") {
    auto attached = lastly::with_cancel();
    std::atomic<int> told{0};
    lastly::detail::fail_context_nodes(1);
    const stop_listener listener(node_of(attached), nullptr, &count, &told);
    lastly::detail::fail_context_nodes(0);
    CHECK(listener.cause() == std::errc::not_enough_memory);
    CHECK(attached.cancel());
    CHECK(told == 0);
    CHECK(listener.cause() == std::errc::not_enough_memory);
}

TEST_CASE("stop_listener: inside a task it hears the task's own stop, inside its finalizers it does not") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        support::gate listening;
        std::atomic<int> told{0}, told_in_finalizer{0};
        std::atomic<bool> silent{false};
        auto handle = pool.submit(
            [&] {
                const stop_listener listener(nullptr, nullptr, &count, &told);
                CHECK_FALSE(listener.cause());
                listening.pass();
                support::await([&] { return told.load() != 0; });
                throw lastly::task_cancelled(listener.cause());
            },
            lastly::finally([&] {
                const stop_listener listener(nullptr, nullptr, &count, &told_in_finalizer);
                silent = !listener.cause();
            }));
        listening.wait_for_arrivals(1);
        CHECK(handle.cancel(why));
        listening.open();
        handle.wait();
        CHECK(told == 1);
        CHECK(told_in_finalizer == 0);
        CHECK(silent);
        CHECK(handle.outcome().cause() == why);
        handle.detach();
        check_end(pool);
    });
}
