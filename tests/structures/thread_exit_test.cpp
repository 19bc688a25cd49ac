// What a thread leaves behind: its cached blocks go to the depot, after its own destructors.
#include "core/structures/thread_exit.hpp"

#include "core/structures/frame_store.hpp"
#include "lastly/detail/thread_block.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace detail = lastly::detail;
using detail::block_kind;

namespace {

std::atomic<int> exits{0};
std::atomic<int> destroyed{0};
std::atomic<int> exits_before_destructors{0};

void note_exit() {
    if (destroyed.load() == 0) ++exits_before_destructors;
    ++exits;
}

struct uses_the_store_when_destroyed {
    bool armed = false;
    ~uses_the_store_when_destroyed() {
        if (!armed) return;
        void* const block = detail::allocate_block({block_kind::node, 64});
        if (block != nullptr) detail::release_block({block_kind::node, 64}, block);
        ++destroyed;
    }
};
thread_local uses_the_store_when_destroyed late_user;

// Sets the account's part for one test. Pools set their own again when they are used.
class account_exit {
public:
    explicit account_exit(void (*call)()) {
        exits = 0;
        destroyed = 0;
        exits_before_destructors = 0;
        detail::set_account_exit(call);
    }
    ~account_exit() { detail::set_account_exit(nullptr); }
    account_exit(const account_exit&) = delete;
    account_exit& operator=(const account_exit&) = delete;
};

}   // namespace

TEST_CASE("thread_exit: the call at a thread's end is armed once") {
    const account_exit noted(&note_exit);
    bool first = false, second = false, shown = false, shown_before = true;
    std::thread([&] {
        shown_before = detail::this_thread.exit_armed;
        first = detail::arm_thread_exit();
        second = detail::arm_thread_exit();
        shown = detail::this_thread.exit_armed;
    }).join();
    CHECK_FALSE(shown_before);
    CHECK(first);
    CHECK(second);
    CHECK(shown);
    CHECK(exits.load() == 1);
}

TEST_CASE("thread_exit: a thread that never used the library leaves nothing") {
    const account_exit noted(&note_exit);
    std::thread([] {}).join();
    CHECK(exits.load() == 0);
}

TEST_CASE("thread_exit: the first block arms the call") {
    const account_exit noted(&note_exit);
    std::thread([] {
        void* const block = detail::allocate_block({block_kind::node, 64});
        detail::release_block({block_kind::node, 64}, block);
    }).join();
    CHECK(exits.load() == 1);
}

TEST_CASE("thread_exit: the call comes after the thread's own destructors, which may use the library") {
    const account_exit noted(&note_exit);
    std::thread([] {
        late_user.armed = true;
        detail::arm_thread_exit();
    }).join();
    CHECK(destroyed.load() == 1);
    CHECK(exits.load() == 1);
    CHECK(exits_before_destructors.load() == 0);
}

TEST_CASE("thread_exit: a call that uses the library again is followed by another one") {
    const account_exit noted([] {
        note_exit();
        if (exits.load() == 1) detail::arm_thread_exit();
    });
    std::thread([] { detail::arm_thread_exit(); }).join();
    CHECK(exits.load() == 2);
}

TEST_CASE("thread_exit: no call is made where none is set") {
    const account_exit none(nullptr);
    bool armed = false;
    std::thread([&] { armed = detail::arm_thread_exit(); }).join();
    CHECK(armed);
    CHECK(exits.load() == 0);
}

TEST_CASE("thread_exit: what a thread had cached is there for the next one") {
    void* block = nullptr;
    bool found = false;
    std::thread([&] {
        block = detail::allocate_block({block_kind::node, 896});
        detail::release_block({block_kind::node, 896}, block);
    }).join();
    std::thread([&] {
        std::vector<void*> held;
        for (int i = 0; i < 500 && !found; ++i) {
            held.push_back(detail::allocate_block({block_kind::node, 896}));
            found = held.back() == block;
        }
        for (void* const b : held) detail::release_block({block_kind::node, 896}, b);
    }).join();
    CHECK(found);
}
