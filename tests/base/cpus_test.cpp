// How many CPUs may be used: the affinity mask and the quota files.
#include "core/base/cpus.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <sched.h>
#include <string>
#include <thread>

namespace detail = lastly::detail;

TEST_CASE("quota_of_cpu_max: a quota is rounded up to whole CPUs") {
    CHECK(detail::quota_of_cpu_max("100000 100000\n") == 1);
    CHECK(detail::quota_of_cpu_max("100001 100000") == 2);
    CHECK(detail::quota_of_cpu_max("150000 100000\n") == 2);
    CHECK(detail::quota_of_cpu_max("200000 100000") == 2);
    CHECK(detail::quota_of_cpu_max("800000 100000\n") == 8);
    CHECK(detail::quota_of_cpu_max("5000 100000") == 1);
    CHECK(detail::quota_of_cpu_max("1 100000") == 1);
}

TEST_CASE("quota_of_cpu_max: where none is stated there is none") {
    CHECK(detail::quota_of_cpu_max("max 100000\n") == 0);
    CHECK(detail::quota_of_cpu_max("") == 0);
    CHECK(detail::quota_of_cpu_max("-1 100000") == 0);   // version 1 says it like this
    CHECK(detail::quota_of_cpu_max("0 100000") == 0);
    CHECK(detail::quota_of_cpu_max("100000") == 0);
    CHECK(detail::quota_of_cpu_max("100000 0") == 0);
    CHECK(detail::quota_of_cpu_max("100000 -5") == 0);
    CHECK(detail::quota_of_cpu_max("nonsense") == 0);
}

TEST_CASE("quota_of_cpu_max: a huge one does not overflow") {
    CHECK(detail::quota_of_cpu_max("9223372036854775807 1") == 1u << 20);
    CHECK(detail::quota_of_cpu_max("99999999999999999999999999 100000") == 1u << 20);
}

TEST_CASE("usable_cpus: at least one, and no more than the mask allows") {
    cpu_set_t mask;
    REQUIRE(::sched_getaffinity(0, sizeof mask, &mask) == 0);
    CHECK(detail::usable_cpus() >= 1);
    CHECK(detail::usable_cpus() <= static_cast<unsigned>(CPU_COUNT(&mask)));
}

TEST_CASE("usable_cpus: a thread bound to one CPU has one") {
    unsigned usable = 0;
    bool bound = false;
    std::thread([&] {   // the mask is this thread's own
        cpu_set_t mask, one;
        ::sched_getaffinity(0, sizeof mask, &mask);
        CPU_ZERO(&one);
        for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (!CPU_ISSET(cpu, &mask)) continue;
            CPU_SET(cpu, &one);
            break;
        }
        bound = ::sched_setaffinity(0, sizeof one, &one) == 0;
        usable = detail::usable_cpus();
    }).join();
    REQUIRE(bound);
    CHECK(usable == 1);
}
