// A counter has one writer; a reader of the count sees what was done before counting.
#include "core/structures/counter.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>

namespace detail = lastly::detail;

TEST_CASE("counter: it begins at zero and sums what was added") {
    detail::counter c;
    CHECK(c.read() == 0);
    c.add();
    c.add(41);
    CHECK(c.read() == 42);
    c.add(0);
    CHECK(c.read() == 42);
}

TEST_CASE("counter: an announcement counts one") {
    detail::counter c;
    c.announce();
    c.add(2);
    c.announce();
    CHECK(c.read() == 4);
}

TEST_CASE("counter: it wraps around without losing a count") {
    detail::counter c;
    c.add(std::numeric_limits<std::uint64_t>::max() - 2);
    for (int i = 0; i < 5; ++i) c.add();
    CHECK(c.read() == 2);
}

TEST_CASE("counter: a reader that sees a count sees what the writer did before") {
    constexpr std::uint64_t steps = 50'000;
    const auto done = std::make_unique<std::array<std::uint64_t, steps + 1>>();   // plain: a data race would be told
    detail::counter c;
    std::thread writer([&] {
        for (std::uint64_t i = 1; i <= steps; ++i) {
            (*done)[i] = i * 3;
            if (i % 2 == 0) c.add();
            else c.announce();
        }
    });
    std::uint64_t seen = 0, wrong = 0, backwards = 0;
    while (seen < steps) {
        const std::uint64_t now = c.read();
        if (now < seen) ++backwards;
        seen = now;
        if (seen != 0 && (*done)[seen] != seen * 3) ++wrong;
    }
    writer.join();
    CHECK(wrong == 0);
    CHECK(backwards == 0);
}
