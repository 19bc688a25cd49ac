// Branches among workers: who is woken for them, what a waiter runs meanwhile, who takes its place, what a thief gives back.
// Rules B1, W1, W2, A5, A6, S1.
#include "core/sched/pool_core.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <random>
#include <stdexcept>

#include <pthread.h>

using namespace support;
using lastly::parallel_for;
using lastly::parallel_invoke;
using lastly::task_context;
namespace this_task = lastly::this_task;

TEST_CASE("branch-wake: a branch wakes a sleeping worker") {
    for (int round = 0; round < 20; ++round) {
        lastly::pool pool(options(2));
        pool.run([&] { run_stolen(pool, [] {}, [] {}); });   // the other one sleeps by now, or searches for the last time
        pool.run([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(2 * round));   // so that it sleeps for sure in most rounds, on a busy machine in the last
            run_stolen(pool, [] {}, [] {});
        });
        check_end(pool);
    }
}

TEST_CASE("W1: who waits for a stolen branch runs its parts, and no other task") {
    lastly::pool pool(options(2));
    std::atomic<int> foreign_below{0}, foreign{0};
    const auto waiter = std::make_shared<std::atomic<std::thread::id>>();
    std::atomic<bool> waits{true};
    lastly::task_handle<void> h = pool.submit([&] {
        waiter->store(std::this_thread::get_id());
        run_stolen(pool, [] {}, [&] {
            for (int i = 0; i < 100; ++i) {
                pool.detach([&] {
                    ++foreign;
                    if (waits && std::this_thread::get_id() == waiter->load()) ++foreign_below;
                });
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));   // the waiter, or who stands in for it, has time to look
        });
        waits = false;
    });
    h.get();
    pool.wait_idle();
    CHECK(foreign == 100);
    CHECK(foreign_below == 0);
    check_end(pool);
}

TEST_CASE("W1: parts of an awaited branch can run while it goes on") {
    lastly::pool pool(options(2));
    pool.run([&] {
        run_stolen(pool, [] {}, [&] {   // the waiter, or who stands in for it, meets us
            std::latch together(2);
            parallel_invoke(pool, [&] { together.arrive_and_wait(); }, [&] { together.arrive_and_wait(); });
        });
    });
    check_end(pool);
}

TEST_CASE("W2: another thread takes the place of a worker that sleeps for a stolen branch") {
    lastly::pool pool(options(2));
    pool.run([&] {
        std::latch ran(1);
        run_stolen(pool, [] {}, [&] {
            pool.detach([&] { ran.count_down(); });   // to this worker's own deque: only a stand-in, or nobody, can take it
            ran.wait();
        });
    });
    check_end(pool);
}

TEST_CASE("W2: branches below a task that is run in a wait are on offer") {
    lastly::pool pool(options(2));
    pool.run([&] {
        std::latch met(2);
        lastly::task_group group(pool);
        parallel_invoke(pool, [&] {
            group.spawn([&] { met.arrive_and_wait(); });
            group.wait();   // runs the member here, or another one does; the sibling is free to meet it either way
        }, [&] { met.arrive_and_wait(); });
    });
    check_end(pool);
}

TEST_CASE("branches: members that a thief spawned are over when their group is") {
    lastly::pool pool(options(2));
    for (int round = 0; round < 20; ++round) {
        lastly::task_group group(pool);
        group.spawn([&] {
            run_stolen(pool, [] {}, [&] {
                for (int i = 0; i < 10; ++i) group.spawn([] {});
                pool.detach([] {});
            });
        });
        group.wait();
    }
    check_end(pool);
}

TEST_CASE("W1: groups are spawned into and waited for inside branches, stolen ones too") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        std::atomic<int> n{0};
        pool.run([&] {
            std::function<void(int)> tree = [&](int depth) {
                if (depth == 0) {
                    lastly::task_group group(pool);
                    for (int i = 0; i < 4; ++i) group.spawn([&] { ++n; });
                    group.wait();
                    return;
                }
                parallel_invoke(pool, [&] { tree(depth - 1); }, [&] { tree(depth - 1); }, [&] { CHECK(pool.submit([&] { return ++n; }).get() > 0); });
            };
            tree(5);
        });
        CHECK(n == 32 * 4 + 31);
        CHECK(log.entries().empty());
        check_end(pool);
    });
}

TEST_CASE("B1: an abrupt end lets branches that run finish, and their tasks are accounted for") {
    for (unsigned seed = 0; seed < 60; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const unsigned workers = 1 + random() % 4;
        lastly::pool pool(options(workers));
        std::atomic<int> open{0};
        std::function<void(int)> tree = [&](int depth) {
            ++open;
            this_task::defer([&] { --open; });
            if (depth != 0) parallel_invoke(pool, [&] { tree(depth - 1); }, [&] { tree(depth - 1); });
        };
        for (int i = 0; i < 20; ++i) pool.detach([&] { tree(5); }, lastly::finally([&] { parallel_for(pool, 0, 8, [&](int) { ++open; --open; }, 1); }));
        if (random() % 2 != 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
        CHECK(pool.shutdown_now().complete);
        CHECK(open == 0);
        const auto books = pool.ledger();
        CHECK(books.balanced());
        CHECK(books.finalizers_attached == books.finalizers_run);
    }
}

TEST_CASE("B1: in a chain that a shutdown's helper runs, branches run in order on its thread") {
    lastly::pool pool(options(1));
    std::atomic<int> on_caller{0}, ran{0};
    const auto caller = std::this_thread::get_id();
    const auto blocked = std::make_shared<gate>();
    pool.detach([blocked] { blocked->pass(); });
    blocked->wait_for_arrivals(1);
    for (int i = 0; i < 100; ++i) {
        pool.detach([] {}, lastly::finally([&] {
            std::string order;
            parallel_invoke(pool, [&] { order += '0'; }, [&] { order += '1'; });
            parallel_for(pool, 0, 3, [&](int) { ++ran; }, 1);
            if (std::this_thread::get_id() == caller) CHECK(order == "01");
            if (std::this_thread::get_id() == caller && ++on_caller == 100) blocked->open();   // the only worker is held until then
        }));
    }
    CHECK(pool.shutdown_now().complete);
    CHECK(on_caller == 100);
    CHECK(ran == 300);
    check_end(pool);
}

TEST_CASE("A6: a refused task's finalizer may fork") {
    lastly::pool pool(options(2));
    pool.close();
    std::atomic<int> ran{0};
    CHECK_THROWS_AS(pool.detach([] {}, lastly::finally([&] { parallel_invoke(pool, [&] { ++ran; }, [&] { ++ran; }); })), lastly::task_rejected);
    CHECK(ran == 2);
    check_end(pool);
}

TEST_CASE("C4-branch-budget: a finalizer of a stolen branch that outlasts the budget is reported by its task's name") {
    std::latch reported(1);
    std::atomic<bool> told{false};
    lastly::pool_options o = options(2);
    o.finalizer_budget = std::chrono::milliseconds(5);
    o.error_sink = [&](const lastly::error_report& r) {
        if (r.kind == lastly::report_kind::finalizer_overdue && std::string(r.name) == "forks" && !told.exchange(true)) reported.count_down();
    };
    lastly::pool pool(o);
    pool.submit([&] {
        run_stolen(pool, [] {}, [&] { this_task::defer([&] { reported.wait(); }); });
    }, lastly::named("forks")).get();
    CHECK(told);
    check_end(pool);
}

TEST_CASE("B1: branches do not count in a bounded pool's capacity") {
    lastly::pool_options o = options(2);
    o.capacity = 1;
    lastly::pool pool(o);
    std::atomic<int> n{0};
    pool.run([&] { parallel_for(pool, 0, 1000, [&](int) { ++n; }, 1); });
    CHECK(n == 1000);
    check_end(pool);
}

namespace {

enum class fate { well, throws, stops, defers, leaves };

// A tree of three levels, two branches each: 2 + 4 + 8 positions. One of them meets the fate; all the others must not notice more than
// they have to.
struct tree {
    lastly::pool& pool;
    unsigned special;
    fate what;
    std::atomic<unsigned> ran{0}, closed{0};
    std::function<void()> stop;

    void node(unsigned id) {
        ran |= 1u << id;
        this_task::defer([this, id] { closed |= 1u << id; });
        if (id == special && what == fate::stops) {
            stop();
            this_task::throw_if_stopped();
        }
        if (id < 7) parallel_invoke(pool, [&] { node(2 * id + 1); }, [&] { node(2 * id + 2); });
        if (id == special && what == fate::leaves) ::pthread_exit(nullptr);
        if (id == special && what == fate::throws) throw std::runtime_error(std::to_string(id));
        if (id == special && what == fate::defers) this_task::defer([id] { throw std::runtime_error(std::to_string(id)); });
    }
};

// The nodes at or below that one.
unsigned below(unsigned id) { return id > 14 ? 0 : 1u << id | below(2 * id + 1) | below(2 * id + 2); }

}   // namespace

TEST_CASE("B1-tree: an exception in every position of a tree of three levels") {
    with_workers([](unsigned workers) {
        for (const fate what : {fate::throws, fate::defers}) {
            for (unsigned special = 0; special < 15; ++special) {
                CAPTURE(special);
                sink_log log;
                lastly::pool pool(options(workers, &log));
                tree t{pool, special, what, {}, {}, {}};
                CHECK_THROWS_WITH(pool.run([&] { t.node(0); }), std::to_string(special).c_str());
                CHECK(t.ran == 0x7fff);   // each branch ran
                CHECK(t.closed == 0x7fff);
                CHECK(pool.ledger().finalizers_run == (what == fate::defers ? 16u : 15u));
                CHECK(log.entries().size() == (what == fate::defers ? 1u : 0u));
                check_end(pool);
            }
        }
    });
}

TEST_CASE("B1-tree: a stop in every position of a tree of three levels") {
    with_workers([](unsigned workers) {
        for (unsigned special = 0; special < 15; ++special) {
            CAPTURE(special);
            lastly::pool pool(options(workers));
            tree t{pool, special, fate::stops, {}, {}, {}};
            lastly::task_handle<void> own;
            std::latch ready(1);
            t.stop = [&] { own.cancel(); };
            own = pool.submit([&] {
                ready.wait();
                t.node(0);
            });
            ready.count_down();
            CHECK_THROWS_AS(own.get(), lastly::task_cancelled);
            CHECK(t.ran == (0x7fff & ~(below(special) & ~(1u << special))));   // all but what it would have forked
            CHECK(t.closed == t.ran);
            CHECK(pool.ledger().cancelled == 1);
            check_end(pool);
        }
    });
}

TEST_CASE("B4-unwind: a branch that leaves its thread has failed with thread_exited; all others run, all chains run") {
    with_workers([](unsigned workers) {
        for (unsigned special = 0; special < 15; ++special) {
            CAPTURE(special);
            sink_log log;
            lastly::pool pool(options(workers, &log));
            tree t{pool, special, fate::leaves, {}, {}, {}};
            CHECK(is_thread_exited([&] { pool.run([&] { t.node(0); }); }));
            CHECK(t.ran == 0x7fff);
            CHECK(t.closed == 0x7fff);
            CHECK(pool.ledger().finalizers_run == 15);
            CHECK(pool.ledger().failed == 1);
            CHECK(log.entries().empty());
            check_end(pool);
        }
    });
}

TEST_CASE("B4-unwind: a stolen branch that leaves its thread fails for its forker, whose thread stays") {
    lastly::pool pool(options(2));
    for (int round = 0; round < 10; ++round) {
        bool caught = false, ran = false;
        pool.run([&] {
            const auto here = std::this_thread::get_id();
            caught = is_thread_exited([&] {
                run_stolen(pool, [] {}, [&] {
                    this_task::defer([&] { ran = true; });
                    ::pthread_exit(nullptr);
                });
            });
            CHECK(std::this_thread::get_id() == here);
        });
        CHECK(caught);
        CHECK(ran);
    }
    check_end(pool);
}

TEST_CASE("P4: what is run in a wait for a stolen branch leaves its thread: the branch is over before its task is") {
    lastly::pool_options o = options(2);
    o.tuning.max_stand_ins = 0;   // so that the waiter is the only one that can take the part
    for (int round = 0; round < 5; ++round) {
        sink_log log;
        o.error_sink = log.function();
        lastly::pool pool(o);
        std::atomic<bool> over{false};
        const auto body = [&] {
            run_stolen(pool, [] {}, [&] {
                std::latch left(1);
                const auto thief = std::this_thread::get_id();
                CHECK(is_thread_exited([&] {
                    parallel_invoke(pool, [&] { left.wait(); }, [&, thief] {
                        const bool helps = std::this_thread::get_id() != thief;
                        this_task::defer([&] { left.count_down(); });
                        if (helps) ::pthread_exit(nullptr);
                    });
                }));
                std::this_thread::sleep_for(std::chrono::milliseconds(5));   // the task's stack must wait for this
                over = true;
            });
        };
        CHECK(is_thread_exited([&] { pool.run(body); }));
        CHECK(over);
        CHECK(log.count(lastly::report_kind::failed) == 0);
        check_end(pool);
    }
}

TEST_CASE("P4: a thread can be left beneath a catch, and by two branches of one call") {
    lastly::pool pool(options(1));
    CHECK(is_thread_exited([&] {
        pool.run([&] {
            try {
                throw 1;
            } catch (int) {
                pool.run([] { ::pthread_exit(nullptr); });
            }
        });
    }));
    CHECK(is_thread_exited([&] { pool.run([&] { parallel_invoke(pool, [] { ::pthread_exit(nullptr); }, [] { ::pthread_exit(nullptr); }); }); }));
    check_end(pool);
}

TEST_CASE("B4-unwind: a chunk that leaves its thread ends its loop") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        std::atomic<int> ran{0};
        CHECK(is_thread_exited([&] {
            pool.run([&] {
                parallel_for(pool, 0, 10'000, [&](int i) {
                    ++ran;
                    if (i == 5000) ::pthread_exit(nullptr);
                }, 10);
            });
        }));
        CHECK(log.entries().empty());
        CHECK(pool.ledger().failed == 1);
        check_end(pool);
    });
}
