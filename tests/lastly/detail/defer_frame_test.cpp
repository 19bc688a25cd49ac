// defer_frame's typed half: what it takes, where it stores it, what happens when it cannot.
#include <lastly/detail/defer_frame.hpp>

#include "../check_pool.hpp"
#include "core/structures/slab.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <pthread.h>

using lastly::defer_frame;
using lastly::task_context;
namespace this_task = lastly::this_task;
namespace detail = lastly::detail;

namespace {

struct throws_when_copied {
    throws_when_copied() = default;
    throws_when_copied(const throws_when_copied&) { throw std::runtime_error("copy"); }
};

template <class T> concept can_be_made_on_the_heap = requires(task_context& t) { new T(t); };
static_assert(!can_be_made_on_the_heap<defer_frame>);
static_assert(!std::is_copy_constructible_v<defer_frame> && !std::is_move_constructible_v<defer_frame>);
static_assert(!std::is_copy_assignable_v<defer_frame> && !std::is_move_assignable_v<defer_frame>);
static_assert(!std::is_nothrow_destructible_v<defer_frame>, "a finalizer of its may leave the thread (P4)");
static_assert(!std::is_convertible_v<task_context&, defer_frame>);

// Where its copy in the chain lay when it was called.
template <std::size_t Bytes>
struct tells_its_place {
    const void** place;
    std::array<char, Bytes> padding{};
    void operator()() const { *place = this; }
};

bool lies_in(const void* place, std::uintptr_t frame) {
    const auto at = reinterpret_cast<std::uintptr_t>(place);
    return at >= frame && at < frame + sizeof(defer_frame);
}

}   // namespace

TEST_CASE("defer_frame: arguments are taken at the call, std::ref asks for a reference") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string told;
        const std::string text = "const";
        pool->run([&](task_context& t) {
            int number = 1;
            defer_frame frame(t);
            frame.defer([&](int n, const int& r) { told += std::to_string(n) + std::to_string(r); }, number, std::ref(number));
            frame.defer([&](std::string&& s) { told += s; }, text);
            frame.defer([&](std::unique_ptr<int> p) { told += std::to_string(*p); }, std::make_unique<int>(7));
            const auto counts = [&, n = 0]() mutable { told += std::to_string(++n); };
            frame.defer(counts);
            number = 2;
        });
        CHECK(told == "17const12");
    }
}

TEST_CASE("defer_frame: two small callables lie in the object, others in the store; all run and are destroyed before the block ends") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        const void* places[4] = {};
        pool->run([&](task_context& t) {
            const auto kept = std::make_shared<int>(1);
            std::uintptr_t where = 0;
            {
                defer_frame frame(t);
                where = reinterpret_cast<std::uintptr_t>(&frame);
                frame.defer(tells_its_place<24>{&places[0]});
                frame.defer(tells_its_place<24>{&places[1]});
                frame.defer(tells_its_place<24>{&places[2]});
                frame.defer(tells_its_place<500>{&places[3]});
                frame.defer([kept] {});
                CHECK(kept.use_count() == 2);
            }
            CHECK(kept.use_count() == 1);
            for (int i = 0; i < 4; ++i) {
                CAPTURE(i);
                CHECK(places[i] != nullptr);
                CHECK(lies_in(places[i], where) == (i < 2));
            }
        });
    }
}

TEST_CASE("defer_frame: parts aligned to a cache line and beyond lie aligned") {
    struct alignas(128) aligned { char c = 'x'; };
    checked_pool pool(1);
    int ran = 0;
    pool->run([&](task_context& t) {
        defer_frame frame(t);
        frame.defer([&](const aligned& a) { ran += reinterpret_cast<std::uintptr_t>(&a) % 128 == 0 && a.c == 'x' ? 1 : 100; }, aligned());
    });
    CHECK(ran == 1);
}

TEST_CASE("A3: without memory a block's finalizer runs at once, and the call throws") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string told;
        pool->run([&](task_context& t) {
            defer_frame frame(t);
            const std::array<char, 20 << 10> large{};
            frame.defer([&] { told += " later"; });
            detail::fail_slabs(1);
            CHECK_THROWS_AS(frame.defer([&told, large] { told += large[0] == 0 && this_task::finalizing() ? "now" : "?"; }), std::bad_alloc);
            detail::fail_slabs(0);
            told += " body";
        });
        CHECK(told == "now body later");
        CHECK(pool->ledger().finalizers_run == 2);
    }
}

TEST_CASE("A3: a block's finalizer that runs at once and throws is told and counted, and the body goes on") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        const throws_when_copied own;
        auto h = pool->submit([&](task_context& t) {
            defer_frame frame(t);
            CHECK(message_of<std::runtime_error>([&] {
                      frame.defer([](const throws_when_copied&) { throw std::logic_error("at once"); }, own);
                  }) == "copy");
            return 3;
        });
        CHECK(h.get() == 3);   // a block's finalizers leave the outcome to the body
        REQUIRE(pool.reports().size() == 1);
        CHECK(pool.reports()[0].what == "at once");
        CHECK(pool->ledger().finalizers_thrown == 1);
    }
}

TEST_CASE("O6: within a catch a block's finalizers see what was caught") {
    checked_pool pool(1);
    int seen = 0;
    pool->run([&](task_context& t) {
        try {
            throw 1;
        } catch (...) {
            defer_frame block(t);
            block.defer([&] {
                try {
                    throw;
                } catch (int caught) {
                    seen = caught;
                }
            });
        }
    });
    CHECK(seen == 1);
}
