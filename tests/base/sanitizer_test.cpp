// Whether the thread sanitizer watches: asked of its runtime, which is in this program or is not.
#include "core/base/sanitizer.hpp"

#include <doctest/doctest.h>

#include <dlfcn.h>

TEST_CASE("sanitizer: a build knows whether the thread sanitizer watches it") {
    CHECK(lastly::base::thread_sanitizer == (dlsym(RTLD_DEFAULT, "__tsan_init") != nullptr));
}
