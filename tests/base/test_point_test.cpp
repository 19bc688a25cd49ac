// Test points: threads are held up there while a seed says so, and only in builds that have them.
#include "core/base/test_point.hpp"

#include <doctest/doctest.h>

namespace detail = lastly::detail;

namespace {

std::uint64_t held_up_in(std::uint64_t seed, int visits) {
    detail::set_chaos(seed);
    for (int i = 0; i < visits; ++i) {
        LASTLY_POINT("test-a");
        LASTLY_POINT("test-b");
        LASTLY_POINT("test-c");
        LASTLY_POINT("test-d");
    }
    const std::uint64_t times = detail::held_up();
    detail::set_chaos(0);
    return times;
}

}   // namespace

TEST_CASE("test_point: nobody is held up without a seed") { CHECK(held_up_in(0, 1000) == 0); }

TEST_CASE("test_point: with a seed threads are held up now and then and where there are test points") {
    const std::uint64_t times = held_up_in(7, 1000);
    if (detail::built_with_faults()) {
        CHECK(times > 0);
        CHECK(times < 4000);
    } else {
        CHECK(times == 0);
    }
}

TEST_CASE("test_point: another seed holds up at other places") {
    if (!detail::built_with_faults()) return;
    bool differs = false;
    const std::uint64_t first = held_up_in(1, 2000);
    for (std::uint64_t seed = 2; seed < 12; ++seed) differs = differs || held_up_in(seed, 2000) > 2 * first || held_up_in(seed, 2000) * 2 < first;
    CHECK(differs);
}
