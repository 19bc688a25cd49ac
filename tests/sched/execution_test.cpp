// Every path ends in exactly one outcome with every finalizer run once; tasks that waits run in place. Rules G1, G2, L5, S1, W1.
#include "core/structures/frame_store.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <stdexcept>

using namespace support;

namespace {

struct tally {
    std::atomic<int> body{0}, attached{0}, deferred{0};
    std::atomic<int> kinds[4]{};
    void note(const lastly::outcome& o) { kinds[static_cast<int>(o.kind())].fetch_add(1); }
};

unsigned frames_in_use() {
    unsigned count = 0;
    lastly::detail::walk_frames([](lastly::detail::frame&, void* n) { ++*static_cast<unsigned*>(n); }, &count);
    return count;
}

}   // namespace

TEST_CASE("G1: each of many finalizers runs exactly once, from many submitting threads") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        constexpr int threads = 3, each = 2000;
        std::vector<std::atomic<int>> runs(threads * each * 3);
        std::vector<std::thread> submitters;
        for (int t = 0; t < threads; ++t) {
            submitters.emplace_back([&, t] {
                for (int i = 0; i < each; ++i) {
                    std::atomic<int>* const mine = &runs[static_cast<std::size_t>((t * each + i) * 3)];
                    pool.detach([mine](lastly::task_context& c) { c.defer([mine] { mine[0].fetch_add(1, std::memory_order_relaxed); }); },
                                lastly::finally([mine] { mine[1].fetch_add(1, std::memory_order_relaxed); }),
                                lastly::finally([mine] { mine[2].fetch_add(1, std::memory_order_relaxed); }));
                }
            });
        }
        for (auto& s : submitters) s.join();
        pool.wait_idle();
        int wrong = 0;
        for (const auto& r : runs) wrong += r.load() == 1 ? 0 : 1;
        CHECK(wrong == 0);
        check_end(pool);
    });
}

TEST_CASE("G2: the chain runs on return, exception, cancellation queued and running, rejection and discard") {
    with_workers([](unsigned workers) {
        sink_log log;
        tally t;
        lastly::pool pool(options(workers, &log));
        const auto attached = lastly::finally([&t](const lastly::outcome& o) {
            t.attached.fetch_add(1);
            t.note(o);
        });
        pool.detach([] {}, attached);
        pool.detach([] { throw std::runtime_error("x"); }, attached);
        gate started;
        auto running = pool.submit([&](lastly::task_context& c) { c.defer([&t] { t.deferred.fetch_add(1); }); started.pass(); c.throw_if_stopped(); }, attached);
        started.wait_for_arrivals(1);
        running.cancel();
        started.open();
        running.wait();
        lastly::task_handle<void> queued;
        {
            blockade all(pool, workers);
            queued = pool.submit([&t] { t.body.fetch_add(1); }, attached);
            queued.cancel();
        }
        queued.wait();
        { const auto discarded = lastly::make_task([&t] { t.body.fetch_add(1); }, attached); }
        pool.wait_idle();
        CHECK(pool.shutdown().complete);
        CHECK_THROWS_AS(pool.detach([&t] { t.body.fetch_add(1); }, attached), lastly::task_rejected);
        CHECK(t.attached == 6);
        CHECK(t.deferred == 1);
        CHECK(t.body == 0);
        CHECK(t.kinds[0] == 1);
        CHECK(t.kinds[1] == 1);
        CHECK(t.kinds[2] == 2);
        CHECK(t.kinds[3] == 2);
        CHECK(pool.ledger().balanced());
    });
}

TEST_CASE("G2: the chain runs through an orderly and an abrupt end, and through a destructor") {
    with_workers([](unsigned workers) {
        for (const bool abrupt : {false, true}) {
            tally t;
            {
                auto o = options(workers);
                o.on_destroy = abrupt ? lastly::on_destroy::cancel : lastly::on_destroy::drain;
                lastly::pool pool(o);
                for (int i = 0; i < 500; ++i) {
                    pool.detach([&t] { t.body.fetch_add(1); }, lastly::finally([&t](const lastly::outcome& out) {
                                    t.attached.fetch_add(1);
                                    t.note(out);
                                }));
                }
            }
            CHECK(t.attached == 500);
            CHECK(t.kinds[0] + t.kinds[2] == 500);
            CHECK(t.body == t.kinds[0]);
            if (!abrupt) CHECK(t.kinds[0] == 500);
        }
    });
}

TEST_CASE("L5: the outcome that the ledger counts is the one published, after the chain edited it") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        auto failed = pool.submit([] { return 1; }, lastly::finally([](lastly::result<int>& r) {
                                      r.set_error(std::make_exception_ptr(std::runtime_error("x")));
                                  }));
        failed.wait();
        CHECK(failed.outcome().failed());
        CHECK(pool.ledger().failed == 1);
        CHECK(pool.ledger().succeeded == 0);
        check_end(pool);
    });
}

TEST_CASE("run: a task that follows another on its thread knows nothing of that one") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool_options o = options(workers, &log);
        o.chain_warning = 20;
        lastly::pool pool(o);
        constexpr int rounds = 50;
        std::atomic<int> plain{0}, told{0}, finalizers{0};
        const auto follower = [&] {
            pool.detach([&](lastly::task_context& t) { plain += !t.stop_requested() && !t.context().stop_requested() ? 1 : 0; },
                        lastly::finally([&](const lastly::outcome& what) { finalizers += what.succeeded() ? 1 : 0; }));
        };
        const auto many = [&](lastly::task_context& t) {
            for (int i = 0; i < 30; ++i) t.defer([&] { ++finalizers; });
        };
        struct deferring {   // a result that nobody takes
            std::atomic<int>* to;
            ~deferring() { lastly::this_task::defer([at = to] { ++*at; }); }
        };
        pool.run([&] {
            for (int i = 0; i < rounds; ++i) {
                const auto source = std::make_shared<lastly::cancel_source>(lastly::with_cancel());
                pool.detach([&told, source](lastly::task_context& t) {
                    source->cancel(std::make_error_code(std::errc::timed_out));
                    told += t.stop_requested() && t.context().cause() == std::errc::timed_out ? 1 : 0;
                }, source->context());
                follower();
                pool.detach(many);
                follower();
                pool.detach(many);   // another site
                follower();
                pool.detach([] { throw std::runtime_error("body"); });
                follower();
                pool.detach([] {}, lastly::finally([] { throw std::runtime_error("finalizer"); }));
                follower();
                if (i % 5 == 0) static_cast<void>(pool.submit([&] { return std::make_unique<deferring>(&finalizers); }));
                follower();
            }
        });
        pool.wait_idle();
        CHECK(plain == 6 * rounds);
        CHECK(told == rounds);
        CHECK(finalizers == (6 + 2 * 30) * rounds + rounds / 5);
        CHECK(log.count(lastly::report_kind::chain_long) == 2);   // once a site
        check_end(pool);
    });
}

TEST_CASE("W1: a chain of waits nests no deeper on one thread than help_depth") {
    with_workers([](unsigned workers) {
        static thread_local int depth = 0;
        std::atomic<int> deepest{0}, ran{0};
        auto o = options(workers);
        o.tuning.help_depth = 4;
        lastly::pool pool(o);
        pool.run([&] {
            auto handles = std::make_shared<std::vector<lastly::task_handle<void>>>(200);
            for (std::size_t i = 0; i < handles->size(); ++i) {
                (*handles)[i] = pool.submit([&, handles, i] {
                    const int now = ++depth;
                    for (int most = deepest.load(); most < now && !deepest.compare_exchange_weak(most, now);) {}
                    if (i > 0) (*handles)[i - 1].wait();
                    --depth;
                    ran.fetch_add(1);
                });
            }
            handles->back().wait();
        });
        pool.wait_idle();
        CHECK(ran == 200);
        CHECK(deepest <= 5);
        check_end(pool);
    });
}

TEST_CASE("W1: a husk that nobody met goes with the pool") {
    with_workers([](unsigned workers) {
        for (int round = 0; round < 50; ++round) {
            lastly::pool pool(options(workers));
            pool.run([&] {
                for (int i = 0; i < 8; ++i) pool.submit([] {}).wait();   // claimed; its slot stays behind
            });
            check_end(pool);
            CHECK(pool.ledger().held == 0);
            CHECK(pool.profile().total == lastly::task_profile::counts{});
        }
    });
}

TEST_CASE("W1: waits for tasks of the own deque leave no frames behind while the body goes on") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        pool.run([&] {
            for (int i = 0; i < 2000; ++i) {
                auto first = pool.submit([] {}), second = pool.submit([] {}), third = pool.submit([] {});
                first.wait();
                second.wait();
                third.wait();
            }
            CHECK(pool.ledger().held == 0);
            CHECK(pool.profile().total.held == 0);
            CHECK(frames_in_use() < 1000);
        });
        check_end(pool);
    });
}

TEST_CASE("W1: waits for tasks from outside leave no frames behind while the body goes on") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<lastly::task_handle<void>*> offered{nullptr};
        constexpr int rounds = 20'000;
        std::thread outside([&] {
            for (int i = 0; i < rounds; ++i) {
                auto handle = pool.submit([] {});
                offered = &handle;
                await([&] { return offered.load() == nullptr; });
            }
        });
        pool.run([&] {
            for (int i = 0; i < rounds; ++i) {
                lastly::task_handle<void>* handle = nullptr;
                await([&] { return (handle = offered.load()) != nullptr; });
                handle->wait();
                offered = nullptr;
            }
            CHECK(frames_in_use() < 2'000);
        });
        outside.join();
        check_end(pool);
    });
}

TEST_CASE("W1: a look for husks survives frames that are gone") {
    struct large {
        std::array<char, 9'000> bytes{};   // such a frame's memory goes back to the system at once
    };
    lastly::pool pool(options(2));
    pool.run([&] {
        for (int i = 0; i < 200; ++i) {
            std::atomic<bool> ran{false};
            auto held = pool.submit([&] { await([&] { return ran.load(); }); });
            pool.detach([&, keep = large{}] {
                ran = true;
                static_cast<void>(keep);
            });
            held.wait();   // beneath the other one: another worker runs that, and frees it
        }
    });
    check_end(pool);
}

namespace {

// Tasks that an abrupt end drops: what they were told.
struct dropped {
    std::atomic<int> wrong{0}, chains{0}, deferred{0}, alive{0}, bodies{0};

    // Empty: not cancelled any more.
    auto expects(std::error_code cause) {
        return lastly::finally([this, cause](const lastly::outcome& o) {
            chains.fetch_add(1);
            if (o.started() || o.cause() != cause || (cause && !o.cancelled())) wrong.fetch_add(1);
        });
    }
};

}   // namespace

TEST_CASE("S1: whatever stands in the queue is dropped with its own cause, one after the other on the same thread") {
    with_workers([](unsigned workers) {
        sink_log log;
        dropped all;
        {
            auto o = options(workers, &log);
            o.chain_warning = 3;
            lastly::pool pool(o);
            lastly::cancel_source mine = lastly::with_cancel();
            lastly::task_group group(pool), stopped_group(pool);
            blockade held(pool, workers);
            std::vector<lastly::task_handle<int>> handles;
            mine.cancel(lastly::errc::deadline_exceeded);
            stopped_group.cancel();
            constexpr int rounds = 20;
            for (int i = 0; i < rounds; ++i) {
                const auto body = [&all, c = canary(all.alive)] { all.bodies.fetch_add(1); };
                pool.detach(body, all.expects(lastly::errc::pool_shutdown));
                pool.detach(body, mine.context(), all.expects(lastly::errc::deadline_exceeded));
                pool.detach(body, lastly::finally([&all] {   // more than the record has room for, and one of them throws
                                for (int n = 0; n < 6; ++n) {
                                    lastly::this_task::defer([&all, n, wide = std::array<char, 64>{}] {
                                        all.deferred.fetch_add(1 + wide[0]);
                                        if (n == 3) throw std::runtime_error("deferred");
                                    });
                                }
                            }));
                pool.detach(body, lastly::finally([](lastly::result<void>& r) { r.set_value(); }), lastly::finally([] { throw std::runtime_error("attached"); }));
                pool.detach(body, all.expects({}), lastly::finally([](lastly::result<void>& r) { r.set_value(); }));
                pool.detach(body, lastly::finally([](lastly::result<void>& r) { r.set_error(std::make_exception_ptr(std::runtime_error("spoiled"))); }));
                group.spawn(body, all.expects(lastly::errc::pool_shutdown));
                stopped_group.spawn(body, all.expects(lastly::errc::cancelled));
                handles.push_back(pool.submit([&all] { all.bodies.fetch_add(1); return 1; }, all.expects(lastly::errc::pool_shutdown)));
                handles.push_back(pool.submit([&all] { all.bodies.fetch_add(1); return 1; }, all.expects(lastly::errc::cancelled)));
                handles.back().cancel();
                handles.push_back(pool.submit([&all] { all.bodies.fetch_add(1); return 1; }, lastly::finally([](lastly::result<int>& r) { r.set_value(7); })));
            }
            std::thread opener([&] {
                await([&] { return all.chains.load() != 0; });   // the closer has begun
                held.open();
            });
            const auto end = pool.shutdown_now();
            opener.join();
            CHECK(end.complete);
            CHECK(end.ledger.balanced());
            CHECK(end.ledger.cancelled == 7 * rounds);
            CHECK(end.ledger.failed == rounds);
            CHECK(end.ledger.succeeded == 3 * rounds + workers);
            CHECK(end.ledger.finalizers_run == (11 + 2 + 6) * rounds);
            CHECK(end.ledger.finalizers_thrown == 2 * rounds);
            CHECK(end.ledger.held == handles.size());
            for (std::size_t i = 0; i < handles.size(); i += 3) {
                CHECK_THROWS_AS(handles[i].get(), lastly::task_cancelled);
                CHECK_THROWS_AS(handles[i + 1].get(), lastly::task_cancelled);
                CHECK(handles[i + 2].get() == 7);
            }
            CHECK(log.count(lastly::report_kind::failed) == rounds);
            CHECK(log.count(lastly::report_kind::finalizer_failed) == 2 * rounds);
            CHECK(log.count(lastly::report_kind::chain_long) == 1);
            CHECK(all.chains == 7 * rounds);
            CHECK(all.deferred == 6 * rounds);
            CHECK_THROWS_AS(group.wait(), lastly::task_cancelled);
            stopped_group.wait();
        }
        CHECK(all.wrong == 0);
        CHECK(all.bodies == 0);
        CHECK(all.alive == 0);
    });
}
