// Which pools live: none is forgotten, none that is gone is left. The process's end itself: tests/process/coordinator_test.cpp.
#include "core/sched/living.hpp"

#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace support;
using namespace lastly::detail;

TEST_CASE("living: a pool is in the list from its making to its end, wherever it stands in it") {
    const std::size_t before = living_count();
    for (int gone_first = 0; gone_first < 3; ++gone_first) {
        std::optional<lastly::pool> pools[3];
        for (auto& p : pools) p.emplace(options(1));
        CHECK(living_count() == before + 3);
        for (int i = 0; i < 3; ++i) {
            pools[(gone_first + i) % 3].reset();
            CHECK(living_count() == before + 2 - static_cast<std::size_t>(i));
        }
    }
    CHECK(stage_of_process() == process_stage::living);
}

TEST_CASE("living: a pool that its own task destroys leaves the list, too") {
    const std::size_t before = living_count();
    auto* const pool = new std::optional<lastly::pool>(std::in_place, options(2));
    (*pool)->detach([pool] {
        pool->reset();
        delete pool;
    });
    await([&] { return living_count() == before; });
}
