// The category's compiled half: its name and its words.
#include "lastly/error.hpp"

#include <doctest/doctest.h>

#include <ostream>
#include <set>
#include <string>

using lastly::errc;

TEST_CASE("category: its name is lastly, and it is one") {
    CHECK(std::string(lastly::category().name()) == "lastly");
    CHECK(&lastly::category() == &lastly::category());
    CHECK(lastly::category() != std::generic_category());
}

TEST_CASE("category: every code has words of its own") {
    std::set<std::string> words;
    for (int value = static_cast<int>(errc::cancelled); value <= static_cast<int>(errc::thread_exited); ++value) {
        const std::string text = lastly::category().message(value);
        CHECK(text.find("unknown") == std::string::npos);
        CHECK(words.insert(text).second);
    }
    CHECK(words.size() == 11);
    CHECK(make_error_code(errc::deadline_exceeded).message() == "deadline exceeded");
    CHECK(make_error_code(errc::pool_full).message() == "the pool is full");
    CHECK(make_error_code(errc::forked).message() == "the pool belongs to the parent of this forked process");
}

TEST_CASE("category: a number that is no code of it is called unknown") {
    CHECK(lastly::category().message(0) == "unknown lastly error 0");
    CHECK(lastly::category().message(-3) == "unknown lastly error -3");
    CHECK(lastly::category().message(static_cast<int>(errc::thread_exited) + 1) == "unknown lastly error 12");
}

TEST_CASE("exceptions: they say what they are, and why") {
    CHECK(std::string(lastly::task_cancelled(errc::cancelled).what()) == "task cancelled: cancelled");
    CHECK(std::string(lastly::task_rejected(errc::pool_full).what()) == "task rejected: the pool is full");
    CHECK(std::string(lastly::task_rejected(std::make_error_code(std::errc::not_enough_memory)).what()).find("task rejected: ") == 0);
}
