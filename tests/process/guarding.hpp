// What signals_test's processes are made of: what they tell, pools that are full, and guards that are destroyed while they act.
// In the process that the signals come to; its witness is read by the one that judges.
#pragma once

#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>

#include <unistd.h>

namespace guarding {

using namespace std::chrono_literals;
using lastly::errc;
using lastly::finally;
using lastly::outcome;
using lastly::signal_guard;
using lastly::task_context;
using support::await;
using support::options;
using support::part_arguments;

constexpr unsigned queued = 100;

struct witness {
    std::atomic<unsigned> begun{0}, chains{0}, by_signal{0}, succeeded{0}, others{0}, sent{0}, user{0}, went_on{0};
};
inline witness* judged = nullptr;

inline void send(int signal) { ::kill(::getpid(), signal); }

// With room for a body on every worker and the tasks behind them.
inline lastly::pool_options brief(unsigned workers, std::chrono::milliseconds budget = 5s) {
    lastly::pool_options o = options(workers);
    o.exit_budget = budget;
    o.capacity = workers + queued;
    return o;
}

// The pool is full meanwhile: asking adds nothing to it.
inline void await_closed(lastly::pool& pool) {
    await([&pool] {
        try {
            pool.detach([] {});
        } catch (const lastly::task_rejected& e) {
            return e.code() == errc::pool_closed;
        }
        return false;
    });
}

// A body on every worker that runs until `free` or, without that, until it is stopped, and tasks behind them.
inline void fill(lastly::pool& pool, witness& w, const std::atomic<bool>* free = nullptr, int signal = SIGTERM) {
    const auto count = [&w, signal](const outcome& o) {
        ++w.chains;
        w.by_signal += o.cancelled() && o.cause() == std::error_code(signal, lastly::signal_category()) ? 1u : 0u;
        w.succeeded += o.succeeded() ? 1u : 0u;
    };
    for (unsigned i = 0; i < pool.workers(); ++i) {
        pool.detach([&w, free](task_context& t) {
            ++w.begun;
            while (free != nullptr ? !*free : !t.stop_requested()) std::this_thread::yield();
            t.throw_if_stopped();
        }, finally(count));
    }
    while (w.begun < pool.workers()) std::this_thread::yield();
    for (unsigned i = 0; i < queued; ++i) pool.detach([] {}, finally(count));
}

inline std::size_t mapped_pages() {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages;
}

// Another guard for another pool, as soon as there can be one: it works as the first one does.
inline void guard_once_more(witness& w) {
    lastly::pool pool(options(2));
    std::optional<signal_guard> guard;
    await([&] {
        try {
            guard.emplace(pool, lastly::signal_options{.raise_again = false});
        } catch (const std::system_error& e) {
            if (e.code() != std::errc::device_or_resource_busy) throw;
        }
        return guard.has_value();
    });
    w.begun = 0;
    fill(pool, w);
    send(SIGTERM);
    await([&pool] { return pool.ledger().live == 0; });
    guard.reset();
    w.went_on = 1;
}

// While it acts its guard is destroyed by a body, and the pool soon after that.
inline void ended_in_a_body(witness& w, const part_arguments& a) {
    std::optional<signal_guard> guard;
    {
        lastly::pool pool(options(a.workers));
        guard.emplace(pool, lastly::signal_options{.raise_again = false});
        auto task = pool.submit([&guard](task_context& t) {
            send(SIGTERM);
            await([&t] { return t.stop_requested(); });
            guard.reset();
        }, finally([&w] { ++w.others; }));
        await([&task] { return task.ready(); });   // the thread sanitizer may keep a signal from a thread that goes to sleep
    }
    guard_once_more(w);
    std::exit(5);
}

// On the thread that closes the pool for the signal. `special`: the signal is raised again.
inline void ended_in_a_callback(witness& w, const part_arguments& a) {
    std::optional<signal_guard> guard;
    {
        lastly::pool pool(brief(2));
        const std::stop_callback ends(pool.context().stop_token(), [&] {
            guard.reset();
            ++w.others;
        });
        guard.emplace(pool, lastly::signal_options{.raise_again = a.special == 1});
        fill(pool, w);
        send(SIGTERM);
        await([&pool] { return pool.ledger().live == 0; });
        while (a.special == 1) ::pause();
    }
    guard_once_more(w);
    std::exit(5);
}

// A body that never comes back, on the only worker, and tasks behind it.
inline void fill_behind_a_hang(lastly::pool& pool, witness& w) {
    pool.detach([&w] {
        ++w.begun;
        for (;;) ::pause();
    }, lastly::named("never back"));
    await([&w] { return w.begun == 1; });
    for (unsigned i = 0; i < queued; ++i) pool.detach([] {}, finally([&w] { ++w.chains; }));
}

// The test program returns from main while a body goes on for ever. `special`: the pool has static storage, too.
inline void acts_at_the_end(witness& w, const part_arguments& a) {
    const auto begin = [&w](lastly::pool& pool) {
        fill_behind_a_hang(pool, w);
        send(SIGTERM);
        await([&pool] { return pool.context().stop_requested(); });
    };
    if (a.special == 1) {
        static lastly::pool pool(brief(1, 300ms));
        static const signal_guard guard(pool);
        begin(pool);
    } else {
        auto* const pool = new lastly::pool(brief(1, 300ms));
        static const signal_guard guard(*pool);
        begin(*pool);
    }
}

}   // namespace guarding
