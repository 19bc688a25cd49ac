// What a signal_guard's signals do, in processes of their own. Rule P5.
#include "core/process/signals.hpp"
#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include <unistd.h>

using namespace support;
using namespace std::chrono_literals;
using lastly::errc;
using lastly::finally;
using lastly::outcome;
using lastly::signal_guard;
using lastly::task_context;

namespace {

constexpr unsigned queued = 100;

struct witness {
    std::atomic<unsigned> begun{0}, chains{0}, by_signal{0}, succeeded{0}, others{0}, user{0}, went_on{0};
};
witness* judged = nullptr;

void send(int signal) { ::kill(::getpid(), signal); }

lastly::pool_options brief(unsigned workers) {
    lastly::pool_options o = options(workers);
    o.exit_budget = 1s;
    return o;
}

// A body on every worker that runs until it is stopped, or until `free`, and tasks behind them.
void fill(lastly::pool& pool, witness& w, const std::atomic<bool>* free = nullptr) {
    const auto count = [&w](const outcome& o) {
        ++w.chains;
        w.by_signal += o.cancelled() && o.cause() == std::error_code(SIGTERM, lastly::signal_category()) ? 1u : 0u;
        w.succeeded += o.succeeded() ? 1u : 0u;
    };
    for (unsigned i = 0; i < pool.workers(); ++i) {
        pool.detach([&w, free](task_context& t) {
            ++w.begun;
            while (!t.stop_requested() && (free == nullptr || !*free)) std::this_thread::yield();
            t.throw_if_stopped();
        }, finally(count));
    }
    while (w.begun < pool.workers()) std::this_thread::yield();
    for (unsigned i = 0; i < queued; ++i) pool.detach([] {}, finally(count));
}

void cancels(witness& w, const part_arguments& a) {
    lastly::pool pool(brief(a.workers)), other(brief(1));
    const signal_guard guard(pool);   // after the workers began
    other.detach([](task_context& t) {
        while (!t.stop_requested()) std::this_thread::yield();
    }, finally([&w] { ++w.others; }));
    fill(pool, w);
    send(SIGTERM);
    for (;;) ::pause();
}

void drains(witness& w, const part_arguments& a) {
    static std::atomic<bool> free{false};
    lastly::pool pool(brief(a.workers));
    const signal_guard guard(pool, {.first = lastly::on_destroy::drain});
    fill(pool, w, &free);
    send(SIGTERM);
    while (true) {
        try {
            pool.detach([] {});
            std::this_thread::yield();
        } catch (const lastly::task_rejected&) {
            break;   // it is closed
        }
    }
    free = true;
    for (;;) ::pause();
}

void second_signal(witness& w, const part_arguments&) {
    lastly::pool pool(brief(1));
    const signal_guard guard(pool, {.first = lastly::on_destroy::drain});
    pool.detach([&w] {
        ++w.begun;
        for (;;) ::pause();
    }, lastly::named("never back"));
    while (w.begun == 0) std::this_thread::yield();
    for (unsigned i = 0; i < queued; ++i) pool.detach([] {}, finally([&w] { ++w.chains; }));
    send(SIGTERM);
    for (bool is_closed = false; !is_closed; std::this_thread::yield()) is_closed = pool.context().stop_requested() || pool.ledger().rejected != 0 || [&] {
        try {
            pool.detach([] {}, finally([&w](const outcome& o) { w.chains += o.rejected() ? 0u : 1u; }));
            return false;
        } catch (const lastly::task_rejected&) {
            return true;
        }
    }();
    w.others = static_cast<unsigned>(pool.ledger().accepted);
    send(SIGTERM);
    for (;;) ::pause();
}

void third_signal(witness& w, const part_arguments&) {
    lastly::pool_options o = options(1);
    o.exit_budget = 100s;
    lastly::pool pool(o);
    const signal_guard guard(pool);
    pool.detach([&w] {
        ++w.begun;
        for (;;) ::pause();
    });
    while (w.begun == 0) std::this_thread::yield();
    for (int i = 0; i < 3; ++i) {
        send(SIGTERM);
        std::this_thread::yield();
    }
    for (;;) ::pause();
}

void goes_on(witness& w, const part_arguments&) {
    judged = &w;
    std::signal(SIGTERM, [](int) { ++judged->user; });
    lastly::pool other(options(1));
    {
        lastly::pool pool(options(2));
        const signal_guard guard(pool, {.raise_again = false});
        fill(pool, w);
        send(SIGTERM);
        while (pool.ledger().live != 0) std::this_thread::yield();
    }
    w.went_on = other.run([] { return 7u; });
    send(SIGTERM);   // to the program's own handler again
    std::exit(5);
}

void raised_to_a_handler(witness& w, const part_arguments&) {
    judged = &w;
    std::signal(SIGTERM, [](int) {
        ++judged->user;
        std::_Exit(6);
    });
    lastly::pool pool(options(2));
    const signal_guard guard(pool);
    fill(pool, w);
    send(SIGTERM);
    for (;;) ::pause();
}

// A program that has no guard, or one for another signal, is not disturbed.
void own_handling(witness& w, const part_arguments&) {
    judged = &w;
    std::signal(SIGTERM, [](int) { ++judged->user; });
    lastly::pool pool(options(1));
    send(SIGTERM);
    {
        const signal_guard guard(pool, {.signals = {SIGINT}});
        send(SIGTERM);
    }
    w.went_on = pool.run([] { return 7u; });
    std::exit(5);
}

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"cancels", &cancels}, {"drains", &drains}, {"second_signal", &second_signal}, {"third_signal", &third_signal}, {"goes_on", &goes_on},
             {"raised_to_a_handler", &raised_to_a_handler}, {"own_handling", &own_handling}};

class ended : public shared_process<witness> {
public:
    explicit ended(const char* part, part_arguments a = {}) : shared_process("signals: the process that the cases below judge", part, a) {}
};

}   // namespace

TEST_CASE("signals: the process that the cases below judge" * doctest::skip()) { shared_process<witness>::run_part(parts); }

TEST_CASE("P5: a signal cancels the pool with a cause that names it, closes the others, and ends the process") {
    with_workers([](unsigned workers) {
        const ended process("cancels", {workers, 0});
        CHECK(process.exit_code() == -1 - SIGTERM);
        CHECK(process->chains == workers + queued);
        CHECK(process->by_signal == workers + queued);
        CHECK(process->others == 1);
    });
}

TEST_CASE("P5: a guard that drains lets the pool finish") {
    with_workers([](unsigned workers) {
        const ended process("drains", {workers, 0});
        CHECK(process.exit_code() == -1 - SIGTERM);
        CHECK(process->succeeded >= workers + queued);
        CHECK(process->by_signal == 0);
    });
}

TEST_CASE("P5: a second signal cancels what is left, and gives up waiting after the budget") {
    const ended process("second_signal");
    CHECK(process.exit_code() == -1 - SIGTERM);
    CHECK(process->chains == process->others - 1);   // all but the one that is never back
    CHECK(process.said_on_stderr("never back"));
}

TEST_CASE("P5: a third signal has its default effect at once") {
    const ended process("third_signal");
    CHECK(process.exit_code() == -1 - SIGTERM);
}

TEST_CASE("P5: without raise_again the program goes on, other pools too, and its own handler is back") {
    const ended process("goes_on");
    CHECK(process.exit_code() == 5);
    CHECK(process->by_signal == 2 + queued);
    CHECK(process->went_on == 7);
    CHECK(process->user == 1);
}

TEST_CASE("P5: the signal is raised again with what was installed before") {
    const ended process("raised_to_a_handler");
    CHECK(process.exit_code() == 6);
    CHECK(process->user == 1);
    CHECK(process->by_signal == 2 + queued);
}

TEST_CASE("P5: a program that handles signals itself is not disturbed") {
    const ended process("own_handling");
    CHECK(process.exit_code() == 5);
    CHECK(process->user == 2);
    CHECK(process->went_on == 7);
}
