// Branches as parts of their task: chains of their own, whose error is told how often. Rules B1, B2, B4, E4, E5, A3, L3, O6, W4.
#include "core/task/branch.hpp"
#include "core/structures/slab.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>

#include <pthread.h>

using namespace support;
using lastly::defer_frame;
using lastly::errc;
using lastly::parallel_for;
using lastly::parallel_invoke;
using lastly::report_kind;
using lastly::task_cancelled;
using lastly::task_context;
namespace this_task = lastly::this_task;

namespace {

unsigned shown_pending(const lastly::detail::run_record& r) {
    return lastly::detail::pending_of(r.task->progress.load(lastly::detail::relaxed));
}

}   // namespace

TEST_CASE("B2: a branch's finalizers run at its end, on its thread, before the call returns") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::string first, second;
        std::atomic<bool> same_thread = true;
        pool.run([&](task_context& task) {
            task.defer([&] { first += 't'; });
            const auto branch = [&](std::string& order) {
                return [&](task_context& t) {
                    const auto here = std::this_thread::get_id();
                    t.defer([&order] { order += '1'; });
                    this_task::defer([&order, &same_thread, here] {
                        if (std::this_thread::get_id() != here || !this_task::finalizing()) same_thread = false;
                        order += '2';
                        this_task::defer([&order] { order += '3'; });
                    });
                    order += 'b';
                };
            };
            parallel_invoke(pool, branch(first), branch(second));
            CHECK(first == "b231");
            CHECK(second == "b231");
            CHECK_FALSE(this_task::finalizing());
        });
        CHECK(first == "b231t");
        CHECK(same_thread);
        CHECK(pool.ledger().finalizers_attached == 7);
        CHECK(pool.ledger().finalizers_run == 7);
        check_end(pool);
    });
}

TEST_CASE("B2: a task_context of the task, used in a branch, means the branch") {
    lastly::pool pool(options(2));
    std::string order, other;
    pool.run([&](task_context& t) {
        run_stolen(pool, [&] {
            t.defer([&] { order += '1'; });
            order += 'b';
        }, [&] {
            t.defer([&] { other += '1'; });
            defer_frame frame(t);
            frame.defer([&] { other += 'f'; });
            other += 'b';
        });
        CHECK(order == "b1");
        CHECK(other == "bf1");
    });
    check_end(pool);
}

TEST_CASE("B2: a branch's finalizers may use its task_context") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> ran{0};
        pool.run([&] {
            const auto branch = [&](task_context& t) {
                t.defer([&] {
                    if (!t.stop_requested()) t.defer([&] { ++ran; });
                });
            };
            parallel_invoke(pool, branch, branch);
            parallel_for(pool, 0, 10, [&](int, task_context& t) { branch(t); }, 3);
        });
        CHECK(ran == 12);
        check_end(pool);
    });
}

TEST_CASE("O6: a branch cannot defer in a block of what forked it") {
    lastly::pool pool(options(2));
    std::atomic<int> refused{0};
    pool.run([&](task_context& t) {
        defer_frame around(t);
        const auto branch = [&] {
            try {
                around.defer([] { FAIL("registered"); });
            } catch (const std::logic_error&) {
                ++refused;
            }
        };
        run_stolen(pool, branch, branch);
        around.defer([] {});
    });
    CHECK(refused == 2);
    CHECK(pool.ledger().finalizers_run == 1);
    check_end(pool);
}

TEST_CASE("E5: a group's cancel makes no reports for its members' branches") {
    sink_log log;
    lastly::pool pool(options(2, &log));
    lastly::task_group group(pool);
    std::latch begun(1), stopped(1);
    group.spawn([&] {
        begun.count_down();
        stopped.wait();
        const auto branch = [] { this_task::throw_if_stopped(); };
        parallel_invoke(pool, branch, branch, branch);
    });
    begun.wait();
    group.cancel(std::make_error_code(std::errc::interrupted));
    stopped.count_down();
    group.wait();
    CHECK(log.entries().empty());
    check_end(pool);
}

TEST_CASE("L3-branch: finalizers of stolen branches, and those of their blocks, count") {
    lastly::pool pool(options(2));
    pool.run([&](task_context& t) {
        run_stolen(pool, [] {}, [&] {
            this_task::defer([] {});
            defer_frame frame(t);
            frame.defer([] {});
        });
    });
    CHECK(pool.ledger().finalizers_attached == 2);
    CHECK(pool.ledger().finalizers_run == 2);
    check_end(pool);
}

TEST_CASE("E4-branch: an exception of a branch's finalizer is told once, and is the branch's") {
    for (const bool stolen : {false, true}) {
        for (const bool handle : {false, true}) {
            CAPTURE(stolen);
            CAPTURE(handle);
            sink_log log;
            lastly::pool pool(options(2, &log));
            const auto body = [&] {
                const auto branch = [] { this_task::defer([] { throw std::runtime_error("finalizer"); }); };
                if (stolen) run_stolen(pool, [] {}, branch);
                else parallel_invoke(pool, branch);
            };
            if (handle) CHECK_THROWS_WITH(pool.run(body), "finalizer");
            else pool.detach(body);
            pool.wait_idle();
            CHECK(log.count(report_kind::finalizer_failed) == 1);
            CHECK(log.entries().size() == 1);
            CHECK(pool.ledger().failed == 1);
            CHECK(pool.ledger().finalizers_thrown == 1);
            check_end(pool);
        }
    }
}

TEST_CASE("E4-branch: through branches within branches it is still told once") {
    sink_log log;
    lastly::pool pool(options(1, &log));
    pool.detach([&] {
        parallel_invoke(pool, [&] { parallel_invoke(pool, [&] { this_task::defer([] { throw std::runtime_error("deep"); }); }); });
    });
    pool.wait_idle();
    CHECK(log.entries().size() == 1);
    CHECK(pool.ledger().failed == 1);
    check_end(pool);
}

TEST_CASE("O4: whoever takes the error of a stolen branch's finalizer holds it alone") {
    struct carries_an_object {
        std::shared_ptr<int> object;
    };
    lastly::pool pool(options(2));
    int still_held = 0;
    for (int round = 0; round < 100; ++round) {
        auto object = std::make_shared<int>(1);
        const std::weak_ptr<int> watch = object;
        auto h = pool.submit([&pool, p = std::move(object)]() mutable {
            std::atomic<bool> stolen{false};
            parallel_invoke(pool, [&] { await([&] { return stolen.load(); }); }, [&](task_context& t) {
                stolen = true;
                t.defer([p = std::move(p)]() mutable { throw carries_an_object{std::move(p)}; });
            });
        });
        CHECK_THROWS_AS(h.get(), carries_an_object);
        still_held += watch.expired() ? 0 : 1;   // the worker that forked, after the outcome was published
    }
    CHECK(still_held == 0);
}

TEST_CASE("E4: an error that was told is told once, whatever other branches' finalizers throw, and if a finalizer lets it out") {
    sink_log log;
    lastly::pool pool(options(1, &log));
    const auto fork_failing = [&](const char* what) {
        parallel_invoke(pool, [what] { this_task::defer([what] { throw std::runtime_error(what); }); });
    };
    pool.detach([&](task_context& t) {
        t.defer([&] { CHECK_THROWS(fork_failing("second")); });
        t.defer([&] { throw std::runtime_error("first"); });
    });
    pool.wait_idle();
    CHECK(log.entries().size() == 2);
    pool.detach([&](task_context& t) { t.defer([&] { fork_failing("third"); }); });
    pool.wait_idle();
    CHECK(log.entries().size() == 3);
    CHECK(log.count(report_kind::finalizer_failed) == 3);
    check_end(pool);
}

TEST_CASE("E4: a branch that failed keeps its error, whatever its finalizers throw") {
    sink_log log;
    lastly::pool pool(options(1, &log));
    pool.run([&] {
        CHECK_THROWS_WITH(parallel_invoke(pool, [] {
            this_task::defer([] { throw std::runtime_error("finalizer"); });
            throw std::runtime_error("body");
        }), "body");
    });
    CHECK(log.count(report_kind::finalizer_failed) == 1);
    CHECK(log.entries().size() == 1);
    check_end(pool);
}

TEST_CASE("A3: what a branch cannot store runs at once, and fails the branch if it throws") {
    for (const bool stolen : {false, true}) {
        CAPTURE(stolen);
        sink_log log;
        lastly::pool pool(options(2, &log));
        bool ran = false;
        pool.run([&] {
            const auto branch = [&] {
                const std::array<char, 20'000> large{};   // no spare room, and no class of the store that is in use
                lastly::detail::fail_slabs(1);
                CHECK_THROWS_AS(this_task::defer([&ran, large] { ran = large[0] == 0; }), std::bad_alloc);
                lastly::detail::fail_slabs(0);
                CHECK(ran);
            };
            if (stolen) run_stolen(pool, [] {}, branch);
            else parallel_invoke(pool, branch);
        });
        CHECK(log.entries().empty());
        CHECK(pool.ledger().finalizers_run == 1);
        check_end(pool);
    }
}

TEST_CASE("W4: inside a stolen branch, too, a task cannot wait for itself") {
    lastly::pool pool(options(2));
    lastly::task_handle<void> own;
    std::latch ready(1);
    own = pool.submit([&] {
        ready.wait();
        run_stolen(pool, [] {}, [&] {
            CHECK_THROWS_AS(own.wait(), std::system_error);
            CHECK_THROWS_AS(pool.wait_idle(), std::system_error);
            CHECK_FALSE(pool.shutdown(std::chrono::nanoseconds(0)).complete);
        });
    });
    ready.count_down();
    own.get();
    check_end(pool);
}

TEST_CASE("O6: blocks in branches, and branches in blocks") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> ran{0};
        pool.run([&](task_context& t) {
            defer_frame around(t);
            around.defer([&] { CHECK(ran == 4); });
            const auto branch = [&](task_context& mine) {
                defer_frame frame(mine);
                frame.defer([&] { ++ran; });
                mine.defer([&] { ++ran; });
            };
            parallel_invoke(pool, branch, branch);
            CHECK(ran == 4);
        });
        CHECK(pool.ledger().finalizers_run == 5);
        check_end(pool);
    });
}

TEST_CASE("G3: what an inline branch has pending is shown with its task's") {
    lastly::pool pool(options(1));
    pool.run([&](task_context& t) {
        t.defer([] {});
        t.defer([] {});
        parallel_invoke(pool, [&] {
            this_task::defer([&] { CHECK(shown_pending(*lastly::detail::current_run()) == 2); });
            CHECK(shown_pending(*lastly::detail::current_run()) == 3);
        });
        CHECK(shown_pending(*lastly::detail::current_run()) == 2);
    });
    check_end(pool);
}

TEST_CASE("B1: what the sink defers when it is told of a branch's error runs, too") {
    std::atomic<int> ran{0};
    lastly::pool_options o = options(1);
    o.error_sink = [&](const lastly::error_report&) {
        if (this_task::inside()) this_task::defer([&] { ++ran; });
    };
    lastly::pool pool(o);
    const auto failing = [] { throw std::runtime_error("x"); };
    pool.run([&] {
        CHECK_THROWS(parallel_invoke(pool, failing, failing, failing));
        CHECK(ran == 2);
        CHECK_THROWS(parallel_for(pool, 0, 1, [&](int) { this_task::defer(failing); }));
        CHECK(ran == 3);
    });
    CHECK(pool.ledger().finalizers_run == 4);
    check_end(pool);
}

namespace {

// A branch between two others, with three finalizers. Which of them leave the thread, a bit each, and does the branch itself?
void check_leaving_branch(unsigned workers, unsigned which, bool branch_leaves) {
    sink_log log;
    lastly::pool pool(options(workers, &log));
    std::atomic<unsigned> siblings{0}, elsewhere{0};
    std::string order;
    auto task = pool.submit([&](task_context& t) {
        t.defer([&] { order += 't'; });
        const auto sibling = [&] { this_task::defer([&] { ++siblings; }); };
        parallel_invoke(pool, sibling, [&] {
            const auto here = std::this_thread::get_id();
            for (unsigned i = 0; i < 3; ++i) {
                this_task::defer([&, here, i] {
                    order += std::to_string(i);
                    elsewhere += std::this_thread::get_id() != here ? 1 : 0;
                    if ((which >> i & 1u) != 0) ::pthread_exit(nullptr);
                });
            }
            if (branch_leaves) ::pthread_exit(nullptr);
        }, sibling);
        order += '!';
    }, lastly::finally([&] { order += 'a'; }));
    const auto left_in_chain = static_cast<unsigned>(__builtin_popcount(which));
    CHECK(is_thread_exited([&] { task.get(); }));
    CHECK(order == "210ta");
    CHECK(elsewhere == 0);
    CHECK(siblings == 2);
    CHECK(log.count(report_kind::finalizer_failed) == left_in_chain);
    CHECK(log.entries().size() == left_in_chain);
    CHECK(pool.run([] { return 5; }) == 5);
    CHECK(pool.ledger().finalizers_run == 7);
    CHECK(pool.ledger().finalizers_thrown == left_in_chain);
    CHECK(pool.ledger().failed == 1);
    check_end(pool);
}

}   // namespace

TEST_CASE("B4-unwind: finalizers of a branch leave the thread: the rest of its chain runs there, once, and its task fails") {
    with_workers([](unsigned workers) {
        for (unsigned which = 1; which < 8; ++which) {
            CAPTURE(which);
            check_leaving_branch(workers, which, false);
        }
    });
}

TEST_CASE("B4-unwind: a branch leaves the thread, and so do finalizers of its: the rest of its chain runs there, once, and its task fails") {
    with_workers([](unsigned workers) {
        for (unsigned which = 0; which < 8; ++which) {
            CAPTURE(which);
            check_leaving_branch(workers, which, true);
        }
    });
}
