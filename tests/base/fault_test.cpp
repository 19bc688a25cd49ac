// Which planted fault is active: one at a time.
#include "lastly/detail/fault.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <thread>

namespace detail = lastly::detail;

namespace {

// The fault that the whole run is under, if there is one, is active again afterwards.
struct restored_fault {
    ~restored_fault() { detail::activate_fault(std::getenv("LASTLY_FAULT")); }
};

}   // namespace

TEST_CASE("fault: none is active unless a name was given") {
    const restored_fault afterwards;
    detail::activate_fault(nullptr);
    CHECK_FALSE(detail::fault_active(detail::fault_id("test-one")));
    CHECK_FALSE(detail::any_fault_active());
    detail::activate_fault("test-one");
    CHECK(detail::fault_active(detail::fault_id("test-one")));
    CHECK_FALSE(detail::fault_active(detail::fault_id("test-two")));
    CHECK(detail::any_fault_active());
}

TEST_CASE("fault: a later one takes the place of the one before") {
    const restored_fault afterwards;
    detail::activate_fault("test-one");
    detail::activate_fault("test-two");
    CHECK_FALSE(detail::fault_active(detail::fault_id("test-one")));
    CHECK(detail::fault_active(detail::fault_id("test-two")));
    detail::activate_fault(nullptr);
    CHECK_FALSE(detail::fault_active(detail::fault_id("test-two")));
}

TEST_CASE("fault: every thread sees the same one") {
    const restored_fault afterwards;
    detail::activate_fault("test-one");
    bool seen = false;
    std::thread([&] { seen = detail::fault_active(detail::fault_id("test-one")); }).join();
    CHECK(seen);
}
