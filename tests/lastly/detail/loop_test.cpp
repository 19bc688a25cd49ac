// Which bounds a loop takes, and into how many chunks it is cut. Rule B3.
#include <lastly/detail/loop.hpp>
#include <lastly/parallel.hpp>

#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <set>
#include <utility>

using namespace support;
namespace detail = lastly::detail;

TEST_CASE("loop: a bound fits a type that holds its value") {
    CHECK(detail::keeps_value<unsigned>(0));
    CHECK(detail::keeps_value<unsigned>(5L));
    CHECK_FALSE(detail::keeps_value<unsigned>(-1));
    CHECK_FALSE(detail::keeps_value<int>(std::numeric_limits<unsigned>::max()));
    CHECK_FALSE(detail::keeps_value<std::uint32_t>(std::int64_t{1} << 32));
    CHECK_FALSE(detail::keeps_value<std::int64_t>(std::numeric_limits<std::uint64_t>::max()));
    CHECK(detail::keeps_value<std::int64_t>(std::numeric_limits<std::int32_t>::min()));
}

namespace {

// Where chunks begin: the finalizer of a chunk runs once.
std::size_t chunks(lastly::pool& pool, int n, std::size_t grain) {
    std::set<std::pair<std::thread::id, int>> ends;
    std::mutex m;
    pool.run([&] {
        std::atomic<int> runs{0};
        lastly::parallel_for(pool, 0, n, [&](int i, lastly::task_context& t) {
            t.defer([&, i] {
                const std::lock_guard lock(m);
                ends.insert({std::this_thread::get_id(), i});
            });
            ++runs;
        }, grain);
        CHECK(runs == n);
    });
    return ends.size();
}

}   // namespace

TEST_CASE("loop: its values and their finalizers come once, in chunks of the grain") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        for (const std::size_t grain : {1u, 3u, 10u, 0u}) CHECK(chunks(pool, 10, grain) == 10);
        std::atomic<int> largest{0};
        pool.run([&] {
            lastly::parallel_for(pool, 0, 100, [&](int i) {
                static thread_local int length = 0, last = -2;
                length = i == last + 1 && i % 7 != 0 ? length + 1 : 1;
                last = i;
                int now = largest.load();
                while (now < length && !largest.compare_exchange_weak(now, length)) {}
            }, 7);
        });
        CHECK(largest == 7);
        check_end(pool);
    });
}
