// More workers than CPUs: however many hold back, what waits begins. Their naps: idle_test.cpp.
#include "core/sched/crowd.hpp"

#include "core/sched/pool_core.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

using namespace lastly::detail;
using namespace support;

namespace {

const unsigned many = 2 * usable_cpus() + 10;   // workers

// While it lives, as many of the pool's workers as there are CPUs keep those in use.
class busy_cpus {
public:
    explicit busy_cpus(lastly::pool& pool) {
        const unsigned cpus = pool_access::core(pool).cpus;
        for (unsigned i = 0; i < cpus; ++i) {
            pool.detach([state = state_] {
                ++state->begun;
                while (!state->over) std::this_thread::yield();
            });
        }
        await([&] { return state_->begun == cpus; });
    }
    ~busy_cpus() { state_->over = true; }
    busy_cpus(const busy_cpus&) = delete;
    busy_cpus& operator=(const busy_cpus&) = delete;

private:
    struct shared {
        std::atomic<unsigned> begun{0};
        std::atomic<bool> over{false};
    };
    std::shared_ptr<shared> state_ = std::make_shared<shared>();   // bodies may still be leaving when this object goes
};

}   // namespace

TEST_CASE("crowd: tasks that keep their CPUs until all others have begun all begin") {
    lastly::pool pool(options(many));
    for (int round = 0; round < 3; ++round) {
        std::atomic<unsigned> begun{0};
        for (unsigned i = 0; i < many; ++i) {
            pool.detach([&] {
                ++begun;
                while (begun < many) std::this_thread::yield();   // else each waits for many time slices of the others
            });
        }
        await([&] { return begun == many; });
        pool.wait_idle();
    }
    check_end(pool);
}

TEST_CASE("crowd: tasks that sleep until all others have begun all begin") {
    lastly::pool pool(options(many));
    for (int round = 0; round < 20; ++round) blockade all(pool, many);
    check_end(pool);
}

TEST_CASE("crowd: a task begins although short ones never end and the others keep their CPUs until it has run") {
    auto o = options(many);
    o.tuning.injector_interval = 1'000'000;   // nobody comes to it in turn
    lastly::pool pool(o);
    std::atomic<bool> ran{false};
    std::function<void()> again = [&] {
        if (!ran) lastly::this_task::submit(again).detach();
    };
    {
        const busy_cpus busy(pool);
        pool.detach(again);
        pool.detach([&] { ran = true; });
        await([&] { return ran.load(); });
    }
    check_end(pool);
}

TEST_CASE("crowd: while the CPUs are in use and short tasks wait one of the other workers naps") {
    lastly::pool pool(options(many));
    auto& idle = pool_access::core(pool).idle;
    std::atomic<unsigned> ran{0};
    {
        const busy_cpus busy(pool);
        pool.run([&] {   // its own worker is one too many
            unsigned spawned = 0;
            while (!idle.naps()) {
                if (spawned - ran > 20'000) continue;
                ++spawned;
                pool.detach([&] { ran.fetch_add(1, std::memory_order_relaxed); });
            }
        });
    }
    pool.wait_idle();
    await([&] { return !idle.naps(); });   // it does not go on for ever
    check_end(pool);
}

TEST_CASE("crowd: pools end while some of their workers hold back") {
    auto o = options(many);
    o.tuning.spin_rounds = 1;
    for (int round = 0; round < 20; ++round) {
        lastly::pool pool(o);
        std::atomic<unsigned> ran{0};
        pool.run([&] {
            for (unsigned i = 0; i < 5'000; ++i) pool.detach([&] { ran.fetch_add(1, std::memory_order_relaxed); });
        });
        check_end(pool);
        CHECK(ran == 5'000);
    }
}
