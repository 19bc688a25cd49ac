// Waits that run tasks meanwhile: which ones, and that none is put where it can never end. Rules W1, W2, W4.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <pthread.h>
#include <unistd.h>

using namespace support;
using lastly::task_group;
using lastly::task_handle;

namespace {

// A task of another pool that is over when the test says so: who waits for it finds nothing to run.
class outside_task {
public:
    outside_task() : handle_(pool_.submit([this] { gate_.pass(); })) { gate_.wait_for_arrivals(1); }
    ~outside_task() {
        gate_.open();
        check_end(pool_);
    }
    outside_task(const outside_task&) = delete;
    outside_task& operator=(const outside_task&) = delete;
    void wait() const { handle_.wait(); }
    void end() { gate_.open(); }

private:
    gate gate_;
    lastly::pool pool_{options(1)};
    task_handle<void> handle_;
};

bool is_deadlock(const std::function<void()>& call) {
    try {
        call();
    } catch (const std::system_error& e) {
        return e.code() == std::errc::resource_deadlock_would_occur;
    }
    return false;
}

}   // namespace

TEST_CASE("W1: a worker that waits for its group runs members, and no foreign task beneath itself") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> members{0}, foreign{0}, nested{0};
        for (int round = 0; round < 50; ++round) {
            pool.run([&] {
                const std::thread::id here = std::this_thread::get_id();
                std::atomic<bool> waits{true};
                std::optional<task_group> group(std::in_place, pool);
                std::vector<task_handle<void>> others;
                for (int i = 0; i < 4; ++i) {   // a foreign task lies above and below each member
                    group->spawn([&] { ++members; });
                    others.push_back(pool.submit([&, here] {
                        ++foreign;
                        if (waits && std::this_thread::get_id() == here) ++nested;
                    }));
                }
                group->wait();
                waits = false;
                for (auto& h : others) h.wait();
            });
        }
        CHECK(members == 200);
        CHECK(foreign == 200);
        CHECK(nested == 0);
        check_end(pool);
    });
}

TEST_CASE("W1: a lock held across a wait is never met by a foreign task on the same thread") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::mutex lock;
        std::atomic<int> foreign{0};
        for (const bool by_handle : {false, true}) {
            outside_task outside;
            gate waits;
            std::thread opener([&] {
                waits.wait_for_arrivals(1);
                waits.open();
                outside.end();
            });
            pool.run([&] {
                std::vector<task_handle<void>> others;
                {
                    const std::lock_guard held(lock);
                    task_group group(pool);
                    group.spawn([&] {   // a member that sleeps: so does the task that waits for it
                        waits.pass();
                        outside.wait();
                    });
                    auto awaited = pool.submit([&] { outside.wait(); });
                    for (int i = 0; i < 3; ++i) {
                        others.push_back(pool.submit([&] {
                            const std::lock_guard met(lock);
                            ++foreign;
                        }));
                    }
                    if (by_handle) awaited.wait();
                    group.wait();
                    awaited.wait();
                }
                for (auto& h : others) h.wait();
            });
            opener.join();
        }
        CHECK(foreign == 6);
        check_end(pool);
    });
}

TEST_CASE("W2: tasks that wait for what another does after its own wait never sit above it") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        outside_task outside;
        constexpr int length = 200;
        std::vector<task_handle<int>> line(length);
        std::atomic<int> begun{0};
        line[0] = pool.submit([&] {
            ++begun;
            outside.wait();
            return 1;
        });
        for (std::size_t i = 1; i < length; ++i) {   // each waits for the one before: all of them at once
            line[i] = pool.submit([&line, &begun, i] {
                ++begun;
                return line[i - 1].get() + 1;
            });
        }
        await([&] { return begun.load() >= 1; });
        outside.end();
        CHECK(line[length - 1].get() == length);
        check_end(pool);
    });
}

TEST_CASE("W2: two hundred tasks sleep one for the other, each stood in for") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        outside_task outside;
        constexpr int length = 200;
        std::vector<task_handle<void>> line(length);
        std::vector<gate> said(length);
        for (std::size_t i = 0; i < length; ++i) {
            said[i].open();
            line[i] = pool.submit([&, i] {
                said[i].pass();
                if (i == 0) outside.wait();
                else line[i - 1].wait();
            });
            said[i].wait_for_arrivals(1);   // it runs: the next one cannot claim it
        }
        outside.end();
        line[length - 1].wait();
        for (const auto& h : line) CHECK(h.ready());
        check_end(pool);
    });
}

TEST_CASE("W1: a handle's wait ends for a task that is queued, that runs, that is over") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (int round = 0; round < 20; ++round) {
            outside_task outside;
            std::thread::id waiter, runner;
            pool.run([&] {
                auto queued = pool.submit([&] { runner = std::this_thread::get_id(); });
                waiter = std::this_thread::get_id();
                queued.wait();
                CHECK(queued.ready());
                queued.wait();   // over
            });
            gate runs, waits;
            runs.open();
            waits.open();
            auto running = pool.submit([&] {
                runs.pass();
                outside.wait();
            });
            runs.wait_for_arrivals(1);
            auto waiting = pool.submit([&] {
                waits.pass();
                running.wait();
                return running.outcome().succeeded();
            });
            waits.wait_for_arrivals(1);
            outside.end();
            CHECK(waiting.get());
            if (workers == 1) CHECK(waiter == runner);
        }
        check_end(pool);
    });
}

TEST_CASE("W1: run inside a task inside a task, a hundred deep") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::function<int(int)> deeper = [&](int left) -> int {
            if (left == 0) return 0;
            return pool.run([&, left] { return deeper(left - 1) + 1; });
        };
        CHECK(deeper(100) == 100);
        CHECK(pool.ledger().succeeded == 100);
        check_end(pool);
    });
}

TEST_CASE("W1: groups of groups end three levels down, however deep a worker may help") {
    with_workers([](unsigned workers) {
        for (const std::uint32_t depth : {0u, 1u, 2u, 64u}) {
            CAPTURE(depth);
            auto o = options(workers);
            o.tuning.help_depth = depth;
            lastly::pool pool(o);
            std::atomic<int> leaves{0}, chains{0};
            std::function<void(int)> grow = [&](int level) {
                if (level == 0) {
                    ++leaves;
                    return;
                }
                task_group group(pool);
                for (int i = 0; i < 4; ++i) group.spawn([&, level] { grow(level - 1); }, lastly::finally([&] { ++chains; }));
                group.wait();
            };
            pool.run([&] { grow(3); });
            CHECK(leaves == 64);
            grow(3);
            CHECK(leaves == 128);
            CHECK(chains == 2 * (4 + 16 + 64));
            check_end(pool);
        }
    });
}

TEST_CASE("W1: a waiter helps with what a member of its group waits for") {
    with_workers([](unsigned workers) {
        auto o = options(workers);
        std::atomic<unsigned> highest{0};
        o.on_worker_start = [&](unsigned w) { highest = std::max(highest.load(), w); };
        lastly::pool pool(o);
        std::atomic<int> ran{0};
        pool.run([&] {
            task_group upper(pool);
            for (int i = 0; i < 3; ++i) {
                upper.spawn([&] {
                    task_group lower(pool);
                    for (int k = 0; k < 50; ++k) lower.spawn([&] { ++ran; });
                    lower.wait();
                });
            }
            upper.wait();
        });
        CHECK(ran == 150);
        if (workers == 1) CHECK(highest == 0);   // no stand-in was needed
        check_end(pool);
    });
}

TEST_CASE("W2: two pools of one worker each, whose tasks wait for each other's, fifty deep") {
    lastly::pool left(options(1)), right(options(1));
    for (const bool by_group : {false, true}) {
        std::function<int(int)> bounce = [&](int hops) -> int {
            if (hops == 0) return 0;
            lastly::pool& next = hops % 2 == 0 ? left : right;
            if (!by_group) return next.run([&, hops] { return bounce(hops - 1) + 1; });
            int below = 0;
            task_group group(next);
            group.spawn([&, hops] { below = bounce(hops - 1); });
            group.wait();
            return below + 1;
        };
        CHECK(bounce(50) == 50);
    }
    check_end(left);
    check_end(right);
}

TEST_CASE("W4: a group's wait inside one of its members says so, also in a finalizer and however deep") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> refused{0};
        {
            task_group group(pool);
            const auto try_to_wait = [&] { refused += is_deadlock([&] { group.wait(); }) ? 1 : 0; };
            group.spawn([&](lastly::task_context& t) {
                try_to_wait();
                t.defer(try_to_wait);
                task_group inner(pool);   // a group that is made inside a member may be waited for there
                inner.spawn([] {});
                inner.wait();
            }, lastly::finally(try_to_wait));
            group.wait();
            CHECK(refused == 3);
            group.spawn([] {});
            group.wait();   // as good as before
        }
        blockade others(pool, workers - 1);
        {
            task_group group(pool);
            group.spawn([&] {   // the task that it waits for can run nowhere but above it
                pool.submit([&] { refused += is_deadlock([&] { group.wait(); }) ? 1 : 0; }).wait();
            });
            group.wait();
        }
        CHECK(refused == 4);
        others.open();
        check_end(pool);
    });
}

TEST_CASE("W4: wait_idle inside a task of the pool, and a wait for a task that this one sits above, say so") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers)), other(options(1));
        int refused = 0;
        blockade others(pool, workers - 1);
        task_handle<void> own;
        gate assigned;
        own = pool.submit([&] {
            assigned.pass();
            refused += is_deadlock([&] { pool.wait_idle(); }) ? 1 : 0;
            refused += is_deadlock([&] { own.wait(); }) ? 1 : 0;
            pool.submit([&] {   // claimed: it runs above the one that waits for it
                refused += is_deadlock([&] { own.wait(); }) ? 1 : 0;
                refused += is_deadlock([&] { pool.wait_idle(); }) ? 1 : 0;
            }).wait();
            other.wait_idle();   // of another pool: no such thing
        }, lastly::finally([&] { refused += is_deadlock([&] { pool.wait_idle(); }) ? 1 : 0; }));
        assigned.wait_for_arrivals(1);
        assigned.open();
        own.wait();
        CHECK(refused == 5);
        others.open();
        check_end(pool);
        check_end(other);
    });
}

TEST_CASE("groups: a member destroys its group, run by the case that follows" * doctest::skip()) {
    lastly::pool pool(options(2));
    std::optional<task_group> group(std::in_place, pool);
    gate begun;
    group->spawn([&] {
        begun.pass();
        group.reset();
    });
    begun.open();
    pool.wait_idle();
}

TEST_CASE("groups: a member that destroys its group ends the process, with a message") {
    std::array<char, 4096> self{};
    REQUIRE(::readlink("/proc/self/exe", self.data(), self.size() - 1) > 0);
    std::string command = "'";
    command.append(self.data()).append("' --no-skip -tc='groups: a member destroys its group*' 2>&1");
    std::FILE* const told = ::popen(command.c_str(), "r");
    REQUIRE(told != nullptr);
    std::string text;
    for (int c = std::fgetc(told); c != EOF; c = std::fgetc(told)) text.push_back(static_cast<char>(c));
    CHECK(::pclose(told) != 0);
    CHECK(text.find("lastly: a member of a task_group destroys that group") != std::string::npos);
}

TEST_CASE("P4: whoever waits for a group is told before the chain runs of a task whose thread a member left in its wait") {
    sink_log log;
    lastly::pool pool(options(1, &log));
    lastly::task_group group(pool);
    std::atomic<bool> spawned{false}, told{false};
    std::thread other([&] {
        await([&] { return spawned.load(); });
        CHECK_THROWS(group.wait());
        told = true;
    });
    auto waiting = pool.submit([&] {
        group.spawn([] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));   // the other one sleeps by now, most likely
            ::pthread_exit(nullptr);
        });
        spawned = true;
        group.wait();
    }, lastly::finally([&] { await([&] { return told.load(); }); }));
    waiting.wait();
    other.join();
    check_end(pool);
}
