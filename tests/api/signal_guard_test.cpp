// What a signal_guard is refused for. What signals do: tests/process/signals_test.cpp. Rule P5.
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>
#include <lastly/signal_guard.hpp>

#include <csignal>
#include <stdexcept>
#include <string>

using namespace support;
using lastly::signal_guard;

namespace {

bool is_installed(int signal, void (*handler)(int)) {
    struct sigaction now{};
    REQUIRE(::sigaction(signal, nullptr, &now) == 0);
    return now.sa_handler == handler;
}

}   // namespace

TEST_CASE("signal_guard: what is no signal is refused by its number, and nothing is installed") {
    lastly::pool pool(options(1));
    for (const int wrong : {0, -1, 65, SIGKILL, SIGSTOP}) {
        CAPTURE(wrong);
        try {
            const signal_guard guard(pool, {.signals = {SIGUSR2, wrong}});
            FAIL("a guard was made");
        } catch (const std::invalid_argument& e) {
            CHECK(std::string(e.what()).find(std::to_string(wrong)) != std::string::npos);
        }
        CHECK(is_installed(SIGUSR2, SIG_DFL));
    }
    const signal_guard guard(pool);   // none was left behind
}

TEST_CASE("signal_guard: a cause of signal_category names its signal") {
    const std::error_code cause(SIGTERM, lastly::signal_category());
    CHECK(std::string(cause.category().name()) == "signal");
    CHECK(cause.message() == "SIGTERM (Terminated)");
}
