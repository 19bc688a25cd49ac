// Contexts and tasks: what stops a task, what its own context shows, and how long that lasts.
#include <lastly/context.hpp>

#include "tests/support/pools.hpp"

#include <chrono>
#include <functional>
#include <latch>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

using lastly::cancel_source;
using lastly::context;
using lastly::errc;
using lastly::task_context;
using lastly::with_cancel;
using lastly::with_deadline;
using lastly::with_timeout;
using support::await;
using support::blockade;
using support::check_end;
using support::gate;
using support::options;
using support::with_workers;
namespace this_task = lastly::this_task;
using namespace std::chrono_literals;

namespace {

using clock_type = std::chrono::steady_clock;
constexpr auto forever = lastly::forever;
const std::error_code why(77, std::generic_category());

// What a body saw of its own context when that stopped.
struct sighting {
    std::error_code told, thrown;
    bool slept = true, requested_before = true, requested = false;
};

// A body that waits for a stop of its own context and notes what it sees of it.
auto watcher(gate& running, sighting& seen) {
    return [&running, &seen](task_context& t) {
        const context mine = t.context();
        seen.requested_before = t.stop_requested();
        running.pass();
        seen.slept = mine.sleep_for(forever);
        seen.told = mine.cause();
        seen.requested = t.stop_requested() && this_task::stop_requested() && this_task::context() == mine;
        try {
            t.throw_if_stopped();
        } catch (const lastly::task_cancelled& e) {
            seen.thrown = e.code();
            throw;
        }
    };
}

enum class source { handle, attached, group, root };

void stop(source by, lastly::pool& pool, lastly::task_handle<void>& handle, cancel_source& attached, cancel_source& above_group, std::thread& closer) {
    switch (by) {
    case source::handle: handle.cancel(why); break;
    case source::attached: attached.cancel(why); break;
    case source::group: above_group.cancel(why); break;
    case source::root: closer = std::thread([&pool] { pool.shutdown_now(); }); break;
    }
}

}   // namespace

TEST_CASE("C3: a task's own node stops with the first of handle, attached context, group and pool, and keeps that cause") {
    with_workers([](unsigned workers) {
        for (const source first : {source::handle, source::attached, source::group, source::root}) {
            CAPTURE(static_cast<int>(first));
            lastly::pool pool(options(workers));
            auto attached = with_cancel(), above_group = with_cancel();
            gate running;
            sighting seen;
            std::thread closer;
            {
                lastly::task_group group(pool, above_group.context(), lastly::group_policy::collect);
                auto handle = group.submit(watcher(running, seen), attached.context());
                running.wait_for_arrivals(1);
                stop(first, pool, handle, attached, above_group, closer);
                running.open();
                handle.wait();
                const std::error_code expected = first == source::root ? make_error_code(errc::pool_shutdown) : why;
                CHECK_FALSE(seen.requested_before);
                CHECK_FALSE(seen.slept);
                CHECK(seen.told == expected);
                CHECK(seen.requested);
                CHECK(seen.thrown == expected);
                CHECK(handle.outcome().cancelled());
                CHECK(handle.outcome().cause() == expected);
                CHECK_FALSE(handle.cancel());
                handle.detach();
                group.cancel();
            }
            if (closer.joinable()) closer.join();
            check_end(pool);
        }
    });
}

TEST_CASE("E2: a task's own context keeps the first cause, whatever stops it later") {
    with_workers([](unsigned workers) {
        for (const source first : {source::handle, source::attached, source::group}) {
            CAPTURE(static_cast<int>(first));
            lastly::pool pool(options(workers));
            auto attached = with_cancel(), above_group = with_cancel();
            gate asked, go_on;
            std::error_code seen_first, seen_last;
            std::thread closer;
            lastly::task_group group(pool, above_group.context(), lastly::group_policy::collect);
            auto handle = group.submit(
                [&](task_context& t) {
                    const context mine = t.context();
                    asked.pass();
                    seen_first = mine.cause();
                    go_on.pass();
                    seen_last = mine.cause();
                    t.throw_if_stopped();
                },
                attached.context());
            asked.wait_for_arrivals(1);
            stop(first, pool, handle, attached, above_group, closer);
            asked.open();
            go_on.wait_for_arrivals(1);
            for (cancel_source* const s : {&attached, &above_group}) s->cancel(errc::pool_full);
            CHECK_FALSE(handle.cancel(errc::pool_full));
            go_on.open();
            handle.wait();
            CHECK(seen_first == why);
            CHECK(seen_last == why);
            CHECK(handle.outcome().cause() == why);
            handle.detach();
            CHECK_THROWS_AS(group.wait(), lastly::task_cancelled);   // its parent has stopped
            check_end(pool);
        }
    });
}

TEST_CASE("C3: a stop that came before the task asked for its context is in it") {
    with_workers([](unsigned workers) {
        for (const source first : {source::handle, source::attached, source::group}) {
            CAPTURE(static_cast<int>(first));
            lastly::pool pool(options(workers));
            auto attached = with_cancel(), above_group = with_cancel();
            gate running;
            std::error_code seen;
            std::thread closer;
            lastly::task_group group(pool, above_group.context(), lastly::group_policy::collect);
            auto handle = group.submit(
                [&](task_context& t) {
                    running.pass();
                    seen = t.context().cause();
                },
                attached.context());
            running.wait_for_arrivals(1);
            stop(first, pool, handle, attached, above_group, closer);
            running.open();
            handle.get();   // E1: it returned
            CHECK(seen == why);
            if (first == source::group) CHECK_THROWS_AS(group.wait(), lastly::task_cancelled);
            else group.wait();
            check_end(pool);
        }
    });
}

TEST_CASE("C3: a task's deadline is the earliest of those that it observes") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        const auto now = clock_type::now();
        const auto early = with_deadline(context::background(), now + 1h), late = with_deadline(context::background(), now + 2h);
        const auto deadline = [](task_context& t) { return t.context().deadline(); };
        CHECK_FALSE(pool.run(deadline));
        CHECK(pool.run(deadline, early.context()) == now + 1h);
        lastly::task_group in_early(pool, early.context()), in_late(pool, late.context()), in_none(pool);
        CHECK(in_early.submit(deadline, late.context()).get() == now + 1h);
        CHECK(in_late.submit(deadline, early.context()).get() == now + 1h);
        CHECK(in_late.submit(deadline).get() == now + 2h);
        CHECK_FALSE(in_none.submit(deadline).get());
        for (lastly::task_group* const g : {&in_early, &in_late, &in_none}) g->wait();
        check_end(pool);
    });
}

TEST_CASE("C3: a task's context outlives the task and the pool, and goes on to tell the truth") {
    with_workers([](unsigned workers) {
        auto attached = with_cancel();
        std::optional<context> finished, detached, of_group, last;
        {
            lastly::pool pool(options(workers));
            pool.run([&](task_context& t) { finished = t.context(); }, attached.context());
            pool.detach([&] { detached = this_task::context(); });
            pool.wait_idle();
            {
                lastly::task_group group(pool);
                group.spawn([&] { of_group = this_task::context(); });
                group.wait();
                CHECK_FALSE(of_group->stop_requested());
            }
            auto handle = pool.submit([&](task_context& t) { last = t.context(); });
            handle.wait();
            CHECK_FALSE(handle.cancel());   // over
            handle.get();
            for (const auto* const c : {&finished, &detached, &of_group, &last}) CHECK_FALSE((*c)->stop_requested());
            CHECK(attached.cancel(why));
            CHECK((*finished).cause() == why);
            check_end(pool);
            for (const auto* const c : {&detached, &of_group, &last}) CHECK((*c)->cause() == errc::pool_shutdown);   // S6
        }
        CHECK(finished->cause() == why);
        CHECK_FALSE(last->sleep_for(forever));
        const auto below = with_cancel(*last);
        CHECK(below.context().cause() == errc::pool_shutdown);
    });
}

TEST_CASE("C3: submission does not inherit a context") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        auto attached = with_cancel();
        gate running;
        std::optional<context> outer, inner;
        std::optional<lastly::task_handle<bool>> child;
        auto parent = pool.submit(
            [&](task_context& t) {
                outer = t.context();
                child = this_task::submit([&](task_context& c) {
                    inner = c.context();
                    return c.stop_requested();
                });
                running.pass();
                t.throw_if_stopped();
            },
            attached.context());
        running.wait_for_arrivals(1);
        CHECK(attached.cancel(why));
        running.open();
        CHECK_THROWS_AS(parent.get(), lastly::task_cancelled);
        CHECK_FALSE(child->get());
        CHECK_FALSE(*inner == *outer);
        CHECK(outer->cause() == why);
        CHECK_FALSE(inner->stop_requested());
        check_end(pool);
    });
}

TEST_CASE("C3: a group made in a task stops with that task, whatever stops it") {
    with_workers([](unsigned workers) {
        for (const bool by_handle : {true, false}) {
            for (const bool asked : {true, false}) {   // for its own context, before it makes the group
                CAPTURE(by_handle);
                CAPTURE(asked);
                lastly::pool pool(options(workers));
                auto attached = with_cancel();
                gate running;
                std::error_code of_member, of_wait;
                const auto body = [&](task_context& t) {
                    if (asked) (void)t.context();
                    lastly::task_group group(pool);
                    group.spawn([&](task_context& m) {
                        const context mine = m.context();
                        running.pass();
                        await([&] { return mine.stop_requested(); });
                        of_member = mine.cause();
                    });
                    try {
                        group.wait();
                    } catch (const lastly::task_cancelled& e) {
                        of_wait = e.code();
                    }
                };
                std::optional<lastly::task_handle<void>> handle;
                if (by_handle) handle = pool.submit(body, attached.context());
                else pool.detach(body, attached.context());
                running.wait_for_arrivals(1);
                if (by_handle) CHECK(handle->cancel(why));
                else CHECK(attached.cancel(why));
                running.open();
                pool.wait_idle();
                CHECK(of_member == why);
                CHECK(of_wait == why);
                handle.reset();
                check_end(pool);
            }
        }
    });
}

TEST_CASE("C3: a group made in a finalizer stands below nothing") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate running;
        bool ran = false;
        auto handle = pool.submit(
            [&](task_context& t) {
                (void)t.context();
                running.pass();
                t.throw_if_stopped();
            },
            lastly::finally([&](const lastly::outcome& o) {
                CHECK(o.cancelled());
                lastly::task_group group(pool);
                group.spawn([&] { ran = !this_task::stop_requested(); });
                group.wait();
            }));
        running.wait_for_arrivals(1);
        CHECK(handle.cancel(why));
        running.open();
        handle.wait();
        CHECK(ran);
        handle.detach();
        check_end(pool);
    });
}

TEST_CASE("C5: a deadline that passes while a task is queued cancels it with deadline_exceeded") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        const auto timed = with_timeout(context::background(), 20ms);
        std::latch stopped(1);
        const std::stop_callback all_below_have_stopped(timed.context().stop_token(), [&] { stopped.count_down(); });
        std::atomic<int> bodies{0}, chains{0};
        std::optional<blockade> all(std::in_place, pool, workers);
        const auto counts = lastly::finally([&](const lastly::outcome& o) {
            chains.fetch_add(o.cancelled() && !o.started() && o.cause() == errc::deadline_exceeded ? 1 : 0);
        });
        auto handle = pool.submit([&] { bodies.fetch_add(1); }, timed.context(), counts);
        pool.detach([&] { bodies.fetch_add(1); }, timed.context(), counts);
        lastly::task_group group(pool, timed.context());
        group.spawn([&] { bodies.fetch_add(1); }, counts);
        stopped.wait();
        CHECK(chains == 0);   // C2: not on the timer's thread
        all->open();
        handle.wait();
        CHECK(handle.outcome().cause() == errc::deadline_exceeded);
        CHECK_THROWS_AS(handle.get(), lastly::task_cancelled);
        CHECK_THROWS_AS(group.wait(), lastly::task_cancelled);
        pool.wait_idle();
        CHECK(bodies == 0);
        CHECK(chains == 3);
        check_end(pool);
    });
}

TEST_CASE("C1: a stop_callback in a running body is called by the stop") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (const bool by_handle : {true, false}) {
            CAPTURE(by_handle);
            auto attached = with_cancel();
            gate running;
            std::thread::id called;
            std::atomic<int> calls{0};
            auto handle = pool.submit(
                [&](task_context& t) {
                    const std::stop_callback callback(t.context().stop_token(), [&] {
                        called = std::this_thread::get_id();
                        calls.fetch_add(1);
                    });
                    running.pass();
                    await([&] { return calls.load() != 0; });
                },
                attached.context());
            running.wait_for_arrivals(1);
            CHECK((by_handle ? handle.cancel(why) : attached.cancel(why)));
            CHECK(calls == 1);   // before cancel returned
            CHECK(called == std::this_thread::get_id());
            running.open();
            handle.get();
            CHECK(attached.cancel() == by_handle);
            CHECK(calls == 1);
        }
        check_end(pool);
    });
}
