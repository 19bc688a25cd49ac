// The planted faults' switch, as templates see it.
#include <lastly/detail/fault.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

using lastly::detail::fault_id;

static_assert(fault_id("O3") == fault_id("O3") && fault_id("O3") != fault_id("O2") && fault_id("ab") != fault_id("ba"));
static_assert(fault_id("") != 0 && fault_id("O2") != fault_id("O2-lifo"));
static_assert(noexcept(lastly::detail::fault_active(1)) && noexcept(lastly::detail::activate_fault("x")) && noexcept(lastly::detail::any_fault_active()));

TEST_CASE("fault: the names in use have ids of their own, none of them zero") {
    std::set<std::uint64_t> ids{0};
    for (const char* const name : {"A1", "A2", "A4", "A5", "A6", "C1", "C2", "C4", "E1", "E2", "E4", "E5", "G1", "G2", "G3", "G3-profile", "L1-accepted",
                                   "L1-attempts", "L1-rejected", "L2-cancelled", "L2-failed", "L2-succeeded", "L3-attached", "L3-returned",
                                   "L3-run", "L3-thrown", "L4-retired", "O2", "O2-lifo", "O3", "O4", "O7", "S1", "S3", "W1", "W4", "W4-idle",
                                   "W5", "deque-full", "deque-last-item", "queue-full", "recheck-injector"}) {
        CHECK(ids.insert(fault_id(name)).second);
    }
}

TEST_CASE("fault: a place is broken only in a build with faults, and only while its own is active") {
    CHECK_FALSE(LASTLY_FAULT("test-only"));
    lastly::detail::activate_fault("test-only");
    CHECK(LASTLY_FAULT("test-only") == lastly::detail::built_with_faults());
    CHECK_FALSE(LASTLY_FAULT("test-other"));
    lastly::detail::activate_fault(nullptr);
    CHECK_FALSE(LASTLY_FAULT("test-only"));
    lastly::detail::activate_fault(std::getenv("LASTLY_FAULT"));   // the one that the whole run is under, if there is one
}
