// The parts of a deferred finalizer: which calls are valid, where the parts come from when it runs at once (A3), and E4 for those.
#include <lastly/detail/deferral.hpp>

#include "../check_pool.hpp"
#include "core/structures/slab.hpp"

#include <doctest/doctest.h>

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using lastly::outcome;
using lastly::report_kind;
using lastly::task_context;
namespace this_task = lastly::this_task;
namespace detail = lastly::detail;

namespace {

struct throws_when_copied {
    throws_when_copied() = default;
    throws_when_copied(const throws_when_copied&) { throw std::runtime_error("copy"); }
};

// Throws at the n-th copy or move from now; 0: never.
struct fragile {
    static inline int countdown = 0;
    int value = 7;
    fragile() = default;
    explicit fragile(int v) : value(v) {}
    fragile(const fragile& other) : value(other.value) { touch(); }
    fragile(fragile&& other) : value(other.value) {   // NOLINT: may throw on purpose
        touch();
        other.value = 0;
    }
    static void touch() {
        if (countdown != 0 && --countdown == 0) throw std::runtime_error("fragile");
    }
};

// Defers without memory for a node: it is too large for a cached block.
template <class... Parts>
void defer_without_memory(task_context& t, Parts&&... parts) {
    detail::fail_slabs(1);
    CHECK_THROWS_AS(t.defer(std::forward<Parts>(parts)...), std::bad_alloc);
    detail::fail_slabs(0);
}

template <class Body>
void in_a_task(Body body) {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        pool->run([&](task_context& t) { body(t); });
    }
}

}   // namespace

TEST_CASE("deferral: whatever is callable from the stored parts can be deferred") {
    int calls = 0;
    const std::string text = "text";
    const std::vector<int> numbers{1, 2};
    in_a_task([&](task_context& t) {
        calls = 0;
        const auto counting = [&calls, n = 0]() mutable { calls += ++n; };
        t.defer(counting);
        t.defer(std::move(counting));
        t.defer([&](std::string&& s) { calls += s == "text" ? 1 : 100; }, text);
        t.defer([&](std::string& s) { s += '!'; calls += s == "text!" ? 1 : 100; }, text);
        t.defer([&](auto& v) { v.push_back(3); ++calls; }, numbers);
        t.defer([&](auto&& v) { v.push_back(3); ++calls; }, numbers);
        t.defer([&](auto&& s) { const std::unique_ptr<int> p = std::forward<decltype(s)>(s); ++calls; }, std::make_unique<int>(1));
        t.defer([&](std::string s) { calls += s.size() == 4 ? 1 : 100; }, std::move(text));   // a const rvalue
        t.defer([&](const outcome&, std::string&& s) { calls += s == "text" ? 1 : 100; }, text);
        t.defer([&](const outcome&, auto& s) { s.clear(); ++calls; }, text);
        t.defer([&](const char* s) { calls += *s == 'a' ? 1 : 100; }, "array");
        struct parts { int n = 1; int get() { return ++n; } };
        const parts whole;
        t.defer(&parts::get, whole);
        t.defer(&parts::n, whole);
        t.defer(std::bind([&](int n) { calls += n; }, 1));
        CHECK(calls == 0);
    });
    CHECK(calls == 12);
    CHECK(text == "text");
    CHECK(numbers.size() == 2);
}

TEST_CASE("A3: what fits only as a copy runs at once from a copy on the stack") {
    const std::string text = "text";
    const std::vector<int> numbers{1, 2};
    in_a_task([&](task_context& t) {
        int calls = 0, state = 0;
        const std::array<char, 20 << 10> large{};
        const auto counting = [&calls, &state, n = 0, large]() mutable { calls += large[0] + 1; state = ++n; };
        defer_without_memory(t, counting);
        defer_without_memory(t, counting);
        CHECK(calls == 2);
        CHECK(state == 1);   // each call had its own copy
        defer_without_memory(t, [&](const auto&, std::string&& s) { calls += s == "text" ? 1 : 100; }, large, text);
        defer_without_memory(t, [&](auto&, std::string& s) { s += '!'; ++calls; }, large, text);
        defer_without_memory(t, [&](auto&, auto& v) { v.push_back(3); ++calls; }, large, numbers);
        defer_without_memory(t, [&](auto&&, auto&& v) { v.push_back(3); ++calls; }, large, numbers);
        defer_without_memory(t, [&](const outcome& o, auto&&, auto&& v) { v.push_back(3); calls += o.cancelled() ? 1 : 100; }, large, numbers);
        CHECK(calls == 7);
    });
    CHECK(text == "text");
    CHECK(numbers.size() == 2);
}

TEST_CASE("A3: what runs at once gets the caller's own arguments where these fit") {
    const throws_when_copied own;
    in_a_task([&](task_context& t) {
        const void* seen = nullptr;
        const auto look = [&seen](const throws_when_copied& a) { seen = &a; };
        const auto each_form = [&](auto&& f) {
            seen = nullptr;
            CHECK(message_of<std::runtime_error>([&] { t.defer(f, own); }) == "copy");
            CHECK(seen == &own);
        };
        each_form(look);
        each_form([&](const auto& a) { seen = &a; });
        each_form([&](const outcome& o, const throws_when_copied& a) { seen = o.cause() == lastly::errc::construction_failed ? &a : nullptr; });
        each_form([&](const outcome&, const auto& a) { seen = &a; });
        each_form([&](const auto& o, const auto& a) -> std::enable_if_t<std::is_same_v<decltype(o), const outcome&>> { seen = &a; });
        std::vector<int> moved{1, 2, 3};
        std::size_t size = 0;
        CHECK_THROWS_AS(t.defer([&](std::vector<int> v, std::string&& s, const throws_when_copied& a) {
            size = v.size() + s.size();
            seen = &a;
        }, std::move(moved), std::string("text"), own), std::runtime_error);
        CHECK(size == 7);
        int referred = 1;
        CHECK_THROWS_AS(t.defer([](int& n, const throws_when_copied&) { n = 5; }, std::ref(referred), own), std::runtime_error);
        CHECK(referred == 5);
        CHECK_THROWS_AS(t.defer([&](const int& n, const throws_when_copied&) { seen = &n; }, std::cref(referred), own), std::runtime_error);
        CHECK(seen == &referred);
    });
}

TEST_CASE("A3: of several parts that may throw when moved, those moved already are still there") {
    checked_pool pool(1);
    for (int nth = 1; nth <= 3; ++nth) {
        CAPTURE(nth);
        pool->run([&](task_context& t) {
            int sum = 0;
            const fragile copied(100);
            fragile::countdown = nth;
            CHECK_THROWS_AS(t.defer([&sum](const fragile& a, const fragile& b, const fragile& c, const std::unique_ptr<int>& d) {
                sum = a.value + b.value + c.value + *d;
            }, fragile(1), copied, fragile(10), std::make_unique<int>(1000)), std::runtime_error);
            fragile::countdown = 0;
            CHECK(sum == 1111);
        });
    }
}

TEST_CASE("A3: a finalizer whose copies for the call throw, too, counts as thrown; the first exception comes out") {
    for (const unsigned workers : worker_counts) {
        checked_pool pool(workers);
        const throws_when_copied own;
        bool ran = false;
        auto h = pool->submit([&](task_context& t) {
            CHECK(message_of<std::runtime_error>([&] { t.defer([&](throws_when_copied&&) { ran = true; }, own); }) == "copy");
        }, lastly::named("copies"));
        CHECK(message_of<std::runtime_error>([&] { h.get(); }) == "copy");
        CHECK_FALSE(ran);
        REQUIRE(pool.reports().size() == 1);
        CHECK(pool.reports()[0].kind == report_kind::finalizer_failed);
        CHECK(pool.reports()[0].name == "copies");
        CHECK(pool->ledger().finalizers_thrown == 1);
        CHECK(pool->ledger().finalizers_run == 1);
    }
}

TEST_CASE("A3: a finalizer that runs at once and throws reaches the sink, and the first exception comes out of defer") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        const throws_when_copied argument;
        const auto body = [&](task_context& t) {
            t.defer([](const throws_when_copied&) { throw std::logic_error("from the finalizer"); }, argument);
        };
        auto h = pool->submit(body, lastly::named("at once"));
        CHECK(message_of<std::runtime_error>([&] { h.get(); }) == "copy");
        pool->wait_idle();
        CHECK(pool->ledger().finalizers_thrown == 1);
        const auto told = pool.reports();
        REQUIRE(told.size() == 1);
        CHECK(told[0].kind == report_kind::finalizer_failed);
        CHECK(told[0].name == "at once");
        CHECK(told[0].what == "from the finalizer");
        CHECK(told[0].line > 0);
    }
}

TEST_CASE("E4: a finalizer that throws at its defer fails the task whose body goes on and succeeds") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        const throws_when_copied argument;
        const auto try_to = [&](const char* what) {
            CHECK_THROWS_AS(this_task::defer([what](const throws_when_copied&) { throw std::logic_error(what); }, argument), std::runtime_error);
        };
        bool saw_failed = false;
        auto h = pool->submit([&] {
            try_to("first");
            try_to("second");
            return std::make_shared<int>(1);
        }, lastly::finally([&](const outcome& o) { saw_failed = o.failed(); }));
        CHECK(message_of<std::logic_error>([&] { h.get(); }) == "first");
        CHECK(saw_failed);
        CHECK(pool.reports().size() == 2);
        pool->detach([&] { try_to("detached"); });
        pool->wait_idle();
        CHECK(pool.reports().size() == 3);   // not told again as the task's failure
        auto failed = pool->submit([&] { try_to("early"); throw std::logic_error("body"); });
        CHECK(message_of<std::logic_error>([&] { failed.get(); }) == "body");
        CHECK(pool->ledger().failed == 3);
        CHECK(pool->ledger().finalizers_thrown == 4);
    }
}

TEST_CASE("E4: within a running finalizer, one that throws at its defer takes effect right after it") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        const throws_when_copied argument;
        const auto try_to = [&](const char* what) {
            CHECK_THROWS_AS(this_task::defer([what](const throws_when_copied&) { throw std::logic_error(what); }, argument), std::runtime_error);
        };
        std::string seen;
        const auto look = [&](const outcome& o) { seen += o.succeeded() ? 's' : o.failed() ? 'f' : '?'; };
        auto value = std::make_shared<int>(1);
        const std::weak_ptr<int> watch = value;
        auto attached = pool->submit([&, kept = std::move(value)]() mutable { return std::move(kept); }, lastly::finally([&](const outcome& o) {
            look(o);
            CHECK(watch.expired());   // the value went with the success
        }), lastly::finally([&](const outcome& o) { look(o); try_to("attached"); look(o); }));
        CHECK(message_of<std::logic_error>([&] { attached.get(); }) == "attached");
        CHECK(seen == "ssf");
        seen.clear();
        auto deferred = pool->submit([&](task_context& t) {
            t.defer(look);
            t.defer([&](const outcome& o) { look(o); try_to("early"); look(o); throw std::runtime_error("late"); });
            return 1;
        });
        CHECK(message_of<std::logic_error>([&] { deferred.get(); }) == "early");
        CHECK(seen == "ssf");
        CHECK(pool.reports().size() == 3);
        // A destructor's, after the last finalizer.
        struct at_end {
            std::function<void()> f;
            ~at_end() { f(); }
        };
        auto destroyed = pool->submit([&, last = std::unique_ptr<at_end>(new at_end{[&] { try_to("destructor"); }})] { return last != nullptr; });
        CHECK(message_of<std::logic_error>([&] { destroyed.get(); }) == "destructor");
        CHECK(pool->ledger().failed == 3);
    }
}

TEST_CASE("deferral: parts aligned beyond a cache line lie aligned") {
    struct alignas(256) aligned { char c = 'x'; };
    in_a_task([&](task_context& t) {
        const aligned a;
        t.defer([](const aligned& mine) { CHECK(reinterpret_cast<std::uintptr_t>(&mine) % 256 == 0); }, a);
        t.defer([a] { CHECK(reinterpret_cast<std::uintptr_t>(&a) % 256 == 0); });
        struct alignas(64) line { char c; };
        t.defer([l = line{'y'}] { CHECK(reinterpret_cast<std::uintptr_t>(&l) % 64 == 0); });
    });
}

TEST_CASE("deferral: an early finalizer is shielded and shown as finalizing, the body afterwards as running") {
    checked_pool pool(1);
    const throws_when_copied argument;
    auto h = pool->submit([&](task_context& t) {
        const auto state = [] { return detail::phase_of(detail::current_run()->task->progress.load(detail::relaxed)); };
        CHECK_THROWS_AS(t.defer([&](const throws_when_copied&) {
            CHECK(this_task::finalizing());
            CHECK(state() == detail::phase::finalizing);
            t.defer([] {});
        }, argument), std::runtime_error);
        CHECK_FALSE(this_task::finalizing());
        CHECK(state() == detail::phase::running);
    });
    h.get();
    CHECK(pool->ledger().finalizers_run == 2);
}
