// The chain: order, arguments, failures while registering, exceptions. Rules O2, O5, A3, E4, G4.
#include "core/structures/slab.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>

#include <pthread.h>

using namespace support;

TEST_CASE("O2: deferred finalizers run first, then the attached ones, each last first") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::string order;
        pool.run(
            [&](lastly::task_context& t) {
                t.defer([&] { order += 'd'; });
                t.defer([&] {
                    order += 'c';
                    lastly::this_task::defer([&] { order += '!'; });
                });
                order += 'b';
            },
            lastly::finally([&] { order += 'f'; }), lastly::named("order"), lastly::finally([&] {
                order += 'e';
                lastly::this_task::defer([&] { order += '?'; });
            }));
        CHECK(order == "bc!de?f");
        check_end(pool);
    });
}

TEST_CASE("O2: a thousand deferred finalizers run last registered first") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.chain_warning = 0;
        lastly::pool pool(o);
        std::vector<int> order;
        pool.run([&](lastly::task_context& t) {
            for (int i = 0; i < 1000; ++i) t.defer([&order, i] { order.push_back(i); });
        });
        REQUIRE(order.size() == 1000);
        for (int i = 0; i < 1000; ++i) CHECK(order[static_cast<std::size_t>(i)] == 999 - i);
        check_end(pool);
    });
}

TEST_CASE("O5: arguments of defer are taken at the call; std::ref asks for a reference") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        int value = 1, taken = 0, referred = 0;
        std::string moved;
        bool told = false;
        pool.run([&](lastly::task_context& t) {
            t.defer([&taken](const int& v) { taken = v; }, value);
            t.defer([&referred](int& v) { referred = v; }, std::ref(value));
            t.defer([&moved](std::unique_ptr<std::string> s) { moved = *s; }, std::make_unique<std::string>("moved"));
            t.defer([&told](const lastly::outcome& o, int a) { told = o.succeeded() && a == 5; }, 5);
            value = 2;
        });
        CHECK(taken == 1);
        CHECK(referred == 2);
        CHECK(moved == "moved");
        CHECK(told);
        check_end(pool);
    });
}

TEST_CASE("A3: a finalizer that finds no memory runs at once, then defer throws") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        int ran = 0;
        bool told = false, threw = false;
        pool.run([&](lastly::task_context& t) {
            std::array<char, 20'000> large{};
            lastly::detail::fail_slabs(1);
            try {
                t.defer(
                    [&](const lastly::outcome& o, const std::array<char, 20'000>&) {
                        ++ran;
                        told = o.cancelled() && o.started() && o.cause() == std::errc::not_enough_memory;
                    },
                    large);
            } catch (const std::bad_alloc&) {
                threw = true;
            }
            CHECK(ran == 1);
        });
        CHECK(ran == 1);
        CHECK(told);
        CHECK(threw);
        check_end(pool);
    });
}

TEST_CASE("A3: a finalizer whose copy throws runs at once from the caller's argument, then the exception propagates") {
    struct throws_on_copy {
        throws_on_copy() = default;
        throws_on_copy(const throws_on_copy&) { throw std::runtime_error("copy"); }
    };
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        int ran = 0;
        pool.run([&](lastly::task_context& t) {
            const throws_on_copy argument;
            CHECK_THROWS_WITH(t.defer(
                                  [&](const lastly::outcome& o, const throws_on_copy&) {
                                      ran += o.cause() == lastly::errc::construction_failed ? 1 : 100;
                                  },
                                  argument),
                              "copy");
        });
        CHECK(ran == 1);
        check_end(pool);
    });
}

TEST_CASE("A3: defer from another thread is an error and registers nothing") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        int ran = 0;
        pool.run([&](lastly::task_context& t) {
            std::thread([&] { CHECK_THROWS_AS(t.defer([&] { ++ran; }), std::logic_error); }).join();
        });
        CHECK(ran == 0);
        check_end(pool);
    });
}

TEST_CASE("E4: an exception from a finalizer reaches the sink, fails the task, and the rest of the chain runs") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        int ran = 0;
        auto handle = pool.submit([&](lastly::task_context& t) { t.defer([&] { ++ran; throw std::runtime_error("deferred"); }); },
                                  lastly::named("chain"), lastly::finally([&] { ++ran; }),
                                  lastly::finally([&] { ++ran; throw lastly::task_cancelled(lastly::errc::cancelled); }));
        CHECK_THROWS_WITH(handle.get(), "deferred");
        CHECK(ran == 3);
        REQUIRE(log.count(lastly::report_kind::finalizer_failed) == 2);
        CHECK(log.entries()[0].name == "chain");
        CHECK(log.entries()[0].what == "deferred");
        auto failed = pool.submit([] { throw std::runtime_error("first"); }, lastly::finally([] { throw std::runtime_error("second"); }));
        CHECK_THROWS_WITH(failed.get(), "first");
        CHECK(pool.ledger().finalizers_thrown == 3);
        check_end(pool);
    });
}

TEST_CASE("G4: no finalizer runs beside the body or beside another") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> overlaps{0};
        for (int i = 0; i < 100; ++i) {
            auto inside = std::make_shared<std::atomic<int>>(0);
            const auto alone = [inside, &overlaps] {
                if (inside->fetch_add(1) != 0) overlaps.fetch_add(1);
                std::this_thread::yield();
                inside->fetch_sub(1);
            };
            pool.detach(
                [=](lastly::task_context& t) {
                    inside->fetch_add(1);
                    t.defer(alone);
                    t.defer(alone);
                    inside->fetch_sub(1);
                },
                lastly::finally(alone), lastly::finally(alone));
        }
        pool.wait_idle();
        CHECK(overlaps == 0);
        check_end(pool);
    });
}

TEST_CASE("chain: a defer in a loop is reported once a creation site") {
    with_workers([](unsigned workers) {
        sink_log log;
        auto o = options(workers, &log);
        o.chain_warning = 16;
        lastly::pool pool(o);
        for (int i = 0; i < 3; ++i) {
            pool.run([](lastly::task_context& t) {
                for (int k = 0; k < 40; ++k) t.defer([] {});
            });
        }
        CHECK(log.count(lastly::report_kind::chain_long) == 1);
        check_end(pool);
    });
}

TEST_CASE("O5: what std::ref refers to is neither moved from nor copied") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::vector<int> referred{1, 2, 3};
        std::size_t seen = 0;
        pool.run([&](lastly::task_context& t) {
            t.defer([&seen](std::vector<int> copy) { seen = copy.size(); }, std::ref(referred));
            t.defer([](auto& v) { v.push_back(4); }, std::ref(referred));
        });
        CHECK(seen == 4);
        CHECK(referred.size() == 4);
        check_end(pool);
    });
}

TEST_CASE("E5: an error that a finalizer sets after another threw is told too") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        pool.detach([] {}, lastly::finally([](lastly::result<void>& r) { r.set_error(std::make_exception_ptr(std::runtime_error("B"))); }),
                    lastly::finally([] { throw std::runtime_error("A"); }));
        check_end(pool);
        REQUIRE(log.entries().size() == 2);
        CHECK(log.entries()[0].what == "A");
        CHECK(log.entries()[1].what == "B");
    });
}

TEST_CASE("E5: an error that a finalizer gives a task which its pool's end has dropped is told; the drop itself is not") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        std::atomic<unsigned> held{0};
        std::atomic<bool> go{false};
        for (unsigned i = 0; i < workers; ++i) {
            pool.detach([&] {
                ++held;
                await([&] { return go.load(); });
            });
        }
        await([&] { return held == workers; });
        for (int i = 0; i < 3; ++i) {
            pool.detach([] {}, lastly::finally([](lastly::result<void>& r) {
                            if (r.cancelled()) r.set_error(std::make_exception_ptr(std::runtime_error("of its own")));
                        }));
            pool.detach([] {}, lastly::finally([](lastly::result<void>& r) {
                            if (r.cancelled()) r.set_value();
                        }));
            pool.detach([] {}, lastly::finally([] {}));
        }
        std::thread releases([&] {
            await([&] { return pool.ledger().cancelled + pool.ledger().failed + pool.ledger().succeeded >= 9; });
            go = true;
        });
        const lastly::shutdown_report end = pool.shutdown_now();
        releases.join();
        CHECK(end.ledger.failed == 3);
        CHECK(end.ledger.cancelled == 3);
        CHECK(end.ledger.succeeded == 3 + workers);
        REQUIRE(log.entries().size() == 3);
        for (const auto& e : log.entries()) CHECK(e.what == "of its own");
    });
}

TEST_CASE("A3: what was to be moved is still there when another argument's copy throws") {
    struct throws_on_copy {
        throws_on_copy() = default;
        throws_on_copy(const throws_on_copy&) { throw std::runtime_error("copy"); }
    };
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        int intact = 0;
        pool.run([&](lastly::task_context& t) {
            const throws_on_copy argument;
            const auto look = [&](std::unique_ptr<int> p, const throws_on_copy&) { intact += p != nullptr ? 1 : 100; };
            const auto look_last = [&](const throws_on_copy&, std::unique_ptr<int> p) { intact += p != nullptr ? 1 : 100; };
            CHECK_THROWS_WITH(t.defer(look, std::make_unique<int>(1), argument), "copy");
            CHECK_THROWS_WITH(t.defer(look_last, argument, std::make_unique<int>(1)), "copy");
        });
        CHECK(intact == 2);
        check_end(pool);
    });
}

namespace {

// Which of a task's finalizers leave their thread: a bit each, deferred ones first.
struct leavers {
    unsigned which;
    bool body_leaves;
};

// What ran, and '!' behind it if the task failed with thread_exited.
std::string chain_of(lastly::pool& pool, leavers l) {
    std::string ran;
    std::mutex lock;
    const auto leave = [&, l](unsigned place, char name) {
        {
            const std::lock_guard here(lock);
            ran += name;
        }
        if ((l.which >> place & 1u) != 0) ::pthread_exit(nullptr);
    };
    auto handle = pool.submit([&, l](lastly::task_context& t) {
        t.defer(leave, 0u, 'd');
        t.defer(leave, 1u, 'c');
        if (l.body_leaves) ::pthread_exit(nullptr);
    }, lastly::finally([&] { leave(2u, 'b'); }), lastly::finally([&] { leave(3u, 'a'); }));
    handle.wait();
    try {
        std::rethrow_exception(handle.outcome().error());
    } catch (const std::system_error& e) {
        if (e.code() == lastly::errc::thread_exited) ran += '!';
    }
    return ran;
}

}   // namespace

TEST_CASE("P4: a finalizer that leaves its thread counts as thrown, the rest run, and the pool goes on") {
    with_workers([](unsigned workers) {
        for (unsigned which = 1; which < 16; ++which) {
            for (const bool body_leaves : {false, true}) {
                CAPTURE(which);
                CAPTURE(body_leaves);
                sink_log log;
                lastly::pool pool(options(workers, &log));
                CHECK(chain_of(pool, {which, body_leaves}) == "cdab!");
                CHECK(pool.run([] { return 5; }) == 5);
                const auto end = pool.shutdown();
                CHECK(end.complete);
                CHECK(end.ledger.balanced());
                CHECK(end.ledger.finalizers_thrown == static_cast<unsigned>(__builtin_popcount(which)));
                CHECK(log.count(lastly::report_kind::finalizer_failed) == static_cast<unsigned>(__builtin_popcount(which)));
            }
        }
    });
}

namespace {

// Its end defers what counts.
struct deferring_error : std::exception {
    std::shared_ptr<void> end;
    deferring_error(std::atomic<int>& late, std::atomic<int>& wrong)
        : end(nullptr, [&late, &wrong](void*) {
              lastly::this_task::defer([&late, &wrong](const lastly::outcome& o) {
                  ++late;
                  if (o.failed() && o.error() == nullptr) ++wrong;
              });
          }) {}
};

}   // namespace

TEST_CASE("G1: what the end of a task's error defers runs in that task, not in the next one of its thread") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        std::atomic<int> late{0}, wrong{0}, own{0};
        constexpr int rounds = 50;
        const auto fail = [&] { throw deferring_error(late, wrong); };
        pool.run([&] {
            for (int i = 0; i < rounds; ++i) {
                const auto innocent = [&] {
                    const int before = late;
                    lastly::this_task::defer([&] { ++own; });
                    if (workers == 1 && late != before) ++wrong;
                };
                pool.detach(innocent);
                pool.detach(fail);
                pool.detach(innocent);
                pool.detach([] {}, lastly::finally([](lastly::result<void>& r) { r.set_value(); }), lastly::finally(fail));   // the record was the last to hold it
                pool.detach(innocent);
                static_cast<void>(pool.submit([&] { fail(); return 1; }));   // nobody has the handle
            }
        });
        pool.wait_idle();
        CHECK(late == 3 * rounds);
        CHECK(own == 3 * rounds);
        CHECK(wrong == 0);
        CHECK(pool.ledger().finalizers_attached == pool.ledger().finalizers_run);
        check_end(pool);
    });
}
