// What coordinator_test's processes are made of: what they tell, pools that are full, and the ends at which something hangs or takes its time.
// In the process that ends; its witness is read by the one that judges.
#pragma once

#include "core/sched/pool_core.hpp"
#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include <unistd.h>

namespace ending {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using lastly::errc;
using lastly::finally;
using lastly::named;
using lastly::outcome;
using lastly::task_context;
using support::await;
using support::options;
using support::part_arguments;

constexpr unsigned queued = 200;

struct witness {
    std::atomic<unsigned> begun{0}, chains{0}, wrong{0}, of_running{0}, rejected{0}, accepted{0};
    std::atomic<bool> destroyed{false}, late{false};
    std::atomic<steady::rep> exits_at{0};   // the clock is the system's
};

inline lastly::pool_options brief(unsigned workers, std::chrono::milliseconds budget) {
    lastly::pool_options o = options(workers);
    o.exit_budget = budget;
    return o;
}

// A body on every worker that gives way to a stop, and tasks that wait behind them.
inline void fill(lastly::pool& pool, witness& w) {
    const unsigned all = w.begun + pool.workers();
    for (unsigned i = 0; i < pool.workers(); ++i) {
        pool.detach([&w](task_context& t) {
            ++w.begun;
            await([&t] { return t.stop_requested(); });
            t.throw_if_stopped();
        }, finally([&w](const outcome& o) { w.of_running += o.cancelled() && o.started() && o.cause() == errc::process_exit ? 1u : 0u; }));
    }
    await([&] { return w.begun == all; });
    for (unsigned i = 0; i < queued; ++i) {
        pool.detach([&w] { ++w.wrong; }, finally([&w](const outcome& o) {
            ++w.chains;
            if (!o.cancelled() || o.started() || o.cause() != errc::process_exit) ++w.wrong;
        }));
    }
}

inline void leave_alone(lastly::pool_options o, witness& w) {
    fill(*new lastly::pool(std::move(o)), w);   // never destroyed
}

// A body that never ends, which has begun.
inline void hang_in(lastly::pool& pool, witness& w, const char* name) {
    const unsigned before = w.begun;
    pool.detach([&w] {
        ++w.begun;
        for (;;) ::pause();
    }, named(name));
    await([&w, before] { return w.begun != before; });
}

// On the only worker: the others' chains run all the same, and the process ends.
inline void a_body_hangs(witness& w, const part_arguments&) {
    auto* const pool = new lastly::pool(brief(1, 1000ms));
    hang_in(*pool, w, "hanging body");
    for (unsigned i = 0; i < queued; ++i) pool->detach([] {}, finally([&w] { ++w.chains; }));
    std::exit(3);
}

// With the options as they are by default.
inline void a_body_hangs_by_default(witness& w, const part_arguments&) {
    hang_in(*new lastly::pool(options(1)), w, "hanging body");
    w.exits_at = steady::now().time_since_epoch().count();
    std::exit(3);
}

// A finalizer that never ends, on the exiting thread, whose body called exit: the guard runs the others' chains. `special`: after another that calls
// exit with a status of its own.
inline void own_chain_hangs(witness& w, const part_arguments& a) {
    auto* const pool = new lastly::pool(brief(1, 2000ms));
    pool->detach([&w, exits_again = a.special == 1](task_context& t) {
        t.defer([] { for (;;) ::pause(); });
        if (exits_again) t.defer([] { std::exit(7); });
        await([&w] { return w.late.load(); });
        std::exit(3);
    }, named("exiting"));
    for (unsigned i = 0; i < queued; ++i) pool->detach([] {}, finally([&w] { ++w.chains; }));
    w.late = true;
    for (;;) ::pause();
}

// Likewise in the chain of a queued task that the exiting thread helps with.
inline void helped_chain_hangs(witness& w, const part_arguments&) {
    auto* const pool = new lastly::pool(brief(1, 2000ms));
    hang_in(*pool, w, "hanging body");
    for (unsigned i = 0; i < queued; ++i) {
        pool->detach([] {}, named("hanging chain"), finally([&w, i] {
            ++w.chains;
            while (i == 3) ::pause();
        }));
    }
    std::exit(3);
}

// Two finalizers that hang, one on each thread that could take care of the others.
inline void two_chains_hang(witness& w, const part_arguments&) {
    auto* const pool = new lastly::pool(brief(1, 2000ms));
    hang_in(*pool, w, "hanging body");
    for (unsigned i = 0; i < 4; ++i) pool->detach([] {}, named("hanging chain"), finally([] { for (;;) ::pause(); }));
    std::exit(3);
}

inline void take_time(std::chrono::milliseconds time) {
    const auto end = steady::now() + time;
    await([end] { return steady::now() >= end; });
}

// A pool of 50 ms and one of 10 s, whose body goes on for 300 ms after the stop. `special`: which of the two is made first.
inline void two_budgets(witness& w, const part_arguments& a) {
    lastly::pool* pools[2]{};
    for (const unsigned i : {a.special, 1 - a.special}) pools[i] = new lastly::pool(brief(1, i == 0 ? 50ms : 10'000ms));
    pools[1]->detach([&w](task_context& t) {
        ++w.begun;
        await([&t] { return t.stop_requested(); });
        take_time(300ms);
    }, finally([&w] { ++w.chains; }));
    await([&w] { return w.begun == 1; });
    std::exit(3);
}

// Pools whose bodies hang are destroyed when the process's end is over: one in static storage, one on the heap.
inline void destroyed_afterwards(witness& w, const part_arguments&) {
    static witness* seen = nullptr;
    static lastly::pool* on_heap = nullptr;
    seen = &w;
    std::atexit([] { seen->destroyed = true; });   // what is registered first runs last
    static std::optional<lastly::pool> in_storage;
    std::atexit([] { delete on_heap; });
    in_storage.emplace(brief(1, 500ms));           // and the library's own handler runs first
    on_heap = new lastly::pool(brief(1, 500ms));
    hang_in(*in_storage, w, "hanging body");
    hang_in(*on_heap, w, "hanging body");
    std::exit(3);
}

inline unsigned threads_now() {
    unsigned n = 0;
    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/task")) ++n;
    return n;
}

// A static pool that has nothing to do, and no time either.
inline void idle_in_static_storage(witness& w, const part_arguments& a) {
    static witness* seen = nullptr;
    std::thread([] {}).join();   // a sanitizer has its own from the first one on
    static const unsigned others = threads_now();
    seen = &w;
    std::atexit([] {   // runs when the pool was destroyed
        await([] { return threads_now() <= others; });
        seen->destroyed = true;
    });
    static lastly::pool pool(brief(a.workers, 0ms));
    pool.run([&w] { ++w.begun; });
    std::exit(3);
}

// A caller waits for room, and is refused: its chain takes its time, and may itself exit.
[[noreturn]] inline void exit_beside_a_blocked_caller(lastly::pool& pool, witness& w, bool chain_exits) {
    fill(pool, w);
    std::thread([&pool, &w, chain_exits] {
        const auto count = [&w](const outcome& o) { w.rejected += o.rejected() && o.cause() == errc::pool_closed ? 1u : 0u; };
        try {
            pool.detach([&w] { ++w.wrong; }, finally(count), finally([count, chain_exits](const outcome& o) {
                take_time(50ms);
                count(o);
                if (chain_exits) std::exit(3);
            }));
        } catch (const lastly::task_rejected&) {
        }
    }).detach();
    await([&pool] { return lastly::detail::pool_access::core(pool).blocked.load(lastly::detail::relaxed) == 1; });
    if (!chain_exits) std::exit(3);
    pool.close();
    for (;;) ::pause();
}

// `special`: 1 the pool has static storage, 2 the chain exits, 3 both.
inline void beside_a_blocked_caller(witness& w, const part_arguments& a) {
    lastly::pool_options o = brief(1, 10'000ms);
    o.capacity = queued + 1;
    o.overflow = lastly::overflow::block;
    const bool chain_exits = (a.special & 2u) != 0;
    if ((a.special & 1u) == 0) exit_beside_a_blocked_caller(*new lastly::pool(o), w, chain_exits);
    static lastly::pool in_storage(o);
    exit_beside_a_blocked_caller(in_storage, w, chain_exits);
}

}   // namespace ending
