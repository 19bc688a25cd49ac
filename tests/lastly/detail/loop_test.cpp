// Which bounds a loop takes, and into how many chunks it is cut. Rule B3.
#include <lastly/detail/loop.hpp>
#include <lastly/parallel.hpp>

#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
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

TEST_CASE("B3: a chunk that throws on a thief, and one that throws on its caller") {
    lastly::pool pool(options(2));
    for (int round = 0; round < 50; ++round) {
        for (const int failing : {0, 1}) {
            std::string what;
            pool.run([&] {
                std::latch both(2);
                unsigned char dirt[4096];
                std::fill(std::begin(dirt), std::end(dirt), static_cast<unsigned char>(0xa5 + round));   // what lies on the stack afterwards is no null
                lastly::detail::keeps_value<int>(dirt[static_cast<std::size_t>(round)]);
                try {
                    lastly::parallel_for(pool, 0, 2, [&](int i) {
                        both.arrive_and_wait();   // so that each has its thread
                        if (i == failing) throw std::runtime_error(std::to_string(i));
                    }, 1);
                } catch (const std::runtime_error& e) {
                    what = e.what();
                }
            });
            CHECK(what == std::to_string(failing));
        }
    }
    check_end(pool);
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
