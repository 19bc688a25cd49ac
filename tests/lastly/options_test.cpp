// Options as their users meet them: what they begin as, what a pool refuses, and what a report says.
#include <lastly/options.hpp>

#include "check_pool.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using lastly::pool_options;
using lastly::report_kind;

namespace {

// Sets an environment variable while it lives.
class environment {
public:
    environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
    ~environment() { ::unsetenv(name_); }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;

private:
    const char* name_;
};

std::string refusal_of(pool_options options) {
    return message_of<std::invalid_argument>([&] { const lastly::pool p(options); });
}

}   // namespace

TEST_CASE("pool_options: they begin as documented") {
    const pool_options o;
    CHECK(o.workers == 0);
    CHECK(o.name == "pool");
    CHECK(o.engine == lastly::engine::work_stealing);
    CHECK(o.capacity == 0);
    CHECK(o.overflow == lastly::overflow::reject);
    CHECK(o.on_destroy == lastly::on_destroy::drain);
    CHECK_FALSE(o.error_sink);
    CHECK(o.finalizer_budget.count() == 0);
    CHECK(o.exit_budget == std::chrono::seconds(5));
    CHECK_FALSE(o.guard_quick_exit);
    CHECK(o.chain_warning == 1024);
    CHECK(o.tuning.spin_rounds == 200);
    CHECK(o.tuning.steal_attempts == 4);
    CHECK(o.tuning.injector_interval == 61);
    CHECK(o.tuning.injector_batch == 64);
    CHECK(lastly::forever == std::chrono::nanoseconds::max());
}

TEST_CASE("pool_options: a knob out of its range is refused by name") {
    struct row { const char* knob; std::uint32_t lastly::pool_tuning::*member; std::uint32_t low, high; };
    const row rows[] = {{"spin_rounds", &lastly::pool_tuning::spin_rounds, 1, 1'000'000},
                        {"steal_attempts", &lastly::pool_tuning::steal_attempts, 1, 4'096},
                        {"injector_interval", &lastly::pool_tuning::injector_interval, 2, 1'000'000},
                        {"injector_batch", &lastly::pool_tuning::injector_batch, 1, 256}};
    for (const row& r : rows) {
        CAPTURE(r.knob);
        for (const std::uint32_t value : {r.low - 1, r.high + 1}) {
            pool_options o;
            o.workers = 1;
            o.tuning.*r.member = value;
            const std::string told = refusal_of(o);
            CHECK(contains(told, std::string("pool_options::tuning.") + r.knob + " is " + std::to_string(value)));
            CHECK(contains(told, "from " + std::to_string(r.low) + " to " + std::to_string(r.high)));
        }
        for (const std::uint32_t value : {r.low, r.high}) {
            pool_options o;
            o.workers = 2;
            o.tuning.*r.member = value;
            checked_pool pool(2, o);
            CHECK(pool->run([] { return 5; }) == 5);
        }
    }
}

TEST_CASE("pool_options: an environment variable overrides a knob, and is checked like it") {
    const environment set("LASTLY_INJECTOR_BATCH", "257");
    pool_options o;
    o.workers = 1;
    CHECK(refusal_of(o) == "lastly: environment variable LASTLY_INJECTOR_BATCH is \"257\"; it must be a whole number from 1 to 256");
    const environment good("LASTLY_INJECTOR_BATCH", "1");
    o.tuning.injector_batch = 9'999;   // overridden
    checked_pool pool(1, o);
    CHECK(pool->run([] { return 6; }) == 6);
}

TEST_CASE("pool_options: too many workers and a negative budget are refused") {
    pool_options o;
    o.workers = 4'097;
    CHECK(contains(refusal_of(o), "pool_options::workers is 4097; it must be a whole number from 0 to 4096"));
    o.workers = 1;
    o.finalizer_budget = std::chrono::nanoseconds(-1);
    CHECK(contains(refusal_of(o), "finalizer_budget is negative"));
}

TEST_CASE("pool_options: an engine that is not in the build is refused") {
    pool_options o;
    o.workers = 1;
    o.engine = lastly::engine::tbb;
    bool refused = false;
    try {
        const lastly::pool p(o);
    } catch (const std::system_error& e) {
        refused = e.code() == std::errc::not_supported;
        CHECK(contains(e.what(), "engine::tbb is not in this build"));
    }
    CHECK(refused);
}

TEST_CASE("pool_options: zero workers are as many as CPUs are usable") {
    checked_pool pool(0);
    CHECK(pool->workers() >= 1);
}

TEST_CASE("pool_options: the worker hooks run once on every worker") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        std::mutex mutex;
        std::multiset<unsigned> started, ended;
        std::multiset<unsigned> all;
        for (unsigned i = 0; i < workers; ++i) all.insert(i);
        {
            pool_options o;
            o.on_worker_start = [&](unsigned worker) {
                const std::lock_guard lock(mutex);
                started.insert(worker);
            };
            o.on_worker_exit = [&](unsigned worker) {
                const std::lock_guard lock(mutex);
                ended.insert(worker);
            };
            checked_pool pool(workers, o);
            const occupied_workers all_are_there(*pool);
            const std::lock_guard lock(mutex);
            CHECK(started == all);
            CHECK(ended.empty());
        }
        CHECK(started == all);
        CHECK(ended == all);
    }
}

TEST_CASE("pool_options: a hook that throws goes to the error sink, and the worker works") {
    pool_options o;
    o.on_worker_start = [](unsigned) { throw std::runtime_error("bad hook"); };
    checked_pool pool(2, o);
    { const occupied_workers all_are_there(*pool); }
    REQUIRE(pool.reports().size() == 2);
    for (const noted_report& r : pool.reports()) {
        CHECK(r.kind == report_kind::failed);
        CHECK(r.name == "worker hook");
        CHECK(r.what == "bad hook");
    }
}

TEST_CASE("pool_options: a chain longer than the warning is reported once a site") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        pool_options o;
        o.chain_warning = 5;
        checked_pool pool(workers, o);
        for (int round = 0; round < 3; ++round) {
            pool->run([] { for (int i = 0; i < 9; ++i) lastly::this_task::defer([] {}); }, lastly::named("long"));
        }
        pool->run([] { for (int i = 0; i < 5; ++i) lastly::this_task::defer([] {}); });   // not longer
        const auto reports = pool.reports();
        REQUIRE(reports.size() == 1);
        CHECK(reports[0].kind == report_kind::chain_long);
        CHECK(reports[0].name == "long");
        CHECK(contains(reports[0].what, "6 deferred finalizers"));
    }
}

TEST_CASE("error_report: each kind has a name and words") {
    lastly::error_report r;
    CHECK(std::string(to_string(report_kind::failed)) == "failed");
    CHECK(r.what() == "no exception");
    r.error = std::make_exception_ptr(std::runtime_error("words"));
    CHECK(r.what() == "words");
    r.error = std::make_exception_ptr(5);
    CHECK(r.what() == "an exception that is no std::exception");
    r.error = nullptr;
    r.kind = report_kind::cancelled;
    r.cause = lastly::errc::deadline_exceeded;
    CHECK(r.what() == "deadline exceeded");
    r.kind = report_kind::finalizer_overdue;
    r.age = std::chrono::milliseconds(1500);
    CHECK(r.what() == "a finalizer has been running for 1.500 s");
    r.kind = report_kind::chain_long;
    r.count = 2000;
    CHECK(contains(r.what(), "2000 deferred finalizers"));
    r.kind = report_kind::worker_lost;
    CHECK(contains(r.what(), "was not replaced"));
    std::set<std::string> names;
    for (int k = 0; k <= static_cast<int>(report_kind::no_stand_in); ++k) names.insert(to_string(static_cast<report_kind>(k)));
    CHECK(names.size() == 7);
}
