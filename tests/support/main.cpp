// The test program's entry: doctest's runner, with a planted fault if LASTLY_FAULT names one, and threads held up at test points by the seed
// that LASTLY_CHAOS is.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <lastly/detail/fault.hpp>

#include "core/base/test_point.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

// Null: it is not set. Ends the program if the library cannot do what it asks for.
const char* ask_for(const char* variable) {
    const char* const value = std::getenv(variable);
    if (value != nullptr && !lastly::detail::built_with_faults()) {
        std::fprintf(stderr, "%s=%s, but the library was built without faults; configure with -DLASTLY_FAULTS=ON\n", variable, value);
        std::exit(2);
    }
    return value;
}

std::uint64_t seed_from(const char* text) {
    char* end = nullptr;
    const std::uint64_t seed = std::strtoull(text, &end, 0);
    if (end == text || *end != '\0') {
        std::fprintf(stderr, "LASTLY_CHAOS=%s is no number; give a seed, such as 17 or 0x5eed\n", text);
        std::exit(2);
    }
    return seed;
}

}   // namespace

int main(int argc, char** argv) {
    if (const char* const fault = ask_for("LASTLY_FAULT")) lastly::detail::activate_fault(fault);
    if (const char* const seed = ask_for("LASTLY_CHAOS")) lastly::detail::set_chaos(seed_from(seed));
    return doctest::Context(argc, argv).run();
}
