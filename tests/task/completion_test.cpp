// Completion: what waiters see, which errors are told to whom. Rules O4, E5, W3, W4, S6.
#include "core/structures/frame_store.hpp"
#include "core/task/state.hpp"
#include "tests/report/captured_stderr.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <utility>

using namespace support;

TEST_CASE("O4: whoever was waiting may free everything that the task touched") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int i = 0; i < 500; ++i) {
            auto touched = std::make_unique<int>(0);
            int* const p = touched.get();
            auto handle = pool.submit([p](lastly::task_context& t) { t.defer([p] { std::this_thread::yield(); *p += 1; }); },
                                      lastly::finally([p] { *p += 10; }));
            handle.wait();
            CHECK(handle.ready());
            CHECK(*touched == 11);
            touched.reset();
        }
        check_end(pool);
    });
}

TEST_CASE("O4: the ledger has counted a task whose waiter was told") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (std::uint64_t i = 1; i <= 200; ++i) {
            pool.run([] {}, lastly::finally([] {}));
            const auto now = pool.ledger();
            CHECK(now.succeeded == i);
            CHECK(now.finalizers_run == i);
        }
        check_end(pool);
    });
}

TEST_CASE("E5: errors that nobody takes reach the sink once: detached, dropped before, dropped after, outlived") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::task_handle<void> outliving;
        {
            lastly::pool pool(options(workers, &log));
            const auto fail = [] { throw std::runtime_error("lost"); };
            pool.detach(fail, lastly::named("detached"));
            pool.wait_idle();
            CHECK(log.count(lastly::report_kind::failed) == 1);
            {
                blockade all(pool, workers);
                pool.submit(fail, lastly::named("dropped before")).detach();
            }
            pool.wait_idle();
            CHECK(log.count(lastly::report_kind::failed) == 2);
            auto finished = pool.submit(fail, lastly::named("dropped after"));
            finished.wait();
            CHECK(log.count(lastly::report_kind::failed) == 2);
            finished.detach();
            CHECK(log.count(lastly::report_kind::failed) == 3);
            auto taken = pool.submit(fail);
            CHECK_THROWS(taken.get());
            auto looked_at = pool.submit(fail);
            looked_at.wait();
            CHECK(looked_at.outcome().failed());
            looked_at.detach();
            CHECK(log.count(lastly::report_kind::failed) == 3);
            outliving = pool.submit(fail, lastly::named("outliving"));
            outliving.wait();
            check_end(pool);
        }
        REQUIRE(log.count(lastly::report_kind::failed) == 4);
        CHECK(log.entries().back().name == "outliving");
        CHECK_THROWS_WITH(outliving.get(), "lost");
        CHECK(log.count(lastly::report_kind::failed) == 4);
    });
}

TEST_CASE("E5: a dropped cancellation is told as cancelled; one in bulk is counted only") {
    with_workers([](unsigned workers) {
        sink_log log;
        {
            lastly::pool pool(options(workers, &log));
            std::vector<lastly::task_handle<void>> in_bulk;
            {
                blockade all(pool, workers);
                auto one = pool.submit([] {}, lastly::named("one"));
                one.cancel();
                one.detach();
                for (int i = 0; i < 20; ++i) in_bulk.push_back(pool.submit([] {}));
                pool.shutdown_now(std::chrono::nanoseconds(0));
            }
            check_end(pool);
        }
        CHECK(log.count(lastly::report_kind::cancelled) == 1);
        CHECK(log.entries().size() == 1);
        CHECK(log.entries()[0].name == "one");
        CHECK(log.entries()[0].cause == lastly::errc::cancelled);
    });
}

TEST_CASE("E5: the sink may submit, and may throw") {
    with_workers([](unsigned workers) {
        std::atomic<int> second{0};
        lastly::pool* self = nullptr;
        auto o = options(workers);
        o.error_sink = [&](const lastly::error_report&) {
            self->detach([&] { second.fetch_add(1); });
            throw std::runtime_error("the sink itself");
        };
        lastly::pool pool(o);
        self = &pool;
        pool.detach([] { throw std::runtime_error("expected on stderr: a sink that throws falls back to it"); });
        pool.wait_idle();
        CHECK(second == 1);
        check_end(pool);
    });
}

TEST_CASE("W3: wait_for returns in time and runs no task") {
    lastly::pool pool(options(1));
    gate held;
    pool.run([&] {
        std::thread::id ran_on;
        auto inner = pool.submit([&] { ran_on = std::this_thread::get_id(); });
        while (!inner.wait_for(std::chrono::milliseconds(1))) {}   // a stand-in runs it (W2)
        CHECK(ran_on != std::this_thread::get_id());
        auto stuck = pool.submit([&] { held.pass(); });
        CHECK_FALSE(stuck.wait_for(std::chrono::milliseconds(1)));
        CHECK_FALSE(stuck.wait_for(std::chrono::nanoseconds(0)));
        CHECK_FALSE(stuck.wait_for(std::chrono::nanoseconds(-1)));
        held.open();
        stuck.wait();
        CHECK(stuck.wait_for(std::chrono::nanoseconds(0)));
    });
    check_end(pool);
}

TEST_CASE("W4: waiting for oneself says so") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> refused{0};
        const auto expect_deadlock = [&](auto wait) {
            try {
                wait();
            } catch (const std::system_error& e) {
                if (e.code() == std::errc::resource_deadlock_would_occur) refused.fetch_add(1);
            }
        };
        gate ready;
        std::shared_ptr<lastly::task_handle<void>> handle = std::make_shared<lastly::task_handle<void>>();
        *handle = pool.submit([&, handle] {
            ready.pass();
            expect_deadlock([&] { handle->wait_for(std::chrono::milliseconds(1)); });
            expect_deadlock([&] { handle->wait(); });
            expect_deadlock([&] { pool.wait_idle(); });
        });
        ready.wait_for_arrivals(1);
        ready.open();
        pool.wait_idle();
        CHECK(refused == 3);
        handle->detach();
        check_end(pool);
    });
}

TEST_CASE("S6: a handle outlives its pool and still gives the result") {
    with_workers([](unsigned workers) {
        lastly::task_handle<std::string> handle;
        {
            lastly::pool pool(options(workers));
            handle = pool.submit([] { return std::string("kept beyond the end of its pool"); });
            check_end(pool);
        }
        REQUIRE(handle.ready());
        CHECK_FALSE(handle.cancel());
        CHECK(handle.get() == "kept beyond the end of its pool");
    });
}

TEST_CASE("S6: handles dropped while their pool ends destroy each result once") {
    with_workers([](unsigned workers) {
        for (int round = 0; round < 20; ++round) {
            std::atomic<int> alive{0};
            std::vector<lastly::task_handle<canary>> handles;
            auto pool = std::make_unique<lastly::pool>(options(workers));
            for (int i = 0; i < 500; ++i) handles.push_back(pool->submit([c = canary(alive)] { return c; }));
            pool->shutdown();
            std::atomic<bool> go{false};
            std::thread dropper([&] {
                await([&] { return go.load(); });
                handles.clear();
            });
            go = true;
            pool.reset();
            dropper.join();
            CHECK(alive == 0);
        }
    });
}

namespace {

// Registers a finalizer when it is destroyed.
struct defers_at_its_end {
    std::atomic<int>* ran;
    explicit defers_at_its_end(std::atomic<int>& r) : ran(&r) {}
    defers_at_its_end(defers_at_its_end&& other) noexcept : ran(std::exchange(other.ran, nullptr)) {}
    ~defers_at_its_end() {
        if (ran != nullptr) lastly::this_task::defer([r = ran] { r->fetch_add(1); });
    }
};

lastly::detail::frame* held_frame() {
    lastly::detail::frame* found = nullptr;
    lastly::detail::walk_frames([](lastly::detail::frame& f, void* to) {
        if (lastly::detail::phase_of(f.progress.load(lastly::detail::acquire)) == lastly::detail::phase::held) *static_cast<lastly::detail::frame**>(to) = &f;
    }, &found);
    return found;
}

}   // namespace

TEST_CASE("O3: finalizers that a result's destructor registers run, where nobody takes the result") {
    with_workers([](unsigned workers) {
        std::atomic<int> ran{0};
        lastly::pool pool(options(workers));
        for (int i = 0; i < 100; ++i) pool.detach(lastly::make_task([&] { return defers_at_its_end(ran); }));
        pool.wait_idle();
        CHECK(ran == 100);
        CHECK(pool.ledger().finalizers_run == 100);
        check_end(pool);
    });
}

TEST_CASE("E5: an error that a sink of a dropped handle is told may end the pool of that sink") {
    with_workers([](unsigned workers) {
        for (const bool destroys : {false, true}) {
            std::atomic<int> left{0};
            std::unique_ptr<lastly::pool> pool;
            bool complete = true;
            auto o = options(workers);
            o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
            o.error_sink = [&](const lastly::error_report&) {
                if (destroys) pool.reset();
                else complete = pool->shutdown_now().complete;   // from inside: it cannot wait for itself
            };
            pool = std::make_unique<lastly::pool>(o);
            auto handle = pool->submit([] { throw std::runtime_error("dropped"); });
            handle.wait();
            handle.detach();
            if (!destroys) {
                CHECK_FALSE(complete);
                check_end(*pool);
            }
            await([&] { return left.load() == static_cast<int>(workers); });
        }
    });
}

TEST_CASE("E5: a finished task that another pool's walk has pinned by mistake is reported all the same") {
    sink_log log;
    auto pool = std::make_unique<lastly::pool>(options(1, &log));
    auto handle = pool->submit([] { throw std::runtime_error("pinned"); });
    handle.wait();
    pool->wait_idle();
    lastly::detail::frame* const f = held_frame();
    REQUIRE(f != nullptr);
    f->state.fetch_or(lastly::detail::pinned, lastly::detail::acq_rel);
    std::atomic<bool> over{false};
    std::thread ends([&] {
        pool.reset();
        over = true;
    });
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    CHECK_FALSE(over.load());
    f->state.fetch_and(~lastly::detail::pinned, lastly::detail::acq_rel);
    ends.join();
    CHECK(log.count(lastly::report_kind::failed) == 1);
    handle.detach();
    CHECK(log.count(lastly::report_kind::failed) == 1);
}

TEST_CASE("E5: lines kept back are counted with what only handles keep, and told once") {
    for (const bool destroys_itself : {false, true}) {
        captured_stderr captured;
        std::atomic<int> left{0};
        {
            std::vector<lastly::task_handle<void>> kept;
            auto o = options(1);
            o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
            auto pool = std::make_unique<lastly::pool>(o);
            for (int i = 0; i < 12; ++i) {
                auto handle = pool->submit([] { throw std::runtime_error("many"); });
                handle.wait();
                if (i < 9) handle.detach();
                else kept.push_back(std::move(handle));   // one more line, and two of which only the number is told
            }
            if (destroys_itself) pool->detach([p = pool.release()] { delete p; });
            else pool->shutdown();
            pool.reset();
            await([&] { return left.load() == 1; });
            await([&] { return captured.so_far().find(" more at ") != std::string::npos; });   // by its last worker, after the hook
        }
        std::size_t lines = 0, counts = 0;
        const std::string text = captured.text();
        for (std::size_t at = text.find("many"); at != std::string::npos; at = text.find("many", at + 1)) ++lines;
        for (std::size_t at = text.find("2 more"); at != std::string::npos; at = text.find("2 more", at + 1)) ++counts;
        CHECK(lines == 10);
        CHECK(counts == 1);
    }
}

TEST_CASE("E5: a finalizer that the sink registers while it is told of a failure runs") {
    with_workers([](unsigned workers) {
        std::atomic<int> ran{0};
        auto o = options(workers);
        o.error_sink = [&](const lastly::error_report&) {
            if (lastly::this_task::inside()) lastly::this_task::defer([&] { ran.fetch_add(1); });
        };
        lastly::pool pool(o);
        pool.detach([] { throw std::runtime_error("told"); });
        pool.detach(lastly::make_task([]() -> int { throw std::runtime_error("told"); }));
        pool.wait_idle();
        CHECK(ran == 2);
        CHECK(pool.ledger().finalizers_run == 2);
        check_end(pool);
    });
}

TEST_CASE("E4: a set_value whose move throws is told once") {
    struct throws_when_moved {
        int moves_left = 100;   // the last one throws
        throws_when_moved() = default;
        throws_when_moved(throws_when_moved&& other) : moves_left(other.moves_left - 1) {
            if (moves_left == 0) throw std::runtime_error("move");
        }
    };
    with_workers([&](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        const auto sets = [](bool again) {
            return lastly::finally([again](lastly::result<throws_when_moved>& r) {
                throws_when_moved value;
                value.moves_left = 2;   // into the argument, then into the result
                try {
                    r.set_value(std::move(value));
                } catch (...) {
                    if (again) throw;
                }
            });
        };
        pool.detach([] { return throws_when_moved(); }, sets(true));
        pool.wait_idle();
        CHECK(log.count(lastly::report_kind::finalizer_failed) == 1);
        CHECK(log.count(lastly::report_kind::failed) == 0);
        pool.detach([] { return throws_when_moved(); }, sets(false));   // it keeps that to itself: the task failed with it
        pool.wait_idle();
        CHECK(log.count(lastly::report_kind::finalizer_failed) == 1);
        CHECK(log.count(lastly::report_kind::failed) == 1);
        pool.detach([]() -> throws_when_moved { throw std::runtime_error("body"); },
                    lastly::finally([](const lastly::outcome& out) { std::rethrow_exception(out.error()); }));
        pool.wait_idle();
        CHECK(log.count(lastly::report_kind::finalizer_failed) == 2);
        CHECK(log.count(lastly::report_kind::failed) == 2);   // the body's own error was nobody's yet
        check_end(pool);
    });
}

TEST_CASE("C4: a finalizer that a result's destructor registers has the budget, too") {
    std::atomic<bool> told{false};
    struct waits_at_its_end {
        std::atomic<bool>* until;
        explicit waits_at_its_end(std::atomic<bool>& u) : until(&u) {}
        waits_at_its_end(waits_at_its_end&& other) noexcept : until(std::exchange(other.until, nullptr)) {}
        ~waits_at_its_end() {
            if (until != nullptr) lastly::this_task::defer([u = until] { await([&] { return u->load(); }); });
        }
    };
    auto o = options(1);
    o.finalizer_budget = std::chrono::milliseconds(1);
    o.error_sink = [&](const lastly::error_report& r) { told = r.kind == lastly::report_kind::finalizer_overdue; };
    lastly::pool pool(o);
    pool.detach(lastly::make_task([&] { return waits_at_its_end(told); }));
    pool.wait_idle();
    CHECK(told);
    check_end(pool);
}
