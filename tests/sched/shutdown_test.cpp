// The ends of a pool. Rules S1 to S3, G3, W5; S4 in crew_test.cpp.
#include "core/base/thread.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <stdexcept>

#include <pthread.h>

using namespace support;

TEST_CASE("S1: an orderly shutdown runs everything accepted; an abrupt one cancels what has not started") {
    with_workers([](unsigned workers) {
        for (const bool abrupt : {false, true}) {
            lastly::pool pool(options(workers));
            std::atomic<int> bodies{0}, chains{0}, with_cause{0};
            std::thread opener;
            blockade all(pool, workers);
            for (int i = 0; i < 300; ++i) {
                pool.detach([&] { bodies.fetch_add(1); }, lastly::finally([&](const lastly::outcome& o) {
                                chains.fetch_add(1);
                                if (o.cause() == lastly::errc::pool_shutdown) with_cause.fetch_add(1);
                            }));
            }
            if (abrupt) {
                std::thread closer([&] { CHECK(pool.shutdown_now().complete); });   // the caller helps; all workers are held
                await([&] { return chains == 300; });
                all.open();
                closer.join();
            }
            all.open();
            const auto end = pool.shutdown();
            CHECK(end.complete);
            CHECK(end.ledger.balanced());
            CHECK(chains == 300);
            CHECK(bodies == (abrupt ? 0 : 300));
            CHECK(with_cause == (abrupt ? 300 : 0));
            CHECK(pool.shutdown_now().complete);
        }
    });
}

TEST_CASE("S1: shutdown may be called from many threads at once, and from a task, where it returns at once") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> complete{0}, chains{0};
        std::atomic<bool> from_inside{true};
        for (int i = 0; i < 100; ++i) pool.detach([] {}, lastly::finally([&] { chains.fetch_add(1); }));
        pool.run([&] { from_inside = pool.shutdown().complete; });
        std::vector<std::thread> closers;
        for (int i = 0; i < 4; ++i) {
            closers.emplace_back([&, i] {
                const auto end = i % 2 == 0 ? pool.shutdown() : pool.shutdown_now();
                if (end.complete && end.ledger.balanced()) complete.fetch_add(1);
            });
        }
        for (auto& c : closers) c.join();
        CHECK(complete == 4);
        CHECK_FALSE(from_inside);
        CHECK(chains == 100);
    });
}

TEST_CASE("S2: after the limit the report says what still runs, with name, site and pending finalizers") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate started;
        const auto line = static_cast<std::uint32_t>(__LINE__ + 1);
        auto handle = pool.submit([&](lastly::task_context& t) { t.defer([] {}); started.pass(); }, lastly::named("stays"), lastly::finally([] {}));
        started.wait_for_arrivals(1);
        const auto early = pool.shutdown_now(std::chrono::milliseconds(1));
        CHECK_FALSE(early.complete);
        REQUIRE(early.still_running.size() == 1);
        CHECK(std::string(early.still_running[0].name) == "stays");
        CHECK(early.still_running[0].site.line == line);
        CHECK(std::string(early.still_running[0].site.file).find("shutdown_test.cpp") != std::string::npos);
        CHECK(early.still_running[0].state == lastly::task_state::running);
        CHECK(early.still_running[0].finalizers_pending == 2);
        CHECK(early.ledger.live == 1);
        started.open();
        check_end(pool);
        CHECK(handle.outcome().succeeded());
    });
}

TEST_CASE("S3: a destructor drains or cancels as on_destroy says, and waits") {
    with_workers([](unsigned workers) {
        for (const auto how : {lastly::on_destroy::drain, lastly::on_destroy::cancel}) {
            std::atomic<int> bodies{0}, chains{0};
            gate started;
            auto o = options(workers);
            o.on_destroy = how;
            auto pool = std::make_unique<lastly::pool>(o);
            for (unsigned i = 0; i < workers; ++i) pool->detach([&](lastly::task_context& t) {
                started.pass();
                if (how == lastly::on_destroy::cancel) await([&] { return t.stop_requested(); });
            });
            started.wait_for_arrivals(static_cast<int>(workers));
            for (int i = 0; i < 100; ++i) pool->detach([&] { bodies.fetch_add(1); }, lastly::finally([&] { chains.fetch_add(1); }));
            started.open();
            pool.reset();
            CHECK(chains == 100);
            CHECK(bodies == (how == lastly::on_destroy::drain ? 100 : 0));
        }
    });
}

TEST_CASE("G3: a pool does not report itself closed while its books do not balance") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate started;
        pool.detach([&] { started.pass(); }, lastly::finally([] {}));
        started.wait_for_arrivals(1);
        for (int i = 0; i < 3; ++i) {
            const auto early = pool.shutdown(std::chrono::milliseconds(1));
            CHECK_FALSE(early.complete);
            CHECK_FALSE(early.ledger.balanced());
            CHECK(early.ledger.live == 1);
        }
        started.open();
        check_end(pool);
    });
}

TEST_CASE("W5: wait_idle returns when nothing is unfinished, what tasks submitted included") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int round = 0; round < 50; ++round) {
            std::atomic<int> ran{0};
            pool.detach([&] {
                for (int i = 0; i < 20; ++i) lastly::this_task::submit([&] { ran.fetch_add(1); }, lastly::finally([&] { ran.fetch_add(1); })).detach();
            });
            pool.wait_idle();
            CHECK(ran == 40);
        }
        check_end(pool);
    });
}

TEST_CASE("shutdown: at random moments, with three threads submitting, every chain runs once") {
    std::mt19937 random(20'261'122);
    for (int round = 0; round < 200; ++round) {
        const unsigned workers = round % 3 == 0 ? 1 : round % 3 == 1 ? 2 : 8;
        constexpr int threads = 3, each = 1000;
        std::vector<std::atomic<int>> chains(threads * each), bodies(threads * each);
        std::atomic<int> begun{0};
        const int moment = static_cast<int>(random() % (threads * each));
        lastly::pool pool(options(workers));
        std::vector<std::thread> submitters;
        for (int t = 0; t < threads; ++t) {
            submitters.emplace_back([&, t] {
                std::vector<lastly::task_handle<void>> handles;
                for (int i = 0; i < each; ++i) {
                    const auto k = static_cast<std::size_t>(t * each + i);
                    begun.fetch_add(1, std::memory_order_relaxed);
                    const auto body = [&bodies, k] { bodies[k].fetch_add(1, std::memory_order_relaxed); };
                    const auto chain = lastly::finally([&chains, k] { chains[k].fetch_add(1, std::memory_order_relaxed); });
                    try {
                        if (i % 2 == 0) handles.push_back(pool.submit(body, chain));
                        else pool.detach(body, chain);
                        if (i % 8 == 0) handles.back().cancel();
                    } catch (const lastly::task_rejected&) {
                    }
                }
                if (t != 0) for (auto& h : handles) h.wait();
                for (auto& h : handles) h.wait_for(std::chrono::nanoseconds(0));
            });
        }
        await([&] { return begun.load() >= moment; });
        const auto end = pool.shutdown_now();
        for (auto& s : submitters) s.join();
        int wrong = 0;
        for (std::size_t k = 0; k < chains.size(); ++k) wrong += chains[k] == 1 && bodies[k] <= 1 ? 0 : 1;
        CAPTURE(round);
        CHECK(end.complete);
        CHECK(end.ledger.balanced());
        CHECK(pool.ledger().balanced());
        CHECK(wrong == 0);
    }
}

TEST_CASE("shutdown: whoever waits is told when the thread that helped an abrupt end was the last to finish") {
    lastly::pool pool(options(1));
    gate body, chain;
    std::atomic<bool> idle{false};
    pool.detach([&] { body.pass(); });
    body.wait_for_arrivals(1);
    pool.detach([] {}, lastly::finally([&] { chain.pass(); }));
    std::thread waiter([&] {
        pool.wait_idle();
        idle = true;
    });
    std::thread closer([&] { CHECK(pool.shutdown_now().complete); });
    chain.wait_for_arrivals(1);   // the closer runs it: the worker is in the body
    body.open();
    std::this_thread::yield();
    chain.open();
    waiter.join();
    closer.join();
    CHECK(idle);
}

TEST_CASE("shutdown: without a limit it is complete and balanced, however many late submissions are being rejected") {
    with_workers([](unsigned workers) {
        for (int round = 0; round < 20; ++round) {
            lastly::pool pool(options(workers));
            std::atomic<bool> stop{false};
            std::atomic<int> begun{0};
            std::vector<std::thread> submitters;
            for (int t = 0; t < 2; ++t) {
                submitters.emplace_back([&] {
                    while (!stop) {
                        begun.fetch_add(1);
                        try {
                            pool.detach([] {}, lastly::finally([](const lastly::outcome& o) {
                                            for (int i = 0; o.rejected() && i < 200; ++i) std::this_thread::yield();
                                        }));
                        } catch (const lastly::task_rejected&) {
                        }
                    }
                });
            }
            await([&] { return begun.load() > 20; });
            const auto end = pool.shutdown();
            CHECK(end.complete);
            CHECK(end.ledger.balanced());
            stop = true;
            for (auto& s : submitters) s.join();
            CHECK(pool.ledger().balanced());
        }
    });
}

TEST_CASE("S2: a worker's exit hook does not outlast the limit of a shutdown") {
    with_workers([](unsigned workers) {
        std::atomic<bool> go{false};
        std::atomic<unsigned> in_hook{0};
        auto o = options(workers);
        o.on_worker_exit = [&](unsigned) {
            in_hook.fetch_add(1);
            await([&] { return go.load(); });
        };
        lastly::pool pool(o);
        pool.run([] {});
        CHECK_FALSE(pool.shutdown(std::chrono::milliseconds(1)).complete);
        await([&] { return in_hook.load() == workers; });
        CHECK_FALSE(pool.shutdown(std::chrono::milliseconds(1)).complete);
        go = true;
        check_end(pool);
    });
}

TEST_CASE("S1: the caller of an abrupt end helps with what a worker took over and cannot come to") {
    for (int round = 0; round < 50; ++round) {
        lastly::pool pool(options(1));
        {
            blockade all(pool, 1);
            stuck_batch batch(pool);
            std::thread closer([&] { CHECK(pool.shutdown_now().complete); });
            all.open();
            await([&] { return batch.other_chains.load() == batch.others; });   // while the one worker hangs in the first finalizer, or the caller does
            batch.first.open();
            closer.join();
        }
        check_end(pool);
    }
}

TEST_CASE("C4: the sink that is told of an overdue finalizer may end its pool") {
    with_workers([](unsigned workers) {
        for (const bool destroys : {false, true}) {
            std::atomic<int> told{0};
            std::atomic<unsigned> left{0};
            std::unique_ptr<lastly::pool> pool;
            auto o = options(workers);
            o.finalizer_budget = std::chrono::milliseconds(1);
            o.on_worker_exit = [&](unsigned) { left.fetch_add(1); };
            o.error_sink = [&](const lastly::error_report& r) {
                CHECK(r.kind == lastly::report_kind::finalizer_overdue);
                if (told.load() == 0 && destroys) pool.reset();
                else if (told.load() == 0) CHECK_FALSE(pool->shutdown_now().complete);
                told.fetch_add(1);
            };
            pool = std::make_unique<lastly::pool>(o);
            pool->detach([] {}, lastly::finally([&] { await([&] { return told.load() != 0; }); }));
            await([&] { return told.load() != 0; });
            if (!destroys) check_end(*pool);
            await([&] { return left.load() == workers; });
        }
    });
}

TEST_CASE("S2: a sink that is told of an overdue finalizer does not outlast the limit of a shutdown") {
    std::atomic<bool> in_sink{false}, go{false};
    auto o = options(1);
    o.finalizer_budget = std::chrono::milliseconds(1);
    o.error_sink = [&](const lastly::error_report&) {
        in_sink = true;
        await([&] { return go.load(); });
    };
    lastly::pool pool(o);
    pool.detach([] {}, lastly::finally([&] { await([&] { return in_sink.load(); }); }));
    await([&] { return in_sink.load(); });
    CHECK_FALSE(pool.shutdown(std::chrono::milliseconds(1)).complete);
    go = true;
    check_end(pool);
}

TEST_CASE("S1: a shutdown on the thread that is ending the pool beneath it returns at once") {
    std::atomic<bool> returned{false};
    auto ended_options = options(1);
    ended_options.on_worker_exit = [&](unsigned) { await([&] { return returned.load(); }); };
    lastly::pool ended(ended_options);
    auto o = options(1);
    o.tuning.max_stand_ins = 0;   // the first task helps with the second while it waits
    o.error_sink = [](const lastly::error_report&) {};
    lastly::pool pool(o);
    std::atomic<int> complete{0}, over{0};
    gate held;
    pool.detach([&] {
        held.pass();
        complete += ended.shutdown().complete ? 1 : 0;
        ++over;
    });
    held.wait_for_arrivals(1);
    pool.detach([&] {
        complete += ended.shutdown().complete ? 10 : 0;
        returned = true;
        ++over;
    });
    held.open();
    pool.wait_idle();
    CHECK(over == 2);
    CHECK(complete == 1);
    check_end(ended);
    check_end(pool);
}

TEST_CASE("P4: what a pool without any worker has left is run by whoever shuts it down, or waits for it") {
    for (const bool can_be_revived : {true, false}) {
        for (const bool waits_idle : {true, false}) {
            CAPTURE(can_be_revived);
            CAPTURE(waits_idle);
            sink_log log;
            lastly::pool pool(options(1, &log));
            std::atomic<unsigned> ran{0};
            std::atomic<bool> go{false};
            auto left = pool.submit([&] {
                while (!go) std::this_thread::yield();
                lastly::detail::fail_thread_start(1);   // nobody goes on in its place
                ::pthread_exit(nullptr);
            });
            for (int i = 0; i < 100; ++i) pool.detach([&] { ++ran; }, lastly::finally([&] { ++ran; }));
            go = true;
            left.wait();
            await([&] { return log.count(lastly::report_kind::worker_lost) == 1; });
            if (!can_be_revived) lastly::detail::fail_thread_start(1);
            if (waits_idle) pool.wait_idle();
            CHECK(pool.shutdown().complete);
            lastly::detail::fail_thread_start(0);
            CHECK(ran == 200);
        }
    }
}

TEST_CASE("P4: a finalizer leaves the thread that helps to shut down: whoever comes next ends the pool") {
    lastly::pool pool(options(1));
    std::atomic<unsigned> ran{0};
    blockade held(pool, 1);
    for (unsigned i = 0; i < 20; ++i) {
        pool.detach([] {}, lastly::finally([&] { ++ran; }), lastly::finally([&, i] {
            ++ran;
            if (i == 10) ::pthread_exit(nullptr);
        }));
    }
    CHECK(leaves_its_thread([&] { static_cast<void>(pool.shutdown_now()); }));
    CHECK(ran >= 22);
    held.open();
    const auto end = pool.shutdown_now();
    CHECK(end.complete);
    CHECK(end.ledger.balanced());
    CHECK(end.ledger.finalizers_thrown == 1);
    CHECK(ran == 40);
}
