// The public face of signal_guard: its errors, and what its end leaves. What signals do: tests/process/signals_test.cpp. Rule P5.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>
#include <lastly/signal_guard.hpp>

#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>

using namespace support;
using lastly::signal_guard;

namespace {

void handler(int) {}

bool is_installed(int signal, void (*handler)(int)) {
    struct sigaction now{};
    REQUIRE(::sigaction(signal, nullptr, &now) == 0);
    return now.sa_handler == handler;
}

}   // namespace

TEST_CASE("signal_guard: its end restores what was installed before") {
    std::signal(SIGUSR2, &handler);
    lastly::pool pool(options(1));
    for (int i = 0; i < 2; ++i) {
        const signal_guard guard(pool, {.signals = {SIGUSR2}});
        CHECK_FALSE(is_installed(SIGUSR2, &handler));
    }
    CHECK(is_installed(SIGUSR2, &handler));
    std::signal(SIGUSR2, SIG_DFL);
}

TEST_CASE("signal_guard: two at once are refused, and the first is not disturbed") {
    lastly::pool pool(options(1));
    std::optional<signal_guard> first(std::in_place, pool, lastly::signal_options{.signals = {SIGUSR2}});
    try {
        const signal_guard second(pool, {.signals = {SIGUSR1}});
        FAIL("a second guard was made");
    } catch (const std::system_error& e) {
        CHECK(e.code() == std::errc::device_or_resource_busy);
        CHECK(std::string(e.what()).find("signal_guard") != std::string::npos);
    }
    CHECK_FALSE(is_installed(SIGUSR2, SIG_DFL));
    CHECK(is_installed(SIGUSR1, SIG_DFL));
    first.reset();
    const signal_guard another(pool, {.signals = {SIGUSR1}});
}

TEST_CASE("signal_guard: one that ends inside a task, of whatever pool, is over, and the next one may come") {
    std::signal(SIGUSR2, &handler);
    lastly::pool outer(options(1));
    for (int i = 0; i < 3; ++i) {
        outer.run([] {
            lastly::pool inner(options(1));
            const signal_guard guard(inner, {.signals = {SIGUSR2}});
            CHECK_FALSE(is_installed(SIGUSR2, &handler));
        });
        CHECK(is_installed(SIGUSR2, &handler));
    }
    std::signal(SIGUSR2, SIG_DFL);
}
