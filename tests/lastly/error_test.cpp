// Error codes and the exceptions that carry them, as their users meet them.
#include <lastly/error.hpp>

#include <doctest/doctest.h>

#include <ostream>
#include <set>
#include <string>
#include <system_error>
#include <type_traits>

using lastly::errc;

static_assert(std::is_error_code_enum_v<errc>);
static_assert(noexcept(lastly::make_error_code(errc::cancelled)) && noexcept(lastly::category()));
static_assert(std::is_base_of_v<std::system_error, lastly::task_cancelled>);
static_assert(std::is_base_of_v<std::system_error, lastly::task_rejected>);
static_assert(std::is_nothrow_copy_constructible_v<lastly::task_cancelled>);
static_assert(!std::is_convertible_v<std::error_code, lastly::task_cancelled>);

TEST_CASE("errc: a code converts to an error_code of lastly's category") {
    const std::error_code code = errc::pool_full;
    CHECK(code);   // none is zero
    CHECK(&code.category() == &lastly::category());
    CHECK(code.value() == static_cast<int>(errc::pool_full));
    CHECK(code == errc::pool_full);
    CHECK(code != errc::pool_closed);
    CHECK(code != std::error_code(code.value(), std::generic_category()));
}

TEST_CASE("errc: all codes are different") {
    std::set<std::error_code> codes;
    for (const errc e : {errc::cancelled, errc::deadline_exceeded, errc::sibling_failed, errc::pool_shutdown, errc::process_exit,
                         errc::pool_closed, errc::pool_full, errc::discarded, errc::forked, errc::construction_failed,
                         errc::thread_exited}) {
        CHECK(codes.insert(e).second);
    }
    CHECK(codes.size() == 11);
}

TEST_CASE("task_cancelled: it carries the cause, of any category") {
    try {
        throw lastly::task_cancelled(std::make_error_code(std::errc::operation_canceled));
    } catch (const std::system_error& e) {
        CHECK(e.code() == std::errc::operation_canceled);
        CHECK(std::string(e.what()).find("task cancelled") == 0);
    }
}

TEST_CASE("task_rejected: it carries the cause, and says it") {
    const lastly::task_rejected e(errc::pool_closed);
    CHECK(e.code() == errc::pool_closed);
    CHECK(std::string(e.what()) == "task rejected: the pool is closed");
    const lastly::task_rejected copy = e;
    CHECK(copy.code() == e.code());
}
