// What exit_test's processes are made of: what they tell, and pools and tasks that note how they end.
// In the process that ends; its witness is read by the one that judges.
#pragma once

#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include <unistd.h>

namespace exiting {

using lastly::defer_frame;
using lastly::errc;
using lastly::finally;
using lastly::outcome;
using lastly::task_context;
using support::await;
using support::options;
using support::part_arguments;

constexpr unsigned queued = 100;

// What the process that ends says to the one that judges.
struct witness : support::diary {
    std::atomic<unsigned> ran{0}, closed{0}, twice{0}, begun{0}, beside{0}, wrong{0}, destroyed{0};
    std::atomic<int> told{0};
    std::atomic<bool> go{false}, balanced{false};
    std::atomic<unsigned> chains[queued]{};   // of each queued task
    std::atomic<std::uint64_t> finalizers{0}, succeeded{0}, cancelled{0};   // in the books, when all is over
};

inline witness* judged = nullptr;
inline lastly::pool* judged_pool = nullptr;

// Options of a pool for whose bodies nobody waits long at the process's end.
inline lastly::pool_options brief(unsigned workers, std::chrono::milliseconds budget = std::chrono::milliseconds(500)) {
    lastly::pool_options o = options(workers);
    o.exit_budget = budget;
    return o;
}

// On the only worker, whose exit drops the last member of a group that another thread waits for: after the process's end that thread is joined.
inline void before_a_group_is_left(witness& w, const part_arguments&) {
    static std::thread waiter;
    judged = &w;
    std::atexit([] {   // runs after the library's own
        waiter.join();
        judged->go = true;
    });
    auto* const pool = new lastly::pool(brief(1, std::chrono::seconds(10)));
    auto* const group = new lastly::task_group(*pool);
    pool->detach([&w] {
        ++w.begun;
        await([&w] { return w.beside == 2; });
        std::exit(2);
    });
    await([&w] { return w.begun == 1; });
    group->spawn([] {}, finally([&w] { ++w.ran; }));
    waiter = std::thread([&w, group] {
        ++w.beside;
        try {
            group->wait();
        } catch (const lastly::task_cancelled&) {
            ++w.closed;
        }
    });
    ++w.beside;   // it can be joined
    for (;;) ::pause();
}

// The books of `judged_pool` after the process's end, which the library's own handler brings about: it is registered later and runs earlier.
inline void tell_books(witness& w) {
    judged = &w;
    std::atexit([] {
        const lastly::ledger_snapshot books = judged_pool->ledger();
        judged->finalizers = books.finalizers_run;
        judged->succeeded = books.succeeded;
        judged->cancelled = books.cancelled;
        judged->balanced = books.balanced();
    });
}

// Counts its destructions, unless it was moved from.
class noted {
public:
    explicit noted(witness& to) : to_(&to) {}
    noted(noted&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
    noted& operator=(noted&&) = delete;
    ~noted() {
        if (to_ != nullptr) ++to_->destroyed;
    }

private:
    witness* to_;
};

inline bool is_end_of_started(const outcome& o) { return o.cancelled() && o.started() && o.cause() == errc::process_exit; }

// A task that ends the process. Whoever is told of that stays: ending its pool meanwhile is not what is tested here.
template <class Body, class... Attached>
[[noreturn]] void exit_in(lastly::pool& pool, Body body, Attached... attached) {
    try {
        pool.run(std::move(body), std::move(attached)...);
    } catch (const lastly::task_cancelled&) {
    }
    for (;;) ::pause();
}

// `exit` destroys the pool, on its own worker, before the library's handler runs. Bodies on the other workers, and tasks behind them.
inline void in_a_body_of_a_static_pool(witness& w, const part_arguments& a) {
    static lastly::pool pool(options(a.workers));
    for (unsigned i = 1; i < a.workers; ++i) {
        pool.detach([&w](task_context& t) {
            ++w.begun;
            await([&t] { return t.stop_requested(); });
        }, finally([&w] { ++w.beside; }));
    }
    pool.detach([&w](task_context& t) {
        t.defer([&w](const outcome& end) { w.told = is_end_of_started(end); w.say('1'); });
        t.defer([&w] { w.say('2'); });
        ++w.begun;
        await([&w] { return w.go.load(); });
        std::exit(7);
    }, finally([&w] { w.say('a'); }), finally([&w] { w.say('b'); }));
    await([&] { return w.begun == a.workers; });
    for (unsigned i = 0; i < queued; ++i) {
        pool.detach([&w] { ++w.wrong; }, finally([&w, i](const outcome& end) {
            ++w.chains[i];
            if (!end.cancelled() || end.started() || end.cause() != errc::process_exit) ++w.wrong;
        }));
    }
    w.go = true;
    for (;;) ::pause();
}

// A body of a static pool waits for the task that exits, and goes on when the handler has ended that, later than its pool was destroyed.
inline void beneath_a_waiter_of_a_static_pool(witness& w, const part_arguments&) {
    using namespace std::chrono_literals;
    static lastly::pool waiting(brief(1, 300ms));
    auto* const other = new lastly::pool(brief(1, 10s));
    waiting.detach([other, &w] {
        std::latch begun(1);
        auto inner = other->submit([&begun] {
            begun.count_down();
            std::exit(3);
        }, finally([&w] { w.say('y'); }));
        begun.wait();
        try {
            inner.get();
        } catch (const lastly::task_cancelled& e) {
            w.told = e.code() == errc::process_exit ? 1 : 2;
        }
        w.say('w');
    }, finally([&w] {
        const auto end = std::chrono::steady_clock::now() + 50ms;
        await([end] { return std::chrono::steady_clock::now() >= end; });
        w.say('x');
    }));
    for (;;) ::pause();
}

// `exit` destroys the pool, on its own worker. `special`: the chain lets go of what the callback needs, else nobody does.
inline void holding_what_a_callback_needs(witness& w, const part_arguments& a) {
    static std::mutex needed;
    static lastly::pool pool(brief(1));
    const std::stop_callback needs(pool.context().stop_token(), [] { const std::lock_guard here(needed); });
    pool.detach([&w](task_context& t) {
        t.defer([&w] { w.say('d'); });
        needed.lock();
        std::exit(7);
    }, finally([&w, lets_go = a.special == 1] {
        if (lets_go) needed.unlock();
        w.say('a');
    }));
    for (;;) ::pause();
}

// A block of the branch's lies above the branch on the stack, where the body has left room for it.
inline void in_a_block_of_a_branch(witness& w, const part_arguments&) {
    lastly::pool pool(options(1));
    exit_in(pool, [&](task_context& t) {
        t.defer([&] { w.say('t'); });
        defer_frame around(t);
        around.defer([&] { w.say('o'); });
        std::optional<defer_frame> room;
        lastly::parallel_invoke(pool, [&](task_context& branch) {
            branch.defer([&] { w.say('b'); });
            room.emplace(branch);
            room->defer([&] { w.say('i'); });
            std::exit(5);
        });
    }, finally([&] { w.say('a'); }));
}

}   // namespace exiting
