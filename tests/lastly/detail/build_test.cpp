// Building a frame: whatever throws on the way, every finalizer of the call runs exactly once.
#include <lastly/detail/build.hpp>

#include "../check_pool.hpp"
#include "core/structures/frame_store.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <pthread.h>

using lastly::finally;
using lastly::outcome;

namespace {

// Throws when it is copied or moved for the n-th time; tells its call.
struct fragile {
    int* moves_left;
    std::vector<std::string>* told;
    std::string name;
    fragile(int* moves, std::vector<std::string>* to, std::string n) : moves_left(moves), told(to), name(std::move(n)) {}
    fragile(const fragile& other) : moves_left(other.moves_left), told(other.told), name(other.name) { wear(); }
    fragile(fragile&& other) : moves_left(other.moves_left), told(other.told), name(other.name) { wear(); }
    fragile& operator=(fragile&&) = delete;
    void wear() const {
        if (moves_left != nullptr && --*moves_left < 0) throw std::runtime_error("broken " + name);
    }
    void operator()(const outcome& o) const {
        told->push_back(name + (o.rejected() && o.cause() == lastly::errc::construction_failed && !o.started() ? "" : " wrongly"));
    }
};
// A body of the same kind.
struct fragile_body : fragile {
    using fragile::fragile;
    void operator()() const { told->push_back(name + " ran"); }
};

using strings = std::vector<std::string>;

}   // namespace

TEST_CASE("frame_builder: a body whose copy throws leaves the chain to run from the caller's arguments") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        strings told;
        int none_left = 0;
        const fragile_body body(&none_left, &told, "body");
        const fragile sound(nullptr, &told, "sound");
        CHECK(message_of<std::runtime_error>([&] { (void)pool->submit(body, finally(sound), lastly::named("n")); }) == "broken body");
        CHECK(told == strings{"sound"});
        told.clear();
        CHECK(message_of<std::runtime_error>([&] { pool->detach(body, finally(sound), finally(sound)); }) == "broken body");
        CHECK(told == strings{"sound", "sound"});
        told.clear();
        CHECK(message_of<std::runtime_error>([&] { (void)lastly::make_task(body, finally(sound)); }) == "broken body");
        CHECK(told == strings{"sound"});
        const lastly::ledger_snapshot s = pool->ledger();
        CHECK(s.attempts == 2);
        CHECK(s.rejected == 2);
        CHECK(s.finalizers_attached == 3);
        CHECK(s.finalizers_returned == 3);
    }
}

TEST_CASE("frame_builder: whichever finalizer's move throws, all of them run once, last listed first") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        for (int broken = 0; broken < 3; ++broken) {
            CAPTURE(broken);
            strings told;
            int left[3] = {100, 100, 100};
            auto first = finally(fragile(&left[0], &told, "first"));
            auto second = finally(fragile(&left[1], &told, "second"));
            auto third = finally(fragile(&left[2], &told, "third"));
            left[broken] = 0;
            const std::string expected = std::string("broken ") + (broken == 0 ? "first" : broken == 1 ? "second" : "third");
            CHECK(message_of<std::runtime_error>([&] {
                      (void)pool->submit([&] { told.push_back("body"); }, std::move(first), lastly::named("n"), std::move(second),
                                         std::move(third));
                  }) == expected);
            CHECK(told == strings{"third", "second", "first"});
        }
        CHECK(pool->ledger().finalizers_run == 9);
    }
}

TEST_CASE("frame_builder: the finalizers of a failed construction may defer, throw and ask") {
    checked_pool pool(1);
    strings told;
    int none_left = 0;
    const fragile_body body(&none_left, &told, "body");
    CHECK_THROWS_AS(pool->detach(body, lastly::named("asked"), finally([&] {
                                     told.push_back(lastly::this_task::name());
                                     lastly::this_task::defer([&](const outcome& o) { told.push_back(o.rejected() ? "deferred" : "?"); });
                                 }),
                                 finally([] { throw std::logic_error("from a finalizer"); })),
                    std::runtime_error);
    CHECK(told == strings{"asked", "deferred"});
    REQUIRE(pool.reports().size() == 1);
    CHECK(pool.reports()[0].kind == lastly::report_kind::finalizer_failed);
    CHECK(pool.reports()[0].name == "asked");
    CHECK(pool->ledger().finalizers_thrown == 1);
    CHECK(pool->ledger().finalizers_run == 3);
    CHECK_FALSE(lastly::this_task::inside());
}

TEST_CASE("frame_builder: a frame that was not finished goes back to the store") {
    strings told;
    int none_left = 0;
    const fragile_body body(&none_left, &told, "body");
    const std::size_t bytes = sizeof(lastly::detail::frame) + sizeof(lastly::detail::stop_slot) + sizeof(lastly::result<void>) + sizeof(body);
    lastly::detail::frame* const probe = lastly::detail::allocate_frame({lastly::detail::block_kind::frame, bytes});   // the one that comes next
    REQUIRE(probe != nullptr);
    lastly::detail::release_frame(*probe, {lastly::detail::block_kind::frame, bytes});
    CHECK_THROWS_AS((void)lastly::make_task(body), std::runtime_error);
    CHECK(lastly::detail::phase_of(probe->progress.load(lastly::detail::relaxed)) == lastly::detail::phase::free);
    lastly::detail::frame* const again = lastly::detail::allocate_frame({lastly::detail::block_kind::frame, bytes});
    CHECK(again == probe);
    lastly::detail::release_frame(*again, {lastly::detail::block_kind::frame, bytes});
}

TEST_CASE("prepare_frame: a new task in a frame has a new generation, and is being built") {
    lastly::detail::frame* const f = lastly::detail::allocate_frame({lastly::detail::block_kind::frame, 64});
    REQUIRE(f != nullptr);
    static constexpr lastly::detail::frame_ops ops{nullptr, nullptr, nullptr, nullptr, {lastly::detail::block_kind::frame, 64}, 2, false, false, false};
    const std::uint64_t last = f->generation();
    const std::uint64_t expected = last != 0 ? last + 1 : lastly::detail::first_generation(*f);
    lastly::detail::prepare_frame(*f, ops, {"x.cpp", 12});
    CHECK(f->generation() == expected);
    CHECK(lastly::detail::phase_of(f->progress.load(lastly::detail::relaxed)) == lastly::detail::phase::building);
    CHECK(lastly::detail::pending_of(f->progress.load(lastly::detail::relaxed)) == 2);
    CHECK(&f->type() == &ops);
    CHECK(f->site().line == 12);
    CHECK(std::string(f->site().file) == "x.cpp");
    CHECK(f->owner.load(lastly::detail::relaxed) == nullptr);
    CHECK(f->state.load(lastly::detail::relaxed) == 0);
    f->show(lastly::detail::phase::free, 0, 0);
    lastly::detail::release_frame(*f, {lastly::detail::block_kind::frame, 64});
}

TEST_CASE("P4: a finalizer of a task that cannot be built leaves the thread: the rest run, each once") {
    for (const bool is_submitted : {true, false}) {
        for (int moves = 2; moves < 5; ++moves) {   // after those into the attachments: the body breaks, then one finalizer, then the other
            CAPTURE(is_submitted);
            CAPTURE(moves);
            checked_pool pool(1);
            strings told;
            int left = moves;
            const fragile_body body(&left, &told, "body");
            const fragile first(&left, &told, "first"), last(&left, &told, "last");
            const auto leave = [&] {
                told.push_back("leaves");
                ::pthread_exit(nullptr);
            };
            CHECK(support::leaves_its_thread([&] {
                if (is_submitted) pool->detach(body, finally(first), finally(leave), finally(last));
                else (void)lastly::make_task(body, finally(first), finally(leave), finally(last));
            }));
            CHECK(told == strings{"last", "leaves", "first"});
        }
    }
}
