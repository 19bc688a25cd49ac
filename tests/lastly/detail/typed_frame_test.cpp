// A frame as its type knows it: where its parts lie, what fits a cache line, and the order of a run.
#include <lastly/detail/typed_frame.hpp>

#include "../check_pool.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

using namespace lastly::detail;
using lastly::result;

namespace {

struct capture16 {
    void* a;
    void* b;
    void operator()() const {}
};
struct call8 {
    void* a;
    void operator()() const {}
};
struct alignas(128) wide_body {
    char c[128];
    int operator()() { return c[0]; }
};
struct alignas(128) wide_call {
    char c[128];
    void operator()() {}
};
using f8 = finalizer<call8, when::always>;
using f_wide = finalizer<wide_call, when::on_failure>;

template <class... A> using detached = typed_frame<false, void, capture16, attachment_list<A...>>;
template <class... A> using handled = typed_frame<true, void, capture16, attachment_list<A...>>;

// The size guarantees.
static_assert(detached<>::where.end <= 64, "a detached task with a 16-byte capture takes one cache line");
static_assert(handled<f8, f8, f8>::where.end <= 128, "with a handle and three 8-byte finalizers it takes two");
static_assert(handled<f8, f8, f8>::ops.size.usable == 128 && handled<f8, f8, f8>::ops.size.kind() == block_kind::frame);
static_assert(detached<none, none, none, none, none, none, none, none, none, none, none, none>::where.end == detached<>::where.end);

// What a type's table says.
static_assert(!detached<>::ops.named && detached<>::ops.attached == 0 && !detached<>::ops.has_handle_part);
static_assert(handled<f8, task_name, f8>::ops.named && handled<f8, task_name, f8>::ops.attached == 2);
static_assert(handled<>::ops.has_handle_part);

// Which attachments are finalizers, in the call's order, whatever their value category.
using mixed = attachment_list<none, f8&, task_name, const f_wide&, none>;
static_assert(mixed::finalizers == 2 && mixed::names == 1 && mixed::index[0] == 1 && mixed::index[1] == 3);
static_assert(std::is_same_v<mixed::at<0>, f8> && std::is_same_v<mixed::at<1>, f_wide>);
static_assert(attachment_list<>::finalizers == 0 && attachment_list<>::names == 0);

// What a body's result is.
template <class B> concept has_result = requires { typename body_result_t<B>; };
struct takes_context { char operator()(lastly::task_context&); };
static_assert(std::is_same_v<body_result_t<takes_context>, char> && std::is_same_v<body_result_t<takes_context&>, char>);
struct gives_const { const std::string operator()(); };
static_assert(std::is_same_v<body_result_t<int& (*)()>, int&> && std::is_same_v<body_result_t<gives_const>, std::string>);
static_assert(std::is_same_v<body_result_t<void()>, void>);   // a function decays
static_assert(!has_result<int> && !has_result<void (*)(int)> && has_result<std::function<void()>>);

struct piece { std::size_t begin, bytes, alignment; };

// All parts of a frame with a handle, a name and two finalizers, one of them over-aligned.
using rich = typed_frame<true, std::string, wide_body, attachment_list<f8, task_name, f_wide>>;

}   // namespace

TEST_CASE("typed_frame: its parts do not overlap, and the header, the name and the stop's cause are their own") {
    // Beyond a cache line, alignment is made at run time: such a piece has room to spare.
    const piece parts[] = {{0, end_of_name(true) + sizeof(stop_slot), 8},
                          {rich::where.result, sizeof(result<std::string>), alignof(result<std::string>)},
                          {rich::where.body, sizeof(wide_body) + 64, 64},
                          {rich::where.finalizer[0], sizeof(f8), alignof(f8)},
                          {rich::where.finalizer[1], sizeof(f_wide) + 64, 64}};
    for (const piece& p : parts) {
        CAPTURE(p.begin);
        CHECK(p.begin % p.alignment == 0);
        CHECK(p.begin + p.bytes <= rich::where.end);
        for (const piece& q : parts) {
            if (&p != &q) CHECK((p.begin + p.bytes <= q.begin || q.begin + q.bytes <= p.begin));
        }
    }
}

TEST_CASE("frame_ops: a type's table has a result's functions exactly where a handle may take it") {
    const frame_ops& with_handle = handled<>::ops;
    const frame_ops& without = detached<>::ops;
    CHECK((with_handle.destroy_result != nullptr && with_handle.outcome_in != nullptr && with_handle.execute != nullptr));
    CHECK((without.destroy_result == nullptr && without.outcome_in == nullptr && without.execute != nullptr));
}

TEST_CASE("part_at: a piece is aligned as its type asks, wherever the frame lies") {
    frame* const f = allocate_frame({block_kind::named_frame, rich::where.end});
    REQUIRE(f != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(part_at<wide_body>(*f, rich::where.body)) % 128 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(part_at<f_wide>(*f, rich::where.finalizer[1])) % 128 == 0);
    alignas(128) std::byte place[64 + 512];
    frame& odd = *reinterpret_cast<frame*>(place + 64);   // on a cache line, but not on 128 bytes
    const auto at = reinterpret_cast<std::uintptr_t>(part_at<wide_body>(odd, rich::where.body));
    CHECK(at % 128 == 0);
    CHECK(at + sizeof(wide_body) <= reinterpret_cast<std::uintptr_t>(&odd) + rich::where.body + sizeof(wide_body) + 64);
    release_frame(*f, {block_kind::named_frame, rich::where.end});
}

TEST_CASE("typed_frame: over-aligned bodies, finalizers and results keep their contents") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        for (char c = 1; c < 20; ++c) {
            wide_body body{};
            body.c[0] = c;
            bool aligned = false;
            wide_call padding{};
            auto h = pool->submit(body, lastly::finally([&aligned, padding] {
                                      aligned = reinterpret_cast<std::uintptr_t>(&padding) % 128 == 0;
                                  }),
                                  lastly::named("wide"));
            CHECK(h.get() == c);
            CHECK(aligned);
        }
    }
}

TEST_CASE("typed_frame: a run is body, deferred, attached, destruction, and only then the outcome") {
    struct tells_its_end {
        std::vector<std::string>* told;
        const char* name;
        tells_its_end(std::vector<std::string>* t, const char* n) : told(t), name(n) {}
        tells_its_end(tells_its_end&& other) noexcept : told(std::exchange(other.told, nullptr)), name(other.name) {}
        ~tells_its_end() {
            if (told != nullptr) told->push_back(std::string("end of ") + name);
        }
    };
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::vector<std::string> told;
        auto h = pool->submit(
            [&, end = tells_its_end(&told, "body")] {
                told.push_back("body");
                lastly::this_task::defer([&] { told.push_back("deferred"); });
                return std::string("value");
            },
            lastly::finally([&, end = tells_its_end(&told, "attached")](result<std::string>& r) { told.push_back("attached " + r.value()); }));
        h.wait();
        told.push_back("published");
        CHECK(told == std::vector<std::string>{"body", "deferred", "attached value", "end of body", "end of attached", "published"});
    }
}

TEST_CASE("typed_frame: a value that a finalizer's exception displaces is destroyed before the outcome is seen") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        auto object = std::make_shared<int>(1);
        const std::weak_ptr<int> watch = object;
        auto h = pool->submit([p = std::move(object)]() mutable { return std::move(p); }, lastly::finally([] { throw std::runtime_error("x"); }));
        h.wait();
        CHECK(h.outcome().failed());
        CHECK(watch.expired());
    }
}

TEST_CASE("typed_frame: whoever takes a finalizer's exception holds it alone") {
    struct carries_an_object {
        std::shared_ptr<int> object;
    };
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        int still_held = 0;
        for (int round = 0; round < 500; ++round) {
            auto object = std::make_shared<int>(1);
            const std::weak_ptr<int> watch = object;
            auto h = pool->submit([] {}, lastly::finally([p = std::move(object)]() mutable { throw carries_an_object{std::move(p)}; }));
            try {
                h.get();
            } catch (const carries_an_object&) {
            }
            still_held += watch.expired() ? 0 : 1;   // the worker, after the outcome was published
        }
        CHECK(still_held == 0);
    }
}

TEST_CASE("typed_frame: a task without finalizers is shown as finalizing while the sink is told of its cancellation") {
    std::atomic<bool> is_told{false}, go{false};
    lastly::pool_options o = support::options(1);
    o.error_sink = [&](const lastly::error_report& r) {
        if (r.kind != lastly::report_kind::cancelled) return;
        is_told = true;
        support::await([&] { return go.load(); });
    };
    lastly::pool pool(o);
    auto owner = lastly::with_cancel();
    owner.cancel();
    pool.detach([] {}, owner.context());
    support::await([&] { return is_told.load(); });
    const lastly::task_profile now = pool.profile();
    CHECK(now.total.finalizing == 1);
    CHECK(now.total.queued == 0);
    CHECK(pool.shutdown(std::chrono::milliseconds(1)).still_running.size() == 1);
    go = true;
    CHECK(pool.shutdown().complete);
}

TEST_CASE("typed_frame: a detached task's value is destroyed with its body") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        auto object = std::make_shared<int>(1);
        const std::weak_ptr<int> watch = object;
        pool->detach([p = std::move(object)] { return p; });
        pool->wait_idle();
        CHECK(watch.expired());
    }
}

TEST_CASE("typed_frame: a body is called as an rvalue, once") {
    struct once {
        std::unique_ptr<int> p = std::make_unique<int>(3);
        int operator()() && { return *std::exchange(p, nullptr); }
    };
    checked_pool pool(1);
    CHECK(std::is_invocable_v<once>);
    CHECK(pool->run(once{}) == 3);
}
