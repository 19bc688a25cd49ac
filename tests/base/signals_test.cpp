// Signal dispositions: what was installed comes back, and what is no signal is refused.
#include "core/base/signals.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>

using namespace lastly::detail;

namespace {

std::atomic<int> by_user{0}, by_mine{0}, sent{0};

void user_handler(int) { ++by_user; }
void my_handler(int, siginfo_t* info, void*) {
    ++by_mine;
    sent += was_sent(*info) ? 1 : 0;
}

}   // namespace

TEST_CASE("signals: a handler is installed, and what was there before comes back") {
    by_user = by_mine = sent = 0;
    std::signal(SIGUSR1, &user_handler);
    static dispositions d;
    CHECK_FALSE(d.has(SIGUSR1));
    REQUIRE_FALSE(static_cast<bool>(d.install(SIGUSR1, &my_handler, false)));
    CHECK(d.has(SIGUSR1));
    raise_in_process(SIGUSR1);
    CHECK(by_mine == 1);
    CHECK(sent == 1);
    d.restore(SIGUSR1);
    d.restore(SIGUSR1);   // once is enough
    raise_here(SIGUSR1);
    CHECK(by_mine == 1);
    CHECK(by_user == 1);
    std::signal(SIGUSR1, SIG_DFL);
}

TEST_CASE("signals: a number that is no signal, and one that cannot be handled, are refused") {
    static dispositions d;
    CHECK((d.install(0, &my_handler, false) == std::errc::invalid_argument));
    CHECK((d.install(65, &my_handler, false) == std::errc::invalid_argument));
    CHECK((d.install(SIGKILL, &my_handler, false) == std::errc::invalid_argument));
    CHECK_FALSE(d.has(SIGKILL));
}
