// One run: order, outcomes, stops, and what its branches share of these. Rules O1, O3, E1, E2, C1, C3, C4.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>

using namespace support;
using lastly::errc;
using lastly::parallel_invoke;
using lastly::report_kind;
using lastly::task_cancelled;
using lastly::task_context;
namespace this_task = lastly::this_task;

TEST_CASE("O1: the result is stored before the first finalizer runs") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> seen{0};
        CHECK(pool.run([](lastly::task_context&) { return 41; },
                       lastly::finally([&](lastly::result<int>& r) { seen = r.succeeded() ? r.value() : -1; })) == 41);
        CHECK(seen == 41);
        auto failing = pool.submit([]() -> int { throw std::runtime_error("stored"); },
                                   lastly::finally([&](const lastly::outcome& o) { seen = o.failed() && o.error() ? 7 : -1; }));
        CHECK_THROWS_WITH(failing.get(), "stored");
        CHECK(seen == 7);
        check_end(pool);
    });
}

TEST_CASE("O3: captures die after the chain and before the waiter is told") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int i = 0; i < 200; ++i) {
            std::atomic<int> alive{0}, alive_in_chain{-1};
            auto task = lastly::make_task([c = canary(alive)](lastly::task_context& t) { t.defer([d = c] {}); },
                                          lastly::finally([&, c = canary(alive)] { alive_in_chain = alive.load(); }));
            auto handle = pool.submit(std::move(task));   // the temporaries it was made of are gone: none of them is counted
            handle.wait();
            CHECK(alive == 0);
            CHECK(alive_in_chain == 3);
        }
        check_end(pool);
    });
}

TEST_CASE("O3: finalizers registered by destructors of captures run too") {
    struct defers_when_destroyed {
        std::atomic<int>* ran;
        explicit defers_when_destroyed(std::atomic<int>& r) : ran(&r) {}
        defers_when_destroyed(defers_when_destroyed&& other) noexcept : ran(std::exchange(other.ran, nullptr)) {}
        ~defers_when_destroyed() {
            if (ran != nullptr) lastly::this_task::defer([r = ran] { r->fetch_add(1); });
        }
    };
    with_workers([&](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> ran{0};
        pool.submit([d = defers_when_destroyed(ran)] {}, lastly::finally([d = defers_when_destroyed(ran)] {})).wait();
        CHECK(ran == 2);
        CHECK(pool.ledger().finalizers_attached == 3);
        check_end(pool);
    });
}

TEST_CASE("E1: a body that returns has succeeded, even if a stop was requested") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate started;
        auto handle = pool.submit([&] { started.pass(); });
        started.wait_for_arrivals(1);
        CHECK(handle.cancel());
        started.open();
        handle.wait();
        CHECK(handle.outcome().succeeded());
        check_end(pool);
    });
}

TEST_CASE("E1: task_cancelled after a requested stop is a cancellation with its cause, without one a failure") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        gate started;
        auto stopped = pool.submit([&](lastly::task_context& t) {
            started.pass();
            t.throw_if_stopped();
        });
        started.wait_for_arrivals(1);
        CHECK(stopped.cancel(std::make_error_code(std::errc::timed_out)));
        started.open();
        stopped.wait();
        CHECK(stopped.outcome().cancelled());
        CHECK(stopped.outcome().started());
        CHECK(stopped.outcome().cause() == std::errc::timed_out);
        CHECK_THROWS_AS(stopped.get(), lastly::task_cancelled);

        auto pretending = pool.submit([] { throw lastly::task_cancelled(lastly::errc::cancelled); });
        pretending.wait();
        CHECK(pretending.outcome().failed());
        check_end(pool);
    });
}

TEST_CASE("C1: a running body sees the stop; a queued one does not start") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate started;
        std::atomic<bool> saw_before{true}, saw_after{false}, began{false};
        auto running = pool.submit([&](lastly::task_context& t) {
            saw_before = t.stop_requested() || lastly::this_task::stop_requested();
            started.pass();
            saw_after = t.stop_requested() && lastly::this_task::stop_requested();
        });
        started.wait_for_arrivals(1);
        std::vector<lastly::task_handle<void>> queued;
        {
            blockade others(pool, workers - 1);
            queued.push_back(pool.submit([&] { began = true; }));
            CHECK(queued.back().cancel());
            CHECK(running.cancel());
        }
        started.open();
        running.wait();
        queued.back().wait();
        CHECK_FALSE(saw_before);
        CHECK(saw_after);
        CHECK_FALSE(began);
        CHECK(queued.back().outcome().cancelled());
        CHECK_FALSE(queued.back().outcome().started());
        check_end(pool);
    });
}

TEST_CASE("C4: a finalizer sees no stop and is never interrupted by one") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate started;
        std::atomic<int> shielded{0};
        const auto look = [&](lastly::task_context* t) {
            lastly::this_task::throw_if_stopped();
            if (t != nullptr && t->stop_requested()) return;
            if (!lastly::this_task::stop_requested() && lastly::this_task::finalizing()) shielded.fetch_add(1);
        };
        auto handle = pool.submit(
            [&](lastly::task_context& t) {
                t.defer([&look] { look(nullptr); });
                started.pass();
                t.throw_if_stopped();
            },
            lastly::finally([&] { look(nullptr); }), lastly::on_cancelled([&] { look(nullptr); }));
        started.wait_for_arrivals(1);
        handle.cancel();
        started.open();
        handle.wait();
        CHECK(handle.outcome().cancelled());
        CHECK(shielded == 3);
        check_end(pool);
    });
}

TEST_CASE("run: this_task knows whether, what, and in which phase") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        CHECK_FALSE(lastly::this_task::inside());
        CHECK(std::string(lastly::this_task::name()) == "");
        std::atomic<int> right{0};
        pool.run(
            [&] {
                if (lastly::this_task::inside() && !lastly::this_task::finalizing()) right.fetch_add(1);
                if (std::string(lastly::this_task::name()) == "known") right.fetch_add(1);
            },
            lastly::named("known"), lastly::finally([&] {
                if (lastly::this_task::inside() && lastly::this_task::finalizing()) right.fetch_add(1);
                if (std::string(lastly::this_task::name()) == "known") right.fetch_add(1);
            }));
        CHECK(right == 4);
        CHECK_THROWS_AS(lastly::this_task::defer([] {}), std::logic_error);
        check_end(pool);
    });
}

TEST_CASE("C4: a finalizer's context shows no stop, one obtained before tells the truth") {
    const std::error_code why(77, std::generic_category());
    with_workers([why](unsigned workers) {
        lastly::pool pool(options(workers));
        gate running;
        std::optional<lastly::context> before, inside;
        auto handle = pool.submit(
            [&](lastly::task_context& t) {
                before = t.context();
                running.pass();
            },
            lastly::finally([&] {
                inside = lastly::this_task::context();
                CHECK(before->cause() == why);
                CHECK_FALSE(inside->stop_requested());
                CHECK(inside->sleep_for(std::chrono::microseconds(1)));
            }));
        running.wait_for_arrivals(1);
        CHECK(handle.cancel(why));
        running.open();
        handle.get();
        CHECK_FALSE(*inside == *before);
        check_end(pool);
    });
}

TEST_CASE("E1: another thread that a body lends its task_context to is told the cause, too") {
    lastly::pool pool(options(1));
    std::error_code told;
    const auto ask_elsewhere = [&](const lastly::task_context& t) {
        std::thread([&] {
            try {
                t.throw_if_stopped();
            } catch (const lastly::task_cancelled& e) {
                told = e.code();
            }
        }).join();
    };
    std::atomic<bool> begun{false};
    auto handle = pool.submit([&](lastly::task_context& t) {
        begun = true;
        await([&] { return t.stop_requested(); });
        ask_elsewhere(t);
    });
    await([&] { return begun.load(); });
    CHECK(handle.cancel(std::make_error_code(std::errc::timed_out)));
    handle.wait();
    CHECK(told == std::errc::timed_out);
    auto source = lastly::with_cancel();
    pool.submit([&](lastly::task_context& t) {
        source.cancel(std::make_error_code(std::errc::broken_pipe));   // the body itself has not asked yet
        ask_elsewhere(t);
    }, source.context()).wait();
    CHECK(told == std::errc::broken_pipe);
    check_end(pool);
}

TEST_CASE("C4: a stop is seen in stolen branches, and in no branch that a finalizer forks") {
    for (const bool finalizing : {false, true}) {
        CAPTURE(finalizing);
        lastly::pool pool(options(2));
        std::latch begun(1), stopped(1);
        const auto look = [&](task_context& t) {
            run_stolen(pool, [&] { CHECK(t.stop_requested() == !finalizing); },
                       [&] {
                           CHECK(t.stop_requested() == !finalizing);
                           CHECK(this_task::stop_requested() == !finalizing);
                           CHECK(t.context().stop_requested() == !finalizing);
                           CHECK(this_task::finalizing() == finalizing);
                       });
        };
        auto h = pool.submit([&](task_context& t) {
            begun.count_down();
            stopped.wait();
            if (finalizing) t.defer([&] { look(t); });
            else look(t);
        });
        begun.wait();
        h.cancel();
        stopped.count_down();
        h.get();
        check_end(pool);
    }
}

TEST_CASE("C4-asked: a branch's finalizers are shielded while its sibling sees the stop") {
    lastly::pool pool(options(2));
    std::latch begun(1), stopped(1), in_finalizer(1), looked(1);
    auto h = pool.submit([&](task_context& t) {
        begun.count_down();
        stopped.wait();
        run_stolen(pool, [&] {
            this_task::defer([&] {
                CHECK_FALSE(t.stop_requested());
                in_finalizer.count_down();
                looked.wait();
                CHECK_FALSE(this_task::stop_requested());
            });
        }, [&] {
            in_finalizer.wait();
            CHECK(t.stop_requested());
            CHECK_FALSE(this_task::finalizing());
            looked.count_down();
        });
    });
    begun.wait();
    h.cancel();
    stopped.count_down();
    h.get();
    check_end(pool);
}

TEST_CASE("E1: a branch that ends with task_cancelled after a stop is cancelled, and so is its task") {
    for (const bool stolen : {false, true}) {
        CAPTURE(stolen);
        sink_log log;
        lastly::pool pool(options(2, &log));
        std::latch begun(1), stopped(1);
        std::optional<lastly::outcome_kind> kind;
        std::error_code cause;
        auto h = pool.submit([&] {
            begun.count_down();
            stopped.wait();
            const auto branch = [&] {
                this_task::defer([&](const lastly::outcome& o) {
                    kind = o.kind();
                    cause = o.cause();
                });
                this_task::throw_if_stopped();
            };
            if (stolen) run_stolen(pool, [] {}, branch);
            else parallel_invoke(pool, branch, [] { this_task::throw_if_stopped(); });
        });
        begun.wait();
        h.cancel(std::make_error_code(std::errc::interrupted));
        stopped.count_down();
        CHECK_THROWS_AS(h.get(), task_cancelled);
        CHECK(kind == lastly::outcome_kind::cancelled);
        CHECK(cause == std::errc::interrupted);
        CHECK(log.count(report_kind::cancelled) == (stolen ? 0u : 1u));   // the one that was not rethrown
        CHECK(log.entries().size() == log.count(report_kind::cancelled));
        check_end(pool);
    }
}

TEST_CASE("E2-told: the first stop that any part of a detached body is told of stays") {
    lastly::pool pool(options(2));
    auto attached = lastly::with_cancel();
    lastly::task_group group(pool);
    std::error_code later, on_thief;
    group.spawn([&](task_context& t) {
        run_stolen(pool, [&] {}, [&] {
            group.cancel(errc::sibling_failed);
            CHECK(t.stop_requested());
        });
        attached.cancel(std::make_error_code(std::errc::interrupted));   // it would come first, had nobody been told
        try {
            t.throw_if_stopped();
        } catch (const task_cancelled& e) {
            later = e.code();
        }
        run_stolen(pool, [] {}, [&] { on_thief = t.context().cause(); });
    }, attached.context());
    group.wait();
    CHECK(later == errc::sibling_failed);
    CHECK(on_thief == errc::sibling_failed);
    check_end(pool);
}

TEST_CASE("C3: all parts of a body have one context") {
    for (const bool handle : {false, true}) {
        CAPTURE(handle);
        lastly::pool pool(options(2));
        const auto body = [&](task_context& t) {
            const lastly::context *here = nullptr, *there = nullptr;
            run_stolen(pool, [&] { here = &t.context(); }, [&] { there = &t.context(); });
            CHECK(here == there);
            CHECK(here == &t.context());
        };
        if (handle) pool.run(body);
        else pool.detach(body);
        pool.wait_idle();
        check_end(pool);
    }
}
