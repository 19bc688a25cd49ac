// Stand-ins: when they are made, used again, taken back, and what happens where none can be had. Rules W2, W3, S4.
#include "core/base/thread.hpp"
#include "core/sched/pool_core.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <set>

using namespace support;
using lastly::report_kind;
using lastly::task_group;
using lastly::task_handle;
namespace detail = lastly::detail;

namespace {

// Which workers were started, in the pool's own numbers; `mine` is the number of the worker that asks.
class muster {
public:
    lastly::pool_options options(unsigned workers, sink_log* log = nullptr) {
        auto o = support::options(workers, log);
        o.on_worker_start = [this](unsigned w) {
            mine = w;
            const std::lock_guard lock(mutex_);
            numbers_.insert(w);
        };
        return o;
    }
    std::set<unsigned> numbers() const {
        const std::lock_guard lock(mutex_);
        return numbers_;
    }
    static thread_local unsigned mine;

private:
    mutable std::mutex mutex_;
    std::set<unsigned> numbers_;
};
thread_local unsigned muster::mine = ~0u;

// A task that ends when told, on a thread of another pool: who waits for it finds nothing to run.
class outside_task {
public:
    outside_task() : handle_(pool_.submit([this] { gate_.pass(); })) { gate_.wait_for_arrivals(1); }
    ~outside_task() {
        end();
        check_end(pool_);
    }
    outside_task(const outside_task&) = delete;
    outside_task& operator=(const outside_task&) = delete;
    void wait() const { handle_.wait(); }
    bool wait_for(std::chrono::nanoseconds limit) const { return handle_.wait_for(limit); }
    void end() { gate_.open(); }

private:
    gate gate_;
    lastly::pool pool_{support::options(1)};
    task_handle<void> handle_;
};

// So many tasks that wait for `outside`; returns when all of them are about to. `together`: on a worker each.
std::vector<task_handle<void>> all_wait(lastly::pool& pool, unsigned workers, const outside_task& outside, bool together = true) {
    auto here = std::make_shared<gate>();
    if (!together) here->open();
    std::vector<task_handle<void>> waiting;
    for (unsigned i = 0; i < workers; ++i) {
        waiting.push_back(pool.submit([here, &outside] {
            here->pass();
            outside.wait();
        }));
    }
    here->wait_for_arrivals(static_cast<int>(workers));
    here->open();
    return waiting;
}

detail::pool_core& core_of(lastly::pool& pool) { return detail::pool_access::core(pool); }
std::uint32_t excess_of(lastly::pool& pool) { return core_of(pool).stand_ins.excess.load(detail::seq_cst); }

}   // namespace

TEST_CASE("W2: while every worker sleeps in a wait, as many stand-ins work in their places") {
    with_workers([](unsigned workers) {
        muster crew;
        lastly::pool pool(crew.options(workers));
        outside_task outside;
        auto waiting = all_wait(pool, workers, outside);
        gate all_here;   // opens only if `workers` bodies run at once
        std::vector<task_handle<unsigned>> others;
        for (unsigned i = 0; i < workers; ++i) {
            others.push_back(pool.submit([&] {
                all_here.pass();
                return muster::mine;
            }));
        }
        all_here.wait_for_arrivals(static_cast<int>(workers));
        all_here.open();
        for (auto& h : others) {
            const unsigned at = h.get();
            CHECK(at >= workers);   // numbered from there up
            CHECK(at < 2 * workers);
        }
        outside.end();
        for (auto& h : waiting) h.wait();
        check_end(pool);
        CHECK(crew.numbers().size() == 2 * workers);
        CHECK(*crew.numbers().rbegin() == 2 * workers - 1);
    });
}

TEST_CASE("W2: a worker that waits for another pool's task or group is stood in for") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers)), other(options(1));
        for (const bool by_group : {false, true}) {
            gate wanted;   // opened by tasks of the waiters' own pool only
            std::optional<task_group> group(std::in_place, other);
            auto awaited = other.submit([&] { wanted.pass(); });
            group->spawn([&] { wanted.pass(); });
            wanted.wait_for_arrivals(1);
            gate here;
            std::vector<task_handle<void>> waiting;
            for (unsigned i = 0; i < workers; ++i) {
                waiting.push_back(pool.submit([&, i] {
                    here.pass();
                    if (by_group && i == 0) group->wait();
                    else awaited.wait();
                }));
            }
            here.wait_for_arrivals(static_cast<int>(workers));
            here.open();
            pool.submit([&] { wanted.open(); }).wait();
            for (auto& h : waiting) h.wait();
            group->wait();
        }
        check_end(pool);
        check_end(other);
    });
}

TEST_CASE("W2: a thousand waits one after another use the same few stand-ins") {
    with_workers([](unsigned workers) {
        muster crew;
        lastly::pool pool(crew.options(workers)), other(options(1));
        for (int i = 0; i < 1000; ++i) {
            pool.run([&] {
                gate open;
                auto awaited = other.submit([&] { open.pass(); });
                pool.submit([&] { open.open(); }).detach();   // on one worker: by a stand-in
                awaited.wait();
            });
        }
        check_end(pool);
        check_end(other);
        CHECK(crew.numbers().size() <= workers + 8);
        unsigned next = 0;
        for (const unsigned number : crew.numbers()) CHECK(number == next++);   // no number is left out
    });
}

TEST_CASE("W2: a stand-in that is one too many lies down between two tasks") {
    with_workers([](unsigned workers) {
        muster crew;
        lastly::pool pool(crew.options(workers));
        for (int round = 0; round < 20; ++round) {
            outside_task outside;
            gate back, first;
            std::vector<task_handle<void>> waiting;
            gate here;
            for (unsigned i = 0; i < workers; ++i) {
                waiting.push_back(pool.submit([&] {
                    here.pass();
                    outside.wait();
                    back.pass();
                }));
            }
            here.wait_for_arrivals(static_cast<int>(workers));
            here.open();
            std::vector<task_handle<unsigned>> stood_in;
            for (unsigned i = 0; i < workers; ++i) {
                stood_in.push_back(pool.submit([&] {
                    first.pass();
                    return muster::mine;
                }));
            }
            first.wait_for_arrivals(static_cast<int>(workers));
            outside.end();
            back.wait_for_arrivals(static_cast<int>(workers));   // the workers are back, their stand-ins still busy
            CHECK(excess_of(pool) == workers);
            auto next = pool.submit([] { return muster::mine; });
            first.open();
            await([&] { return excess_of(pool) == 0; });
            CHECK_FALSE(next.ready());   // nobody but the workers may run it, and those are busy
            back.open();
            CHECK(next.get() < workers);
            for (auto& h : stood_in) CHECK(h.get() >= workers);
            for (auto& h : waiting) h.wait();
        }
        check_end(pool);
        CHECK(crew.numbers().size() == 2 * workers);
    });
}

TEST_CASE("W3: wait_for inside a task runs no task on its thread, and is stood in for") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        blockade others(pool, workers - 1);
        pool.run([&] {
            const std::thread::id here = std::this_thread::get_id();
            std::thread::id there;
            auto queued = pool.submit([&] { there = std::this_thread::get_id(); });
            await([&] { return queued.wait_for(std::chrono::milliseconds(1)); });   // never claims it
            CHECK(there != here);
        });
        others.open();
        check_end(pool);
    });
}

TEST_CASE("W2: where no stand-in may be had the waiter is reported once, and helps with anything") {
    with_workers([](unsigned workers) {
        for (const std::uint32_t most : {0u, 1u}) {
            CAPTURE(most);
            sink_log log;
            muster crew;
            auto o = crew.options(workers, &log);
            o.tuning.max_stand_ins = most;
            lastly::pool pool(o);
            for (int round = 0; round < 3; ++round) {
                outside_task outside;
                auto waiting = all_wait(pool, workers + most, outside, false);
                std::vector<task_handle<unsigned>> others;
                for (int i = 0; i < 20; ++i) others.push_back(pool.submit([] { return muster::mine; }));
                for (auto& h : others) CHECK(h.get() < workers + most);
                outside.end();
                for (auto& h : waiting) h.wait();
            }
            check_end(pool);
            CHECK(log.count(report_kind::no_stand_in) == 1);
            CHECK(log.entries().size() == 1);
            CHECK(crew.numbers().size() == workers + most);
        }
    });
}

TEST_CASE("W2: a stand-in whose thread cannot be started is reported; a later wait tries again") {
    with_workers([](unsigned workers) {
        sink_log log;
        muster crew;
        lastly::pool pool(crew.options(workers, &log));
        blockade busy(pool, workers - 1);
        outside_task one, two;
        detail::fail_thread_start(1);
        auto waiting = all_wait(pool, 1, one);
        await([&] { return log.count(report_kind::no_stand_in) == 1; });
        detail::fail_thread_start(0);
        CHECK(pool.submit([] { return 5; }).get() == 5);   // the waiter helps
        one.end();
        waiting[0].wait();
        waiting = all_wait(pool, 1, two);
        CHECK(pool.submit([] { return muster::mine; }).get() == workers);   // the number is not lost
        two.end();
        waiting[0].wait();
        busy.open();
        check_end(pool);
        CHECK(log.entries().size() == 1);
        CHECK(crew.numbers().size() == workers + 1);
    });
}

TEST_CASE("W2: without memory for a stand-in's account the waiter helps") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        CHECK(pool.submit([] { return 1; }).get() == 1);   // this thread has its account
        blockade busy(pool, workers - 1);
        outside_task outside;
        detail::fail_accounts(1);
        auto waiting = all_wait(pool, 1, outside);
        CHECK(pool.submit([] { return 6; }).get() == 6);
        await([&] { return log.count(report_kind::no_stand_in) == 1; });
        detail::fail_accounts(0);
        outside.end();
        waiting[0].wait();
        busy.open();
        check_end(pool);
    });
}

TEST_CASE("S1: a pool whose stand-ins are up closes, orderly, abruptly, and by its destructor") {
    with_workers([](unsigned workers) {
        for (const int way : {0, 1, 2, 3}) {
            CAPTURE(way);
            auto o = options(workers);
            o.on_destroy = way == 3 ? lastly::on_destroy::cancel : lastly::on_destroy::drain;
            std::atomic<int> chains{0};
            {
                outside_task outside;
                std::optional<lastly::pool> pool(std::in_place, o);
                auto& gate_of = core_of(*pool).anchor->gate();
                auto waiting = all_wait(*pool, workers, outside);
                gate busy;
                for (unsigned i = 0; i < workers; ++i) pool->detach([&] { busy.pass(); }, lastly::finally([&] { ++chains; }));
                busy.wait_for_arrivals(static_cast<int>(workers));
                for (int i = 0; i < 10; ++i) pool->detach([] {}, lastly::finally([&] { ++chains; }));
                std::thread closer([&] {
                    if (way == 0) CHECK(pool->shutdown().complete);
                    else if (way == 1) CHECK(pool->shutdown_now().complete);
                    else pool.reset();
                });
                await([&] { return (gate_of.load(detail::acquire) & detail::gate_closed) != 0; });
                busy.open();
                outside.end();
                closer.join();
                for (auto& h : waiting) CHECK(h.ready());
                if (pool) check_end(*pool);
            }
            CHECK(chains == static_cast<int>(workers) + 10);
        }
    });
}

namespace {

// Dies with the pool whose options hold it.
lastly::pool_options with_witness(lastly::pool_options o, std::atomic<int>& alive) {
    o.error_sink = [c = canary(alive)](const lastly::error_report&) {};
    return o;
}

}   // namespace

TEST_CASE("S4: a pool destroyed on a stand-in closes, and is freed when the last waiter is over") {
    with_workers([](unsigned workers) {
        std::atomic<int> alive{0}, chains{0};
        outside_task outside;
        auto pool = std::make_unique<lastly::pool>(with_witness(options(workers), alive));
        auto waiting = all_wait(*pool, workers, outside);
        gate destroyed;
        pool->detach([&] {
            pool.reset();
            lastly::this_task::submit([&] { ++chains; }, lastly::finally([&] { ++chains; })).detach();
        }, lastly::finally([&] { destroyed.open(); destroyed.pass(); }));
        destroyed.wait_for_arrivals(1);
        CHECK(alive > 0);
        outside.end();
        await([&] { return alive.load() == 0; });
        CHECK(chains == 2);
        for (auto& h : waiting) CHECK(h.ready());
    });
}

TEST_CASE("S4: a stand-in that is made after the pool was destroyed is left to itself like the others") {
    with_workers([](unsigned workers) {
        std::atomic<int> alive{0};
        outside_task outside;
        auto pool = std::make_unique<lastly::pool>(with_witness(options(workers), alive));
        gate begun;
        detail::pool_core* const core = &core_of(*pool);
        unsigned threads = 0, to_be_joined = 0;
        for (unsigned i = 1; i < workers; ++i) pool->detach([&] { begun.pass(); });
        begun.wait_for_arrivals(static_cast<int>(workers) - 1);
        pool->detach([&] {
            pool.reset();
            lastly::this_task::submit([&] { outside.end(); }).detach();   // by a stand-in: the other workers are busy
            outside.wait();
            threads = core->workers.size();
            for (unsigned i = 0; i < threads; ++i) to_be_joined += core->workers[i].self.joinable() ? 1u : 0u;   // by whom?
            begun.open();
        });
        await([&] { return alive.load() == 0; });
        CHECK(threads == workers + 1);
        CHECK(to_be_joined == 0);
    });
}

TEST_CASE("W2: a worker that nobody stands in for ends another pool, whose tasks wait for its own") {
    for (const bool destroys : {false, true}) {
        auto o = options(1);
        o.tuning.max_stand_ins = 0;
        o.error_sink = [](const lastly::error_report&) {};
        lastly::pool pool(o);
        pool.run([&] {
            std::optional<lastly::pool> other(std::in_place, options(1));
            auto own = pool.submit([] {});
            other->detach([&] { own.wait(); });
            if (!destroys) CHECK(other->shutdown().complete);
            other.reset();   // it helps with anything rather than hang
        });
        check_end(pool);
    }
}
