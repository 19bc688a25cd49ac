// What the library keeps for a thread, as its users' threads find it.
#include <lastly/detail/thread_block.hpp>

#include "../check_pool.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <type_traits>

using lastly::detail::this_thread;
using lastly::detail::thread_block;

static_assert(std::is_aggregate_v<thread_block> && std::is_trivially_destructible_v<thread_block>);

TEST_CASE("thread_block: a task sees its worker's block, and leaves it as it was") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        const bool filled = pool->run([] {
            return this_thread.current != nullptr && this_thread.home != nullptr && this_thread.self != nullptr && this_thread.books != nullptr;
        });
        CHECK(filled);
        CHECK(this_thread.current == nullptr);
        CHECK(this_thread.home == nullptr);
        CHECK(this_thread.self == nullptr);
    }
}

TEST_CASE("thread_block: a submitter's books are cached for the pool it used last") {
    std::thread([] {
        checked_pool first(1), second(1);
        first->run([] {});
        const auto serial = this_thread.pool_serial;
        auto* const books = this_thread.books;
        second->run([] {});
        CHECK(this_thread.pool_serial != serial);
        CHECK(this_thread.books != books);
        first->run([] {});
        CHECK(this_thread.pool_serial == serial);
        CHECK(this_thread.books == books);
    }).join();
}
