// The books: each column is counted at its own event, and the sums balance. Rules L1 to L4, G3.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <stdexcept>

using namespace support;

namespace {

// A pool with one task of every kind behind it. Its books may be spoiled by a planted fault, so that its end is not waited for:
// the pool is freed only if they balance.
struct used_pool {
    sink_log log;
    std::unique_ptr<lastly::pool> pool;
    lastly::ledger_snapshot books;

    explicit used_pool(unsigned workers) : pool(std::make_unique<lastly::pool>(options(workers, &log))) {
        CHECK(pool->run([](lastly::task_context& t) { t.defer([] {}); return 1; }, lastly::finally([] {})) == 1);
        auto failed = pool->submit([] { throw std::runtime_error("x"); }, lastly::finally([] { throw std::runtime_error("y"); }));
        failed.wait();
        auto recovered = pool->submit([](lastly::task_context& t) { while (!t.stop_requested()) std::this_thread::yield(); t.throw_if_stopped(); },
                                      lastly::finally([] {}));
        recovered.cancel();
        recovered.wait();
        lastly::task<int> big = lastly::make_task([] { return 2; });
        pool->submit(std::move(big)).get();
        std::uint64_t before = 0;
        await([&] {   // the worker retires a task after it told its waiter
            books = pool->ledger();
            return books.live == 0 || ++before > 100'000;
        });
    }
    ~used_pool() {
        if (!pool->ledger().balanced()) static_cast<void>(pool.release());
    }
};

// What it captures goes on an abrupt end, which takes its time; it has no finalizer.
struct goes_slowly {
    gate* passes;
    explicit goes_slowly(gate& g) noexcept : passes(&g) {}
    goes_slowly(goes_slowly&& o) noexcept : passes(std::exchange(o.passes, nullptr)) {}
    goes_slowly& operator=(goes_slowly&&) = delete;
    ~goes_slowly() {
        if (passes != nullptr) passes->pass();
    }
};

}   // namespace

TEST_CASE("L1: attempts = accepted + rejected") {
    with_workers([](unsigned workers) {
        used_pool used(workers);
        CHECK(used.books.balanced());
        CHECK(used.books.attempts == 4);
        CHECK(used.books.accepted == 4);
    });
}

TEST_CASE("L1: a rejected attempt is counted after its chain") {
    with_workers([](unsigned workers) {
        auto pool = std::make_unique<lastly::pool>(options(workers));
        pool->close();
        std::uint64_t during = 9;
        CHECK_THROWS_AS(pool->detach([] {}, lastly::finally([&] { during = pool->ledger().rejected; })), lastly::task_rejected);
        CHECK(during == 0);
        const auto books = pool->ledger();
        CHECK(books.attempts == 1);
        CHECK(books.rejected == 1);
        CHECK(books.finalizers_attached == 1);
        CHECK(books.balanced());
        if (!books.balanced()) static_cast<void>(pool.release());
    });
}

TEST_CASE("L2: accepted = succeeded + failed + cancelled") {
    with_workers([](unsigned workers) {
        used_pool used(workers);
        CHECK(used.books.balanced());
        CHECK(used.books.succeeded == 2);
        CHECK(used.books.failed == 1);
        CHECK(used.books.cancelled == 1);
    });
}

TEST_CASE("L3: finalizers attached or deferred = run = returned + thrown") {
    with_workers([](unsigned workers) {
        used_pool used(workers);
        CHECK(used.books.balanced());
        CHECK(used.books.finalizers_attached == 4);
        CHECK(used.books.finalizers_run == 4);
        CHECK(used.books.finalizers_returned == 3);
        CHECK(used.books.finalizers_thrown == 1);
    });
}

TEST_CASE("L4: nothing lives and no capture is alive at a quiescent moment; what handles keep is shown as held") {
    with_workers([](unsigned workers) {
        auto pool = std::make_unique<lastly::pool>(options(workers));
        std::atomic<int> alive{0};
        std::vector<lastly::task_handle<canary>> kept;
        {
            blockade all(*pool, workers);
            for (int i = 0; i < 10; ++i) kept.push_back(pool->submit([c = canary(alive)] { return c; }, lastly::finally([c = canary(alive)] {})));
            CHECK(pool->ledger().live == workers + 10);
            CHECK_FALSE(pool->ledger().balanced());
        }
        for (const auto& k : kept) k.wait();
        std::uint64_t looks = 0;
        await([&] { return pool->ledger().live == 0 || ++looks > 100'000; });
        CHECK(pool->ledger().balanced());
        CHECK(pool->ledger().held == 10);
        CHECK(alive == 10);
        kept.clear();
        CHECK(pool->ledger().held == 0);
        CHECK(alive == 0);
        if (!pool->ledger().balanced()) static_cast<void>(pool.release());
    });
}

TEST_CASE("L4: a new pool does not hold what handles keep of a pool that is gone") {
    with_workers([](unsigned workers) {
        lastly::task_handle<int> kept;
        {
            lastly::pool gone(options(workers));
            kept = gone.submit([] { return 6; });
            kept.wait();
        }
        lastly::pool pool(options(workers));
        CHECK(pool.ledger().held == 0);
        CHECK(kept.get() == 6);
        check_end(pool);
    });
}

TEST_CASE("books: walking while pools with tasks of all sizes come and go reads headers only") {
    lastly::pool watched(options(1));
    std::atomic<bool> stop{false};
    std::thread walker([&] {
        while (!stop) static_cast<void>(watched.ledger());
    });
    for (int round = 0; round < 200; ++round) {
        lastly::pool pool(options(2));
        for (int i = 0; i < 200; ++i) {
            std::array<std::uint64_t, 5> small{};
            std::array<std::uint64_t, 20> large{};
            small.fill(0x0505050505050505u);
            large.fill(0x0303030303030303u);
            pool.detach([small] { static_cast<void>(small); }, lastly::named("small"));
            pool.detach([large] { static_cast<void>(large); });
            pool.submit([small, large](lastly::task_context& t) { t.defer([large] { static_cast<void>(large); }); static_cast<void>(small); }).detach();
        }
    }
    stop = true;
    walker.join();
    check_end(watched);
}

TEST_CASE("S2: a task that never began, and has no finalizer, is named while its captures are destroyed") {
    lastly::pool pool(options(1));
    gate body, capture;
    pool.detach([&body] { body.pass(); });
    body.wait_for_arrivals(1);
    pool.detach([held = goes_slowly(capture)] {}, lastly::named("slow capture"));
    std::thread closer([&pool] { static_cast<void>(pool.shutdown_now()); });
    capture.wait_for_arrivals(1);   // the closer drops it, or the worker
    body.open();
    const auto early = pool.shutdown(std::chrono::milliseconds(100));
    CHECK_FALSE(early.complete);
    bool is_named = false;
    for (const auto& t : early.still_running) is_named = is_named || std::string(t.name) == "slow capture";
    CHECK(is_named);
    capture.open();
    closer.join();
}
