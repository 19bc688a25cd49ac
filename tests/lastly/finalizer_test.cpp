// What may follow a body: finalizers of every shape, for every outcome, in any order with a name.
#include <lastly/finalizer.hpp>

#include "check_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

using lastly::finally;
using lastly::named;
using lastly::on_cancelled;
using lastly::on_failure;
using lastly::on_success;
using lastly::outcome;
using lastly::result;

static_assert(!std::is_same_v<decltype(finally([] {})), decltype(on_success([] {}))>);
static_assert(std::is_move_constructible_v<decltype(finally([p = std::make_unique<int>(1)] {}))>);
static_assert(!std::is_copy_constructible_v<decltype(finally([p = std::make_unique<int>(1)] {}))>);
static_assert(std::is_same_v<decltype(named("x")), lastly::detail::task_name>);

namespace {

std::atomic<int> plain_calls{0};
void plain() { ++plain_calls; }
void plain_with_outcome(const outcome& o) { plain_calls += o.succeeded() ? 10 : 100; }

}   // namespace

TEST_CASE("finalizer: each sort acts on its own outcomes, and on rejection as on cancellation") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string told;   // written by one task at a time, read after it
        const auto submit = [&](auto body) {
            return pool->submit(body, finally([&] { told += 'a'; }), on_success([&] { told += 's'; }),
                                on_failure([&] { told += 'f'; }), on_cancelled([&] { told += 'c'; }));
        };
        submit([] {}).wait();
        CHECK(told == "sa");   // last listed first
        told.clear();
        auto failed = submit([] { throw std::runtime_error("x"); });
        failed.wait();
        CHECK(failed.outcome().failed());
        CHECK(told == "fa");
        told.clear();
        {
            occupied_workers busy(*pool);
            auto stopped = submit([&] { told += '!'; });
            stopped.cancel();
            busy.release();
            stopped.wait();
        }
        CHECK(told == "ca");
        told.clear();
        pool->close();
        CHECK_THROWS_AS((void)submit([&] { told += '!'; }), lastly::task_rejected);
        CHECK(told == "ca");
    }
}

TEST_CASE("finalizer: the attached ones run last listed first, names aside") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string order, name;
        pool->run([&] { name = lastly::this_task::name(); }, finally([&] { order += '1'; }), named("ordered"),
                  finally([&] { order += '2'; }), on_success([&] { order += '3'; }));
        CHECK(order == "321");
        CHECK(name == "ordered");
    }
}

TEST_CASE("finalizer: twelve attachments are taken, the name in any place") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::vector<int> order;
        const auto note = [&](int n) { return finally([&order, n] { order.push_back(n); }); };
        auto name = [] { return std::string(lastly::this_task::name()); };
        CHECK(pool->run(name, note(1), note(2), note(3), note(4), note(5), note(6), note(7), note(8), note(9), note(10), note(11),
                        named("at the end")) == "at the end");
        CHECK(order == std::vector<int>{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
        order.clear();
        CHECK(pool->run(name, named("in front"), note(1), note(2), note(3), note(4), note(5), note(6), note(7), note(8), note(9),
                        note(10), note(11)) == "in front");
        CHECK(order.size() == 11);
        order.clear();
        CHECK(pool->run(name, note(1), note(2), note(3), note(4), note(5), named("inside"), note(6), note(7), note(8), note(9),
                        note(10), note(11)) == "inside");
        CHECK(order.front() == 11);
        order.clear();
        CHECK(pool->run(name, note(1), note(2), note(3), note(4), note(5), note(6), note(7), note(8), note(9), note(10), note(11),
                        note(12))
                  .empty());
        CHECK(order.size() == 12);
    }
}

TEST_CASE("finalizer: it may take the result, the outcome, or nothing") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string told;
        const int value = pool->run([] { return 20; }, finally([&](const outcome& o) { told += o.started() ? "seen " : "? "; }),
                                    finally([&](result<int>& r) { r.set_value(r.value() + 1); }), finally([&] { told += "first "; }));
        CHECK(value == 21);
        CHECK(told == "first seen ");
    }
}

TEST_CASE("finalizer: a generic one gets the result") {
    checked_pool pool(1);
    CHECK(pool->run([] { return 1; }, finally([](auto& r) {
                        static_assert(std::is_same_v<decltype(r), result<int>&>);
                        r.set_value(7);
                    })) == 7);
    bool void_too = false;
    pool->run([] {}, finally([&](auto& r) -> void {
                  static_assert(std::is_same_v<decltype(r), result<void>&>);
                  void_too = r.succeeded();
              }));
    CHECK(void_too);
}

TEST_CASE("finalizer: functions, std::function, references and move-only callables are taken") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        plain_calls = 0;
        int called = 0;
        std::function<void(const outcome&)> function = [&](const outcome& o) { called += o.succeeded() ? 1 : 100; };
        auto by_reference = [&called, kept = std::make_unique<int>(1)]() mutable { called += 10 * (*kept)++; };
        pool->run([] {}, finally(plain), finally(&plain_with_outcome), finally(function), on_success(std::ref(by_reference)),
                  finally([owner = std::make_unique<int>(1'000), &called] { called += *owner; }));
        CHECK(plain_calls.load() == 11);
        CHECK(called == 1'011);
        pool->run([] {}, finally(std::ref(by_reference)));
        CHECK(called == 1'031);   // the object itself, not a copy
        CHECK(static_cast<bool>(function));   // copied, not moved
    }
}

TEST_CASE("finalizer: one that is an lvalue is copied, and may be attached again") {
    checked_pool pool(2);
    std::atomic<int> runs{0};
    const auto twice = finally([&] { ++runs; });
    pool->run([] {}, twice, twice);
    pool->run([] {}, twice);
    CHECK(runs.load() == 3);
}

TEST_CASE("finalizer: it edits the result, and later ones and the handle see it") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        bool later_saw = false;
        const std::string recovered =
            pool->run([]() -> std::string { throw std::runtime_error("lost"); },
                      on_success([&](result<std::string>& r) { later_saw = r.value() == "found"; }),
                      on_failure([](result<std::string>& r) { r.set_value("found"); }));
        CHECK(recovered == "found");
        CHECK(later_saw);
        auto spoiled = pool->submit([] { return 1; }, finally([](result<int>& r) {
                                        r.set_error(std::make_exception_ptr(std::runtime_error("spoiled")));
                                    }));
        CHECK(message_of<std::runtime_error>([&] { spoiled.get(); }) == "spoiled");
    }
}

TEST_CASE("finalizer: on a rejected task the setters say no, and the rest of the chain runs") {
    checked_pool pool(1);
    pool->close();
    std::string told;
    bool rest = false;
    CHECK_THROWS_AS((void)pool->submit([] { return 1; }, finally([&](const outcome& o) { rest = o.rejected(); }),
                                 finally([&](result<int>& r) {
                                     told = message_of<std::logic_error>([&] { r.set_value(2); });
                                 })),
                    lastly::task_rejected);
    CHECK(contains(told, "rejected task cannot be changed"));
    CHECK(rest);
}

TEST_CASE("finalizer: one that throws makes a success fail, and does not stop the chain") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        bool rest = false;
        auto h = pool->submit([] { return std::string("value"); }, named("thrower"),
                              finally([&](const outcome& o) { rest = o.failed(); }),
                              finally([] { throw std::runtime_error("thrown"); }));
        CHECK(message_of<std::runtime_error>([&] { h.get(); }) == "thrown");
        CHECK(rest);
        const auto reports = pool.reports();
        REQUIRE(reports.size() == 1);
        CHECK(reports[0].kind == lastly::report_kind::finalizer_failed);
        CHECK(reports[0].name == "thrower");
        CHECK(reports[0].what == "thrown");
    }
}

TEST_CASE("named: the name is shown inside, in finalizers, and in reports") {
    checked_pool pool(1);
    std::string in_finalizer, by_context;
    pool->detach(
        [&](lastly::task_context& t) {
            by_context = t.name();
            throw std::runtime_error("x");
        },
        finally([&] { in_finalizer = lastly::this_task::name(); }), named("shown"));
    pool->wait_idle();
    CHECK(by_context == "shown");
    CHECK(in_finalizer == "shown");
    REQUIRE(pool.reports().size() == 1);
    CHECK(pool.reports()[0].name == "shown");
    CHECK(pool->run([] { return std::string(lastly::this_task::name()); }).empty());
}
