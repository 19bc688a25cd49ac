// The outcome's compiled half: the error that is none.
#include "lastly/outcome.hpp"

#include <doctest/doctest.h>

#include <exception>

using writer = lastly::detail::outcome_access;

TEST_CASE("outcome: where there is no error, a reference to none that outlives the outcome is returned") {
    const std::exception_ptr* none = nullptr;
    {
        writer::on_stack<void> o;
        writer::cancel(o.value, lastly::errc::cancelled);
        none = &o.value.error();
        CHECK(*none == nullptr);
    }
    CHECK(*none == nullptr);
    writer::on_stack<int> other;
    writer::reject(other.value, lastly::errc::pool_full);
    CHECK(&other.value.error() == none);
}
