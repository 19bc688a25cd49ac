// The atomic without default orders: what it is, and what its operations return.
#include <lastly/detail/atomic.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <type_traits>
#include <utility>

using lastly::detail::atomic;
using namespace lastly::detail;

static_assert(std::is_trivially_default_constructible_v<atomic<std::uint64_t>> && std::is_trivially_destructible_v<atomic<std::uint64_t>>);
static_assert(!std::is_copy_constructible_v<atomic<int>> && !std::is_copy_assignable_v<atomic<int>>);
static_assert(!std::is_convertible_v<int, atomic<int>> && !std::is_convertible_v<atomic<int>, int>);
static_assert(sizeof(atomic<std::uint64_t>) == 8 && sizeof(atomic<std::uint32_t>) == 4 && sizeof(atomic<void*>) == sizeof(void*));
static_assert(alignof(atomic<std::uint64_t>) == 8);
static_assert(noexcept(std::declval<atomic<int>&>().load(relaxed)) && noexcept(std::declval<atomic<int>&>().exchange(1, relaxed)));

namespace {

template <class A> concept loads_without_order = requires(A& a) { a.load(); };
template <class A> concept stores_without_order = requires(A& a) { a.store(1); };
static_assert(!loads_without_order<atomic<int>> && !stores_without_order<atomic<int>>);

constinit atomic<int> constant_initialised{7};

}   // namespace

TEST_CASE("atomic: it is constant-initialised where a value is given") { CHECK(constant_initialised.load(relaxed) == 7); }

TEST_CASE("atomic: default construction keeps the bits of a recycled place") {
    alignas(8) unsigned char place[8];
    std::memset(place, 0x21, sizeof place);
    auto* const kept = reinterpret_cast<atomic<std::uint64_t>*>(place);
    CHECK(kept->load(acquire) == 0x2121212121212121u);
}

TEST_CASE("atomic: each operation returns what was there before") {
    atomic<std::uint32_t> a{10};
    CHECK(a.exchange(12, acq_rel) == 10);
    CHECK(a.fetch_add(3, relaxed) == 12);
    CHECK(a.fetch_sub(5, release) == 15);
    CHECK(a.fetch_or(0xf0, acquire) == 10);
    CHECK(a.fetch_and(0xf, seq_cst) == 0xfa);
    CHECK(a.load(seq_cst) == 0xa);
    a.store(1, release);
    CHECK(*a.address() == 1);
}

TEST_CASE("atomic: an exchange that fails tells what is there") {
    atomic<int> a{1};
    int expected = 2;
    CHECK_FALSE(a.compare_exchange_strong(expected, 3, acq_rel, acquire));
    CHECK(expected == 1);
    CHECK(a.compare_exchange_strong(expected, 3, seq_cst, relaxed));
    CHECK(a.load(relaxed) == 3);
    expected = 3;
    while (!a.compare_exchange_weak(expected, 4, release, relaxed)) CHECK(expected == 3);
    CHECK(a.load(relaxed) == 4);
}

TEST_CASE("atomic: it carries pointers") {
    int object = 5;
    atomic<int*> a{nullptr};
    CHECK(a.exchange(&object, release) == nullptr);
    CHECK(*a.load(acquire) == 5);
}

TEST_CASE("atomic: no addition of several threads is lost") {
    atomic<std::uint64_t> sum{0};
    const auto add = [&] { for (int i = 0; i < 50'000; ++i) sum.fetch_add(1, relaxed); };
    std::thread a(add), b(add);
    a.join();
    b.join();
    CHECK(sum.load(relaxed) == 100'000);
}

TEST_CASE("atomic: a release is seen by the acquire that reads it") {
    int letter = 0;   // plain
    atomic<int> flag{0};
    std::thread writer([&] {
        letter = 42;
        flag.store(1, release);
    });
    while (flag.load(acquire) == 0) std::this_thread::yield();
    CHECK(letter == 42);
    writer.join();
}
