// The worker's loop: fairness, sleep, its thread's cancellation. Rules O7, P4.
#include "core/base/thread.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <pthread.h>
#include <unistd.h>

// There with the sanitizers only. What they put in the place of a call that blocks does not survive being cancelled: the thread sanitizer's
// ignores atomics from then on, and threads made within it cannot be cancelled with the address sanitizer.
extern "C" {
void __tsan_init() __attribute__((weak));
void __asan_init() __attribute__((weak));
}

using namespace support;

TEST_CASE("O7: a task from outside runs although tasks keep submitting tasks without end") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<bool> stop{false};
        std::function<void()> again = [&] {
            if (!stop) lastly::this_task::submit(again).detach();
        };
        for (unsigned i = 0; i < 2 * workers; ++i) pool.detach(again);
        std::atomic<bool> ran{false};
        pool.detach([&] { ran = true; });
        await([&] { return ran.load(); });
        // The oldest of a worker's own tasks gets its turn too.
        std::atomic<bool> old_ran{false};
        pool.detach([&] {
            lastly::this_task::submit([&] { old_ran = true; }).detach();
            for (int i = 0; i < 3; ++i) lastly::this_task::submit(again).detach();
        });
        await([&] { return old_ran.load(); });
        stop = true;
        check_end(pool);
    });
}

namespace {

// Two workers: one hangs in a task, until that is told to go on; the other one's tasks submit tasks without end.
class stuck_and_busy {
public:
    template <class Before>
    explicit stuck_and_busy(Before before) {
        pool_.detach([this, before] {
            begun_.pass();
            before(pool_);
            stuck_.pass();
        });
        begun_.wait_for_arrivals(1);
        pool_.detach([this] { again(); });
        await([this] { return steps_.load() > 1000; });
        begun_.open();
    }
    ~stuck_and_busy() {
        over_ = true;
        stuck_.open();
        check_end(pool_);
    }
    stuck_and_busy(const stuck_and_busy&) = delete;
    stuck_and_busy& operator=(const stuck_and_busy&) = delete;

private:
    void again() {
        ++steps_;
        if (!over_) lastly::this_task::submit([this] { again(); }).detach();
    }
    lastly::pool pool_{options(2)};
    gate begun_, stuck_;
    std::atomic<std::uint64_t> steps_{0};
    std::atomic<bool> over_{false};
};

}   // namespace

TEST_CASE("O7: what lies behind a task that hangs runs although nobody is idle") {
    std::atomic<int> ran{0};
    {
        const stuck_and_busy both([&](lastly::pool& pool) {
            for (int i = 0; i < 20; ++i) pool.detach([&] { ++ran; });
        });
        await([&] { return ran.load() == 20; });
    }
    CHECK(ran == 20);
}

TEST_CASE("O7: a branch that its forker waits for runs although nobody is idle") {
    std::atomic<bool> second_ran{false};
    {
        const stuck_and_busy both([&](lastly::pool& pool) {
            lastly::parallel_invoke(pool, [&] { await([&] { return second_ran.load(); }); }, [&] { second_ran = true; });
        });
        await([&] { return second_ran.load(); });
    }
    CHECK(second_ran);
}

TEST_CASE("O7: submissions from outside start in the order in which they came, on one worker") {
    lastly::pool pool(options(1));
    std::vector<int> order;
    {
        blockade all(pool, 1);
        for (int i = 0; i < 1000; ++i) pool.detach([&order, i] { order.push_back(i); });
    }
    pool.wait_idle();
    REQUIRE(order.size() == 1000);
    for (int i = 0; i < 1000; ++i) CHECK(std::abs(order[static_cast<std::size_t>(i)] / 122 - i / 122) <= 1);
    check_end(pool);
}

TEST_CASE("worker: a burst after an idle spell is never slept through") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        o.tuning.spin_rounds = 1;
        lastly::pool pool(o);
        std::atomic<int> ran{0};
        for (int round = 0; round < 7'000; ++round) {   // see "Under the thread sanitizer" in core/structures/README.md
            // One task, handed in while the worker is on its way to sleep: nobody comes after it to wake the worker.
            for (int pause = 0; pause < round % 16; ++pause) lastly::detail::pause_cpu();
            pool.detach([&] { ran.fetch_add(1); });
            await([&] { return ran.load() == round + 1; });
        }
        check_end(pool);
    });
}

TEST_CASE("P4: a body that another thread cancels while it sleeps has failed with thread_exited, and its worker is replaced") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int i = 0; i < 5; ++i) {
            std::atomic<::pthread_t> sleeper{};
            std::atomic<bool> begun{false};
            std::atomic<int> ran{0}, failed{0};
            auto h = pool.submit([&] {
                sleeper = ::pthread_self();
                begun = true;
                for (;;) __tsan_init != nullptr || __asan_init != nullptr ? ::pthread_testcancel() : void(::pause());
            }, lastly::finally([&](const lastly::outcome& o) { failed += o.failed() ? 1 : 0; }), lastly::finally([&] { ++ran; }));
            await([&] { return begun.load(); });
            REQUIRE(::pthread_cancel(sleeper) == 0);
            CHECK(is_thread_exited([&] { h.get(); }));
            CHECK(ran == 1);
            CHECK(failed == 1);
            const blockade all_at_once(pool, workers);   // so many are there
        }
        CHECK(pool.ledger().failed == 5);
        check_end(pool);
    });
}

TEST_CASE("S1: what a helper took over and cannot come to is dropped by the next one") {
    for (int round = 0; round < 20; ++round) {
        lastly::pool pool(options(1));
        {
            blockade all(pool, 1);
            stuck_batch batch(pool);
            std::thread first([&] { CHECK(pool.shutdown_now().complete); });
            batch.first.wait_for_arrivals(1);   // it owns the helpers' deque, and holds the rest of its batch there
            std::thread second([&] { CHECK(pool.shutdown_now().complete); });
            await([&] { return batch.other_chains.load() == batch.others; });
            batch.first.open();
            all.open();
            first.join();
            second.join();
        }
        check_end(pool);
    }
}

TEST_CASE("S2: a helper whose time is up leaves what it took over to others") {
    lastly::pool pool(options(1));
    std::atomic<int> chains{0};
    {
        blockade all(pool, 1);
        for (int i = 0; i < 200; ++i) {
            pool.detach([] {}, lastly::finally([&] {
                            chains.fetch_add(1);
                            std::this_thread::sleep_for(std::chrono::milliseconds(1));
                        }));
        }
        const auto early = pool.shutdown_now(std::chrono::milliseconds(10));
        CHECK_FALSE(early.complete);
        CHECK(chains < 200);
    }
    await([&] { return chains.load() == 200; });   // the worker alone
    check_end(pool);
}
