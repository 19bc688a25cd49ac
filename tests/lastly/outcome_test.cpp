// Outcomes and results as values: kinds, causes, errors, and what the setters do. Rule E3.
#include <lastly/outcome.hpp>

#include <lastly/pool.hpp>

#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

using lastly::outcome;
using lastly::outcome_kind;
using lastly::result;
using writer = lastly::detail::outcome_access;

static_assert(sizeof(outcome) == 16);
static_assert(!std::is_default_constructible_v<outcome>);
static_assert(std::is_nothrow_copy_constructible_v<outcome> && std::is_copy_assignable_v<outcome>);
static_assert(!std::is_copy_constructible_v<result<int>> && !std::is_copy_assignable_v<result<int>>);
static_assert(!std::is_move_constructible_v<result<void>> && !std::is_default_constructible_v<result<void>>);
static_assert(std::is_base_of_v<outcome, result<std::string>> && std::is_base_of_v<outcome, result<void>>);
static_assert(std::is_same_v<decltype(std::declval<result<int>&>().value()), int&>);
static_assert(std::is_same_v<decltype(std::declval<result<int&>&>().value()), int&>);
static_assert(std::is_same_v<decltype(std::declval<result<const int&>&>().value()), const int&>);
static_assert(std::is_same_v<decltype(std::declval<result<void>&>().value()), void>);
static_assert(noexcept(std::declval<const outcome&>().kind()) && noexcept(std::declval<const outcome&>().cause()) &&
              noexcept(std::declval<const outcome&>().error()) && noexcept(std::declval<const outcome&>().started()));

namespace {

std::exception_ptr error_saying(const char* words) { return std::make_exception_ptr(std::runtime_error(words)); }

std::string words_of(const outcome& o) {
    if (!o.error()) return "";
    try {
        std::rethrow_exception(o.error());
    } catch (const std::exception& e) {
        return e.what();
    }
}

// Counts its instances; moving out of the unlucky number throws.
struct counted {
    static inline int alive = 0;
    int number;
    explicit counted(int n) : number(n) { ++alive; }
    counted(counted&& other) : number(other.number) {
        if (number == 13) throw std::runtime_error("unlucky move");
        ++alive;
    }
    counted& operator=(counted&&) = delete;
    ~counted() { --alive; }
};

struct alignas(128) wide {
    std::uint64_t value;
};

template <class Call>
std::string logic_error_of(Call&& call) {
    try {
        call();
    } catch (const std::logic_error& e) {
        return e.what();
    }
    return "";
}

}   // namespace

TEST_CASE("outcome: each kind answers to its own question only") {
    writer::on_stack<void> o;
    const auto answers = [&] {
        const outcome& v = o.value;
        return (v.succeeded() ? 1 : 0) + (v.failed() ? 2 : 0) + (v.cancelled() ? 4 : 0) + (v.rejected() ? 8 : 0);
    };
    writer::succeed(o.value);
    CHECK(answers() == 1);
    CHECK(o.value.kind() == outcome_kind::succeeded);
    writer::fail(o.value, error_saying("x"));
    CHECK(answers() == 2);
    CHECK(o.value.kind() == outcome_kind::failed);
    writer::cancel(o.value, lastly::errc::deadline_exceeded);
    CHECK(answers() == 4);
    CHECK(o.value.kind() == outcome_kind::cancelled);
    writer::reject(o.value, lastly::errc::pool_full);
    CHECK(answers() == 8);
    CHECK(o.value.kind() == outcome_kind::rejected);
}

TEST_CASE("outcome: a cause belongs to cancelled and rejected, an error to failed") {
    writer::on_stack<void> o;
    writer::succeed(o.value);
    CHECK_FALSE(o.value.cause());
    CHECK_FALSE(o.value.error());
    writer::fail(o.value, error_saying("broken"));
    CHECK_FALSE(o.value.cause());
    CHECK(words_of(o.value) == "broken");
    writer::cancel(o.value, std::make_error_code(std::errc::timed_out));
    CHECK(o.value.cause() == std::errc::timed_out);
    CHECK(o.value.cause().category() == std::generic_category());
    CHECK_FALSE(o.value.error());
    writer::reject(o.value, lastly::errc::pool_closed);
    CHECK(o.value.cause() == lastly::errc::pool_closed);
    CHECK_FALSE(o.value.error());
}

TEST_CASE("outcome: it remembers that the body began, whatever comes after") {
    writer::on_stack<void> o;
    writer::succeed(o.value);
    CHECK_FALSE(o.value.started());
    writer::started(o.value);
    writer::cancel(o.value, lastly::errc::cancelled);
    CHECK(o.value.started());
    const outcome copy = o.value;
    CHECK(copy.started());
    o.value.set_value();
    CHECK(o.value.started());
}

TEST_CASE("outcome: copies share the exception and outlive the original") {
    auto alive = std::make_shared<int>(1);
    const std::weak_ptr<int> watch = alive;
    auto error = std::make_exception_ptr(std::move(alive));
    auto original = std::make_unique<writer::on_stack<void>>();
    writer::fail(original->value, std::move(error));
    {
        outcome copy = original->value;
        CHECK(copy.error() == original->value.error());
        original.reset();
        CHECK(copy.failed());
        CHECK_FALSE(watch.expired());
        const outcome& same = copy;
        copy = same;   // to itself
        CHECK_FALSE(watch.expired());
    }
    CHECK(watch.expired());
}

TEST_CASE("outcome: assignment changes between errors and causes without leaking either") {
    auto alive = std::make_shared<int>(1);
    const std::weak_ptr<int> watch = alive;
    writer::on_stack<void> failed, cancelled;
    writer::fail(failed.value, std::make_exception_ptr(std::move(alive)));
    writer::cancel(cancelled.value, lastly::errc::sibling_failed);
    outcome o = failed.value;
    o = cancelled.value;
    CHECK(o.cause() == lastly::errc::sibling_failed);
    o = failed.value;
    CHECK(o.failed());
    CHECK(o.error() == failed.value.error());
    o = cancelled.value;
    writer::cancel(failed.value, lastly::errc::cancelled);
    CHECK(watch.expired());
}

TEST_CASE("result: its value is there exactly while the task succeeded") {
    {
        writer::on_stack<counted> r;
        CHECK_FALSE(logic_error_of([&] { r.value.value(); }).empty());
        writer::succeed(r.value, 7);
        CHECK(counted::alive == 1);
        CHECK(r.value.value().number == 7);
        r.value.set_error(error_saying("no"));
        CHECK(counted::alive == 0);
        CHECK(words_of(r.value) == "no");
        CHECK(logic_error_of([&] { r.value.value(); }).find("did not succeed") != std::string::npos);
        r.value.set_value(counted(8));
        CHECK(counted::alive == 1);
        CHECK(r.value.value().number == 8);
        r.value.set_value(counted(9));
        CHECK(counted::alive == 1);
        CHECK(r.value.value().number == 9);
    }
    CHECK(counted::alive == 0);
}

TEST_CASE("result: a value makes a failed or cancelled task succeed") {
    writer::on_stack<int> r;
    writer::fail(r.value, error_saying("x"));
    r.value.set_value(1);
    CHECK(r.value.succeeded());
    CHECK_FALSE(r.value.error());
    writer::cancel(r.value, lastly::errc::cancelled);
    r.value.set_value(2);
    CHECK(r.value.succeeded());
    CHECK_FALSE(r.value.cause());
    CHECK(r.value.value() == 2);
}

TEST_CASE("result: a value whose move throws leaves the task failed with that exception") {
    {
        writer::on_stack<counted> r;
        writer::succeed(r.value, 1);
        CHECK_THROWS_AS(r.value.set_value(counted(13)), std::runtime_error);
        CHECK(r.value.failed());
        CHECK(words_of(r.value) == "unlucky move");
    }
    CHECK(counted::alive == 0);
}

TEST_CASE("result: null is no error, and changes nothing") {
    writer::on_stack<int> r;
    writer::succeed(r.value, 3);
    CHECK(logic_error_of([&] { r.value.set_error(nullptr); }).find("nullptr") != std::string::npos);
    CHECK(r.value.value() == 3);
    writer::on_stack<void> v;
    writer::succeed(v.value);
    CHECK(logic_error_of([&] { v.value.set_error(nullptr); }).find("nullptr") != std::string::npos);
    CHECK(v.value.succeeded());
}

TEST_CASE("result: a rejected task's outcome cannot be changed") {
    writer::on_stack<int> r;
    writer::on_stack<void> v;
    writer::reject(r.value, lastly::errc::pool_full);
    writer::reject(v.value, lastly::errc::pool_closed);
    const std::string told = "lastly: the outcome of a rejected task cannot be changed";
    CHECK(logic_error_of([&] { r.value.set_value(1); }) == told);
    CHECK(logic_error_of([&] { r.value.set_error(error_saying("x")); }) == told);
    CHECK(logic_error_of([&] { v.value.set_value(); }) == told);
    CHECK(logic_error_of([&] { v.value.set_error(error_saying("x")); }) == told);
    CHECK(r.value.rejected());
    CHECK(r.value.cause() == lastly::errc::pool_full);
    CHECK(v.value.cause() == lastly::errc::pool_closed);
}

TEST_CASE("result: without a value it answers only for a task that succeeded") {
    writer::on_stack<void> r;
    writer::succeed(r.value);
    CHECK_NOTHROW(r.value.value());
    r.value.set_error(error_saying("x"));
    CHECK(logic_error_of([&] { r.value.value(); }).find("did not succeed") != std::string::npos);
    r.value.set_value();
    CHECK_NOTHROW(r.value.value());
}

TEST_CASE("result: a reference refers to the object itself") {
    int first = 1, second = 2;
    writer::on_stack<int&> r;
    writer::succeed(r.value, first);
    CHECK(&r.value.value() == &first);
    r.value.set_value(second);
    CHECK(&r.value.value() == &second);
    r.value.set_error(error_saying("x"));
    CHECK_FALSE(logic_error_of([&] { r.value.value(); }).empty());
}

TEST_CASE("result: it holds move-only, over-aligned and large values") {
    writer::on_stack<std::unique_ptr<int>> owner;
    writer::succeed(owner.value, std::make_unique<int>(4));
    owner.value.set_value(std::make_unique<int>(5));
    CHECK(*owner.value.value() == 5);
    writer::on_stack<wide> aligned;
    writer::succeed(aligned.value, wide{6});
    CHECK(reinterpret_cast<std::uintptr_t>(&aligned.value.value()) % 128 == 0);
    CHECK(aligned.value.value().value == 6);
    writer::on_stack<std::string> text;
    writer::succeed(text.value, 100u, 'x');
    text.value.set_value(text.value.value() + "y");   // from itself
    CHECK(text.value.value().size() == 101);
}

TEST_CASE("outcome: what could not be stored is told as cancelled and started") {
    const lastly::detail::unstorable_outcome o(lastly::errc::construction_failed);
    CHECK(o.value.cancelled());
    CHECK(o.value.started());
    CHECK(o.value.cause() == lastly::errc::construction_failed);
}

TEST_CASE("creation_site: the current one is the line of the call") {
    const lastly::creation_site here = lastly::creation_site::current();
    CHECK(here.line == __LINE__ - 1);
    CHECK(std::string(here.file) == __FILE__);
    constexpr lastly::creation_site stated = lastly::creation_site::current("f.cpp", 3);
    static_assert(stated.line == 3);
}

TEST_CASE("outcome: the one inside a result cannot be assigned to, which would part it from its value") {
    lastly::pool pool({.workers = 1});
    std::string said;
    auto handle = pool.submit([] { return 7; }, lastly::finally([&said](result<int>& r) {
        outcome copy = r;
        copy = r;   // a copy may be
        try {
            static_cast<outcome&>(r) = copy;
        } catch (const std::logic_error& e) {
            said = e.what();
        }
    }));
    CHECK(handle.get() == 7);
    CHECK(said.find("set_value") != std::string::npos);
    CHECK(pool.shutdown().ledger.finalizers_thrown == 0);
}

TEST_CASE("E3: a finalizer may replace the value, recover from a failure or a cancellation, and make a value fail") {
    support::with_workers([](unsigned workers) {
        lastly::pool pool(support::options(workers));
        const auto recover = lastly::finally([](lastly::result<int>& r) { if (!r.succeeded()) r.set_value(-1); });
        CHECK(pool.run([] { return 1; }, lastly::finally([](lastly::result<int>& r) { r.set_value(r.value() + 1); })) == 2);
        CHECK(pool.run([]() -> int { throw std::runtime_error("x"); }, recover) == -1);
        auto spoiled = pool.submit([] { return 1; }, lastly::finally([](lastly::result<int>& r) {
                                       r.set_error(std::make_exception_ptr(std::runtime_error("spoiled")));
                                   }));
        CHECK_THROWS_WITH(spoiled.get(), "spoiled");
        lastly::task_handle<int> cancelled;
        {
            support::blockade all(pool, workers);
            cancelled = pool.submit([] { return 1; }, recover);
            cancelled.cancel();
        }
        CHECK(cancelled.get() == -1);
        std::string later;
        CHECK(pool.run([] { return std::string("a"); }, lastly::finally([&](const lastly::outcome& o) { later = o.succeeded() ? "seen" : ""; }),
                       lastly::finally([](lastly::result<std::string>& r) { r.value() += "b"; })) == "ab");
        CHECK(later == "seen");
        support::check_end(pool);
    });
}

TEST_CASE("E3: the outcome of a rejected task cannot be changed") {
    support::with_workers([](unsigned workers) {
        support::sink_log log;
        lastly::pool pool(support::options(workers, &log));
        pool.close();
        int refused = 0;
        CHECK_THROWS_AS(pool.submit([] { return 1; }, lastly::finally([&](lastly::result<int>& r) {
                                        try {
                                            r.set_value(2);
                                        } catch (const std::logic_error&) {
                                            ++refused;
                                        }
                                    })).get(),
                        lastly::task_rejected);
        CHECK(refused == 1);
        support::check_end(pool);
    });
}
