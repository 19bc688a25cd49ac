// The test program's entry: doctest's runner, with a planted fault if LASTLY_FAULT names one, with threads held up at test points if LASTLY_CHAOS is a seed.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <lastly/detail/fault.hpp>

#include "core/base/test_point.hpp"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    if (const char* const fault = std::getenv("LASTLY_FAULT")) {
        if (!lastly::detail::built_with_faults()) {
            std::fprintf(stderr, "LASTLY_FAULT=%s, but the library was built without faults; configure with -DLASTLY_FAULTS=ON\n", fault);
            return 2;
        }
        lastly::detail::activate_fault(fault);
    }
    if (const char* const seed = std::getenv("LASTLY_CHAOS")) {
        if (!lastly::detail::built_with_faults()) {
            std::fprintf(stderr, "LASTLY_CHAOS=%s, but the library was built without test points; configure with -DLASTLY_FAULTS=ON\n", seed);
            return 2;
        }
        lastly::detail::set_chaos(std::strtoull(seed, nullptr, 0));
    }
    return doctest::Context(argc, argv).run();
}
