// What a signal_guard's signals do, in processes of their own. Rule P5.
#include "core/process/signals.hpp"
#include "tests/process/guarding.hpp"
#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stop_token>
#include <thread>

#include <unistd.h>

using namespace guarding;
using namespace support;

namespace {

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

// The signal is blocked everywhere, and waits, when the guard comes.
void waits_for_the_guard(witness& w, const part_arguments&) {
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &only, nullptr);
    lastly::pool pool(brief(1));
    fill(pool, w);
    send(SIGTERM);
    const signal_guard guard(pool, {.signals = {SIGINT, SIGTERM}});
    for (;;) ::pause();
}

void drains(witness& w, const part_arguments& a) {
    static std::atomic<bool> free{false};
    lastly::pool pool(brief(a.workers));
    const signal_guard guard(pool, {.first = lastly::on_destroy::drain});
    fill(pool, w, &free);
    send(SIGTERM);
    await_closed(pool);
    free = true;
    for (;;) ::pause();
}

// `special`: the first signal cancels, else it drains.
void second_signal(witness& w, const part_arguments& a) {
    lastly::pool pool(brief(1, 2s));
    const signal_guard guard(pool, {.first = a.special == 1 ? lastly::on_destroy::cancel : lastly::on_destroy::drain});
    fill_behind_a_hang(pool, w);
    send(SIGTERM);
    await_closed(pool);
    send(SIGTERM);
    for (;;) ::pause();
}

// `special`: which of the two comes first.
void two_numbers(witness& w, const part_arguments& a) {
    static std::atomic<bool> free{false};
    const int first = static_cast<int>(a.special), second = first == SIGTERM ? SIGINT : SIGTERM;
    lastly::pool pool(brief(2));
    const signal_guard guard(pool);
    fill(pool, w, &free, first);
    send(first);
    await([&pool] { return pool.context().stop_requested(); });
    send(second);
    free = true;
    for (;;) ::pause();
}

// A body of another pool does not give way.
void another_hangs(witness& w, const part_arguments&) {
    lastly::pool pool(brief(2, 2s)), other(brief(1, 2s));
    const signal_guard guard(pool);
    other.detach([&w] {
        ++w.others;
        for (;;) ::pause();
    }, lastly::named("hangs elsewhere"));
    await([&w] { return w.others == 1; });
    for (unsigned i = 0; i < queued; ++i) other.detach([] {}, finally([&w] { ++w.others; }));
    fill(pool, w);
    send(SIGTERM);
    for (;;) ::pause();
}

void third_signal(witness& w, const part_arguments&) {
    lastly::pool pool(brief(1, 100s));
    const signal_guard guard(pool);
    pool.detach([&w] {
        ++w.begun;
        for (;;) ::pause();
    });
    await([&w] { return w.begun == 1; });
    send(SIGTERM);
    ++w.sent;
    await([&pool] { return pool.context().stop_requested(); });
    send(SIGTERM);
    ++w.sent;
    send(SIGTERM);
    ++w.sent;   // not while the process lives
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

// The first signal drains, and the bodies wait for the second. `special`: it cancels, and a callback holds up the thread on which it does.
void for_ever(witness& w, const part_arguments& a) {
    static std::atomic<bool> free{false};
    const bool is_held_up = a.special == 1;
    lastly::pool_options o = brief(2);
    o.exit_budget = std::chrono::nanoseconds::max();
    lastly::pool pool(o);
    const std::stop_callback holds_up(pool.context().stop_token(), [is_held_up] { await([is_held_up] { return !is_held_up || free; }); });
    const signal_guard guard(pool, {.first = is_held_up ? lastly::on_destroy::cancel : lastly::on_destroy::drain});
    fill(pool, w);
    send(SIGTERM);
    await_closed(pool);
    if (!is_held_up) w.others = w.chains == 0 ? 1 : 0;   // nothing has ended yet
    const std::size_t before = mapped_pages();
    send(SIGTERM);
    if (is_held_up) {
        await([&pool] { return pool.shutdown(0ns).complete; });
        const auto end = std::chrono::steady_clock::now() + 300ms;
        await([end] { return std::chrono::steady_clock::now() >= end; });   // by now it would have hundreds of further threads' stacks
        w.others = mapped_pages() < before + 200'000 ? 1 : 0;
        free = true;
    }
    for (;;) ::pause();
}

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"cancels", &cancels}, {"waits_for_the_guard", &waits_for_the_guard}, {"drains", &drains}, {"second_signal", &second_signal}, {"two_numbers", &two_numbers}, {"another_hangs", &another_hangs},
             {"third_signal", &third_signal}, {"goes_on", &goes_on}, {"raised_to_a_handler", &raised_to_a_handler}, {"own_handling", &own_handling},
             {"ended_in_a_body", &ended_in_a_body}, {"ended_in_a_callback", &ended_in_a_callback}, {"acts_at_the_end", &acts_at_the_end}, {"for_ever", &for_ever}};

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

TEST_CASE("P5: a signal that every thread blocks, and that waited for the guard, closes the pool all the same") {
    const ended process("waits_for_the_guard");
    CHECK(process.exit_code() == -1 - SIGTERM);
    CHECK(process->chains == 1 + queued);
    CHECK(process->by_signal == 1 + queued);
}

TEST_CASE("P5: a guard that drains lets the pool finish") {
    with_workers([](unsigned workers) {
        const ended process("drains", {workers, 0});
        CHECK(process.exit_code() == -1 - SIGTERM);
        CHECK(process->succeeded == workers + queued);
        CHECK(process->by_signal == 0);
    });
}

TEST_CASE("P5: a second signal cancels what is left, and gives up waiting after the budget") {
    for (const unsigned cancels_first : {0u, 1u}) {
        CAPTURE(cancels_first);
        const ended process("second_signal", {1, cancels_first});
        CHECK(process.exit_code() == -1 - SIGTERM);
        CHECK(process->chains == queued);
        CHECK(process.said_on_stderr("never back"));
    }
}

TEST_CASE("P5: of two guarded signals the first is the cause, and is raised again") {
    for (const int first : {SIGTERM, SIGINT}) {
        CAPTURE(first);
        const ended process("two_numbers", {2, static_cast<unsigned>(first)});
        CHECK(process.exit_code() == -1 - first);
        CHECK(process->chains == 2 + queued);
        CHECK(process->by_signal == 2 + queued);
    }
}

TEST_CASE("P5: a body that hangs in another pool keeps the process for the budget only, and stderr names it") {
    const ended process("another_hangs");
    CHECK(process.exit_code() == -1 - SIGTERM);
    CHECK(process->by_signal == 2 + queued);
    CHECK(process->others == 1 + queued);
    CHECK(process.lines_with("hangs elsewhere") == 1);
}

TEST_CASE("P5: a third signal has its default effect at once") {
    const ended process("third_signal");
    CHECK(process.exit_code() == -1 - SIGTERM);
    CHECK(process->sent == 2);
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

TEST_CASE("P5: a guard that acts is destroyed in a body: its pool can be destroyed, and another guard works") {
    with_workers([](unsigned workers) {
        const ended process("ended_in_a_body", {workers, 0});
        CHECK(process.exit_code() == 5);
        CHECK(process->others == 1);
        CHECK(process->by_signal == 2 + queued);
        CHECK(process->went_on == 1);
    });
}

TEST_CASE("P5: a guard that acts is destroyed in a stop callback: it goes on with what it has begun") {
    const ended goes_on("ended_in_a_callback");
    CHECK(goes_on.exit_code() == 5);
    CHECK(goes_on->others == 1);
    CHECK(goes_on->by_signal == 2 * (2 + queued));
    CHECK(goes_on->went_on == 1);

    const ended raises("ended_in_a_callback", {1, 1});
    CHECK(raises.exit_code() == -1 - SIGTERM);
    CHECK(raises->others == 1);
    CHECK(raises->by_signal == 2 + queued);
}

TEST_CASE("P5: a static guard that acts while a body never ends keeps the process for the budget only") {
    for (const unsigned static_pool : {0u, 1u}) {
        CAPTURE(static_pool);
        const ended process("acts_at_the_end", {1, static_pool});
        CHECK(process.exit_code() == 0);
        CHECK(process->chains == queued);
        CHECK(process.lines_with("never back") == 1);
    }
}

TEST_CASE("P5: with a budget without end a second signal cancels what the first one drains, and is acted on once") {
    for (const unsigned is_held_up : {0u, 1u}) {
        CAPTURE(is_held_up);
        const ended process("for_ever", {1, is_held_up});
        CHECK(process.exit_code() == -1 - SIGTERM);
        CHECK(process->others == 1);
        CHECK(process->by_signal == 2 + queued);
    }
}
