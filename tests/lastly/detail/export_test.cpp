// The export mark: it may stand on classes, functions and function pointers' tables, and changes no type.
#include <lastly/detail/export.hpp>

#include <lastly/error.hpp>

#include <doctest/doctest.h>

#include <type_traits>

namespace {
struct unmarked { int value; };
}
namespace lastly_export_test {
struct LASTLY_EXPORT marked { int value; };
LASTLY_EXPORT int marked_function(int n);
int marked_function(int n) { return n + 1; }
}

static_assert(sizeof(lastly_export_test::marked) == sizeof(unmarked));
static_assert(std::is_same_v<decltype(&lastly_export_test::marked_function), int (*)(int)>);

TEST_CASE("export: a marked function is called like any other") { CHECK(lastly_export_test::marked_function(1) == 2); }

TEST_CASE("export: an exception of the library is caught by its own type and by its base") {
    CHECK_THROWS_AS(throw lastly::task_cancelled(lastly::errc::cancelled), lastly::task_cancelled);
    CHECK_THROWS_AS(throw lastly::task_rejected(lastly::errc::cancelled), std::system_error);
}
