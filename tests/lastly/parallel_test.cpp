// parallel_invoke and parallel_for as their users see them. Rules B1 to B3, C1, C4, L3, W1.
#include <lastly/parallel.hpp>

#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>

using namespace support;
using lastly::errc;
using lastly::parallel_for;
using lastly::parallel_invoke;
using lastly::report_kind;
using lastly::task_cancelled;
using lastly::task_context;
namespace this_task = lastly::this_task;

namespace {

long fib(lastly::pool& pool, int n) {
    if (n < 2) return n;
    long a = 0, b = 0;
    parallel_invoke(pool, [&] { a = fib(pool, n - 1); }, [&] { b = fib(pool, n - 2); });
    return a + b;
}

// What escapes from a call, by its text.
template <class F>
std::string thrown_by(F f) {
    try {
        f();
    } catch (const std::exception& e) {
        return e.what();
    }
    return "nothing";
}

}   // namespace

TEST_CASE("B1: a recursive sum comes out right, from a worker and from outside") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        CHECK(pool.run([&] { return fib(pool, 18); }) == 2584);
        CHECK(fib(pool, 10) == 55);
        CHECK(pool.ledger().accepted == 2);   // branches are no tasks
        check_end(pool);
    });
}

TEST_CASE("parallel_invoke: none, one and many callables, of any kind") {
    struct counts {
        int n = 0;
        void operator()() { ++n; }
    };
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        pool.run([&] {
            parallel_invoke(pool);
            std::atomic<int> sum{0};
            parallel_invoke(pool, [&] { sum += 1; });
            parallel_invoke(pool, [&] { sum += 1; }, [&] { sum += 2; }, [&] { sum += 4; }, [&] { sum += 8; }, [&] { sum += 16; }, [&] { sum += 32; },
                            [&](task_context&) { sum += 64; }, [&] { return sum += 128; });
            CHECK(sum == 256);
            counts named;
            parallel_invoke(pool, named, [] {});   // an lvalue is called where it is
            CHECK(named.n == 1);
            parallel_invoke(pool, [owner = std::make_unique<int>(3), &sum] { sum += *owner; }, counts());
            CHECK(sum == 259);
        });
        check_end(pool);
    });
}

TEST_CASE("B1: every branch runs, then the exception of the lowest-numbered one is rethrown") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        for (unsigned failing = 1; failing < 16; ++failing) {
            CAPTURE(failing);
            const std::size_t told_before = log.entries().size();
            std::atomic<unsigned> ran{0};
            const auto branch = [&](unsigned i) {
                return [&ran, failing, i] {
                    ran |= 1u << i;
                    if ((failing >> i & 1) != 0) throw std::runtime_error(std::to_string(i));
                };
            };
            const std::string what = pool.run([&] {
                return thrown_by([&] { parallel_invoke(pool, branch(0), branch(1), branch(2), branch(3)); });
            });
            CHECK(ran == 15u);
            CHECK(what == std::to_string(std::countr_zero(failing)));
            CHECK(log.entries().size() - told_before == static_cast<std::size_t>(std::popcount(failing)) - 1);
        }
        CHECK(log.count(report_kind::failed) == log.entries().size());
        check_end(pool);
    });
}

TEST_CASE("B1-others: an exception that is not rethrown goes to the sink with the task's name and site") {
    sink_log log;
    lastly::pool pool(options(2, &log));
    pool.submit([&] {
        CHECK_THROWS_WITH(parallel_invoke(pool, [] { throw std::runtime_error("first"); }, [] { throw std::runtime_error("second"); }), "first");
    }, lastly::named("forks")).get();
    const std::uint32_t line = __LINE__ - 1;
    REQUIRE(log.entries().size() == 1);
    CHECK(log.entries()[0].what == "second");
    CHECK(log.entries()[0].name == "forks");
    CHECK(log.entries()[0].line <= line);
    CHECK(log.entries()[0].line >= line - 2);
    check_end(pool);
}

TEST_CASE("B1: a branch's error that the body lets out is the task's, told once if nobody takes it") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        pool.detach([&] { parallel_invoke(pool, [] {}, [] { throw std::runtime_error("branch"); }); });
        pool.wait_idle();
        CHECK(log.entries().size() == 1);
        CHECK(log.count(report_kind::failed) == 1);
        CHECK(pool.ledger().failed == 1);
        check_end(pool);
    });
}

TEST_CASE("B1: a recursion deeper than the deque is one task") {
    lastly::pool pool(options(1));
    const lastly::ledger_snapshot before = pool.ledger();
    pool.run([&] {
        std::function<void(int)> dive = [&](int depth) {
            if (depth != 0) parallel_invoke(pool, [&] { dive(depth - 1); }, [] {});
        };
        dive(2000);   // more than a deque holds: what has no room runs in order
    });
    CHECK(pool.ledger().accepted == before.accepted + 1);
    check_end(pool);
}

TEST_CASE("B1: branches are on offer to others while the first one runs") {
    for (const unsigned workers : {2u, 3u, 8u}) {
        CAPTURE(workers);
        lastly::pool pool(options(workers));
        pool.run([&] {
            std::latch together(2);
            const auto meet = [&] { together.arrive_and_wait(); };
            parallel_invoke(pool, meet, meet);
        });
        check_end(pool);
    }
}

TEST_CASE("branches-hidden: all the callables of one call are on offer while the first one runs") {
    lastly::pool pool(options(2));
    pool.run([&] {
        std::latch others(5);
        const auto other = [&] { others.count_down(); };
        parallel_invoke(pool, [&] { others.wait(); }, other, other, other, other, other);
    });
    check_end(pool);
}

TEST_CASE("branches-hidden: calls one inside the other can all run at the same time while workers are idle") {
    lastly::pool pool(options(4));
    for (int round = 0; round < 50; ++round) {
        pool.run([&] {
            std::latch together(4);
            const auto meet = [&] { together.arrive_and_wait(); };
            const auto pair = [&] { parallel_invoke(pool, meet, meet); };
            parallel_invoke(pool, pair, pair);
        });
    }
    check_end(pool);
}

TEST_CASE("parallel_for: each index once, for every kind of range and grain") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        pool.run([&] {
            for (const std::size_t grain : {0u, 1u, 2u, 7u, 1000u, 1'000'000u}) {
                for (const int n : {0, 1, 2, 3, 16, 1000}) {
                    std::vector<std::atomic<int>> hits(static_cast<std::size_t>(n) + 1);
                    parallel_for(pool, 0, n, [&](int i) { ++hits[static_cast<std::size_t>(i)]; }, grain);
                    int wrong = hits.back();
                    for (int i = 0; i < n; ++i) wrong += hits[static_cast<std::size_t>(i)] != 1;
                    CHECK(wrong == 0);
                }
            }
            std::atomic<long> sum{0};
            parallel_for(pool, -5, 5L, [&](long i) { sum += i; });
            CHECK(sum == -5);
            parallel_for(pool, 3, 3, [&](int) { sum = 99; });
            parallel_for(pool, 3, -3, [&](int) { sum = 99; });
            CHECK(sum == -5);
            std::atomic<std::uint64_t> far{0};
            constexpr auto top = std::numeric_limits<std::uint64_t>::max();
            parallel_for(pool, top - 3, top, [&](std::uint64_t i) { far += top - i; });
            CHECK(far == 6);
            constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
            std::atomic<int> ends{0};
            constexpr auto highest = std::numeric_limits<std::int64_t>::max();
            CHECK(thrown_by([&] { parallel_for(pool, lowest, highest, [&](std::int64_t) { ++ends; throw std::runtime_error("enough"); }, std::size_t{1} << 62); }) == "enough");
            CHECK(ends >= 1);
            CHECK(ends <= 4);
        });
        check_end(pool);
    });
}

TEST_CASE("parallel_for: a bound that the common type cannot hold is refused") {
    lastly::pool pool(options(1));
    CHECK_THROWS_AS(parallel_for(pool, -1, 10u, [](unsigned) {}), std::invalid_argument);
    std::atomic<int> n{0};
    parallel_for(pool, std::uint8_t{250}, std::uint8_t{255}, [&](int) { ++n; });
    CHECK(n == 5);
    check_end(pool);
}

TEST_CASE("B3: a stop between two chunks ends the loop with task_cancelled") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> ran{0};
        lastly::task_handle<void> h;
        std::latch ready(1);   // the task uses its own handle
        h = pool.submit([&] {
            ready.wait();
            parallel_for(pool, 0, 100'000, [&](int) { if (++ran == 10) h.cancel(); }, 1);
        });
        ready.count_down();
        CHECK_THROWS_AS(h.get(), task_cancelled);
        CHECK(ran >= 10);
        CHECK(ran < 100'000);
        CHECK(pool.ledger().cancelled == 1);
        check_end(pool);
    });
}

TEST_CASE("B3: a stop before the first chunk, and a stop after the last one") {
    lastly::pool pool(options(2));
    std::atomic<int> ran{0};
    lastly::task_handle<void> h;
    std::latch begun(1), ready(1), done(1);
    h = pool.submit([&] {
        begun.count_down();
        ready.wait();
        CHECK_THROWS_AS(parallel_for(pool, 0, 10, [&](int) { ++ran; }, 1), task_cancelled);
        done.count_down();
    });
    begun.wait();
    h.cancel();
    ready.count_down();
    done.wait();
    CHECK(ran == 0);
    pool.wait_idle();
    lastly::task_handle<void> last;
    std::latch set(1);
    last = pool.submit([&] {
        set.wait();
        parallel_for(pool, 0, 1, [&](int) { ++ran; }, 1);
        last.cancel();
    });
    set.count_down();
    last.get();
    CHECK(ran == 1);
    check_end(pool);
}

TEST_CASE("B3-rest: after a chunk that throws none is started, and its exception is rethrown") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        std::atomic<int> ran{0};
        const std::string what = pool.run([&] {
            return thrown_by([&] {
                parallel_for(pool, 0, 1'000'000, [&](int) { ++ran; throw std::runtime_error("chunk"); }, 1);
            });
        });
        CHECK(what == "chunk");
        CHECK(ran <= static_cast<int>(workers));   // those that had begun
        CHECK(log.count(report_kind::failed) == static_cast<std::size_t>(ran - 1));
        check_end(pool);
    });
}

TEST_CASE("B2: each chunk has a chain of its own") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> open{0}, most{0}, ran{0};
        pool.run([&] {
            parallel_for(pool, 0, 100, [&](int, task_context& t) {
                ++open;
                t.defer([&] { --open; ++ran; });
                int now = most.load();
                while (now < open && !most.compare_exchange_weak(now, open)) {}
            }, 5);
            CHECK(open == 0);   // before the call returns
        });
        CHECK(ran == 100);
        CHECK(most <= 5 * static_cast<int>(workers));
        CHECK(pool.ledger().finalizers_run == 100);
        check_end(pool);
    });
}

TEST_CASE("parallel_for: from outside it is one task, whose exception and rejection its caller gets") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<long> sum{0};
        parallel_for(pool, 1, 101, [&](int i) { sum += i; });
        CHECK(sum == 5050);
        CHECK(pool.ledger().accepted == 1);
        CHECK_THROWS_WITH(parallel_for(pool, 0, 10, [](int) { throw std::runtime_error("out"); }, 100), "out");
        CHECK_THROWS_WITH(parallel_invoke(pool, [] { throw std::runtime_error("out too"); }), "out too");
        pool.close();
        CHECK_THROWS_AS(parallel_for(pool, 0, 10, [](int) {}), lastly::task_rejected);
        CHECK_THROWS_AS(parallel_invoke(pool, [] {}), lastly::task_rejected);
        check_end(pool);
    });
}

TEST_CASE("parallel_for: from outside the site of the call is the task's") {
    sink_log log;
    {
        lastly::pool pool(options(1, &log));
        const auto failing = [] { throw std::runtime_error("x"); };
        CHECK_THROWS(parallel_invoke(pool, failing, failing));
        const std::uint32_t line = __LINE__ - 1;
        CHECK(log.entries().at(0).line == line);
        const auto chunk = [](int) { this_task::defer([] { throw std::runtime_error("y"); }); };
        CHECK_THROWS(parallel_for(pool, 0, 1, chunk));
        CHECK(log.entries().at(1).line == __LINE__ - 1);
        CHECK(log.entries().at(1).name == "lastly::parallel_for");
        check_end(pool);
    }
}

TEST_CASE("B3-rest: a loop that has ended does not walk through the chunks that are left") {
    lastly::pool pool(options(2));
    constexpr auto lowest = std::numeric_limits<std::int64_t>::min(), highest = std::numeric_limits<std::int64_t>::max();
    CHECK(thrown_by([&] { parallel_for(pool, lowest, highest, [](std::int64_t) { throw std::runtime_error("first"); }, 1); }) == "first");   // 2^64 chunks
    check_end(pool);
}

TEST_CASE("parallel_invoke: callables as their types want to be called, and results that must not be dropped") {
    struct rvalue_only {
        int& n;
        [[nodiscard]] int operator()() && { return ++n; }
    };
    lastly::pool pool(options(1));
    int n = 0;
    pool.run([&] {
        parallel_invoke(pool, rvalue_only{n}, [&]() noexcept { ++n; }, [&]() -> std::unique_ptr<int> { return std::make_unique<int>(++n); });
        parallel_for(pool, 0, 1, [&](int) -> std::unique_ptr<int> { return std::make_unique<int>(++n); });
    });
    CHECK(n == 4);
    CHECK_FALSE(lastly::detail::is_branch<int>);
    parallel_invoke(std::ref(pool), [&] { ++n; });   // whatever converts to a pool
    CHECK(n == 5);
    check_end(pool);
}

TEST_CASE("parallel_for: loops one inside the other, and inside branches") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> n{0};
        const auto square = [&] { parallel_for(pool, 0, 20, [&](int) { parallel_for(pool, 0, 20, [&](int) { ++n; }, 1); }, 1); };
        pool.run([&] { parallel_invoke(pool, square, square, square); });
        CHECK(n == 1200);
        check_end(pool);
    });
}

TEST_CASE("parallel_invoke: another pool's from inside a task is a task of that pool") {
    lastly::pool pool(options(2)), other(options(2));
    pool.run([&] {
        std::atomic<int> n{0};
        parallel_invoke(other, [&] { ++n; }, [&] { ++n; });
        parallel_for(other, 0, 10, [&](int) { ++n; });
        CHECK(n == 12);
    });
    CHECK(other.ledger().accepted == 2);
    check_end(pool);
    check_end(other);
}
