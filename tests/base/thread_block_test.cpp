// The thread block's storage: each thread has its own, and it begins empty.
#include "lastly/detail/thread_block.hpp"

#include "core/structures/frame_store.hpp"

#include <doctest/doctest.h>

#include <thread>

namespace detail = lastly::detail;

TEST_CASE("thread_block: a new thread's block is empty") {
    detail::thread_block seen;
    seen.pool_serial = 1;
    std::thread([&] { seen = detail::this_thread; }).join();
    CHECK(seen.current == nullptr);
    CHECK(seen.frames == nullptr);
    CHECK(seen.home == nullptr);
    CHECK(seen.self == nullptr);
    CHECK(seen.pool_serial == 0);
    CHECK(seen.books == nullptr);
    CHECK(seen.all_books == nullptr);
    CHECK_FALSE(seen.exit_armed);
}

TEST_CASE("thread_block: each thread has its own, and its cache is made at the first block") {
    const detail::thread_block* mine = &detail::this_thread;
    const detail::thread_block* theirs = nullptr;
    bool none_before = false, made = false, gone = false;
    std::thread([&] {
        theirs = &detail::this_thread;
        none_before = detail::this_thread.frames == nullptr;
        void* const block = detail::allocate_block({detail::block_kind::node, 64});
        made = detail::this_thread.frames != nullptr && detail::this_thread.exit_armed;
        detail::release_block({detail::block_kind::node, 64}, block);
        detail::flush_thread_cache();
        gone = detail::this_thread.frames == nullptr;
    }).join();
    CHECK(mine != theirs);
    CHECK(none_before);
    CHECK(made);
    CHECK(gone);
}
