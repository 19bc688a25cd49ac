// The error sink: the user's function, the lines on stderr, their limit, and the counts behind it.
#include "core/report/sink.hpp"

#include "captured_stderr.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <ostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace detail = lastly::detail;
using lastly::creation_site;
using lastly::errc;
using lastly::error_report;
using lastly::report_kind;

namespace {

using user_function = std::function<void(const error_report&)>;

error_report failure(const char* name, creation_site site, const char* words) {
    error_report r;
    r.kind = report_kind::failed;
    r.name = name;
    r.site = site;
    r.error = std::make_exception_ptr(std::runtime_error(words));
    return r;
}

// What the default sink writes for one report.
std::string line_for(const error_report& r) {
    detail::error_sink sink(nullptr, "p");
    captured_stderr captured;
    sink.report(r);
    return captured.text();
}

constexpr const char* file = "file.cpp";

}   // namespace

TEST_CASE("error_sink: the default one writes one line with kind, name, site, pool and words") {
    CHECK(line_for(failure("loader", {file, 12}, "disk full")) == "lastly: failed: task loader (file.cpp:12) in pool p: disk full\n");
    CHECK(line_for(failure("", {file, 12}, "disk full")) == "lastly: failed: task (file.cpp:12) in pool p: disk full\n");
}

TEST_CASE("error_sink: it has words for every kind") {
    error_report r;
    r.site = {file, 1};
    r.kind = report_kind::cancelled;
    r.cause = errc::deadline_exceeded;
    CHECK(line_for(r) == "lastly: cancelled: task (file.cpp:1) in pool p: deadline exceeded\n");
    r.kind = report_kind::finalizer_failed;
    r.error = std::make_exception_ptr(3);
    CHECK(line_for(r) == "lastly: finalizer failed: task (file.cpp:1) in pool p: an exception that is no std::exception\n");
    r.error = nullptr;
    r.kind = report_kind::finalizer_overdue;
    r.age = std::chrono::milliseconds(2'250);
    CHECK(line_for(r) == "lastly: finalizer overdue: task (file.cpp:1) in pool p: a finalizer has been running for 2.250 s\n");
    r.kind = report_kind::chain_long;
    r.count = 1'025;
    CHECK(line_for(r) == "lastly: chain long: task (file.cpp:1) in pool p: 1025 deferred finalizers; a defer in a loop?\n");
    r.kind = report_kind::worker_lost;
    CHECK(line_for(r) == "lastly: worker lost: task (file.cpp:1) in pool p: a worker ended and was not replaced\n");
    r.kind = report_kind::no_stand_in;
    CHECK(line_for(r) == "lastly: no stand-in: task (file.cpp:1) in pool p: a worker waits and no thread could take its place; it helps with anything\n");
}

TEST_CASE("error_sink: the user's function takes the default one's place") {
    std::vector<std::string> told;
    const user_function user = [&](const error_report& r) { told.push_back(std::string(r.name) + ": " + r.what()); };
    detail::error_sink sink(&user, "p");
    captured_stderr captured;
    for (int i = 0; i < 30; ++i) sink.report(failure("t", {file, 1}, "w"));
    sink.tell_suppressed();
    CHECK(captured.text().empty());
    CHECK(told == std::vector<std::string>(30, "t: w"));   // no limit
}

TEST_CASE("error_sink: an empty function is none") {
    const user_function user;
    detail::error_sink sink(&user, "p");
    captured_stderr captured;
    sink.report(failure("t", {file, 1}, "w"));
    CHECK(captured.text() == "lastly: failed: task t (file.cpp:1) in pool p: w\n");
}

TEST_CASE("error_sink: one that throws falls back to stderr") {
    const user_function user = [](const error_report&) { throw std::runtime_error("sink"); };
    detail::error_sink sink(&user, "p");
    captured_stderr captured;
    sink.report(failure("t", {file, 5}, "kept"));
    CHECK(captured.text() == "lastly: the error sink threw; its report follows\nlastly: failed: task t (file.cpp:5) in pool p: kept\n");
}

TEST_CASE("error_sink: ten lines a kind and site are written, the rest is counted and told at the end") {
    detail::error_sink sink(nullptr, "p");
    std::string text;
    {
        captured_stderr captured;
        for (int i = 0; i < 25; ++i) sink.report(failure("t", {file, 1}, "many"));
        for (int i = 0; i < 10; ++i) sink.report(failure("t", {file, 2}, "few"));
        error_report other = failure("t", {file, 1}, "other kind");
        other.kind = report_kind::finalizer_failed;
        sink.report(other);
        text = captured.text();
    }
    CHECK(std::count(text.begin(), text.end(), '\n') == 21);
    CHECK(text.find("other kind") != std::string::npos);
    captured_stderr captured;
    sink.tell_suppressed();
    CHECK(captured.text() == "lastly: failed: 15 more at file.cpp:1 in pool p\n");
}

TEST_CASE("error_sink: the first note of a kind at a site is told from later ones") {
    detail::error_sink sink(nullptr, "p");
    CHECK(sink.first_at(report_kind::chain_long, {file, 1}));
    CHECK_FALSE(sink.first_at(report_kind::chain_long, {file, 1}));
    CHECK(sink.first_at(report_kind::chain_long, {file, 2}));
    CHECK(sink.first_at(report_kind::failed, {file, 1}));
    captured_stderr captured;
    sink.report(failure("t", {file, 1}, "x"));   // notes do not count as lines
    CHECK_FALSE(captured.text().empty());
}

TEST_CASE("site_counts: each kind and site counts for itself, from one") {
    detail::site_counts counts;
    for (std::uint64_t n = 1; n <= 3; ++n) {
        CHECK(counts.count(report_kind::failed, {file, 1}) == n);
        CHECK(counts.count(report_kind::cancelled, {file, 1}) == n);
        CHECK(counts.count(report_kind::failed, {file, 2}) == n);
    }
    std::map<std::pair<report_kind, std::uint32_t>, std::uint64_t> seen;
    counts.take_excess(0, [&](report_kind kind, creation_site site, std::uint64_t n) {
        CHECK(site.file == file);
        seen[{kind, site.line}] += n;
    });
    CHECK(seen.size() == 3);
    for (const auto& [key, n] : seen) CHECK(n == 3);
}

TEST_CASE("site_counts: an excess is taken once, and only what came since is taken again") {
    detail::site_counts counts;
    const auto count_up = [&](std::uint64_t times) {
        for (std::uint64_t i = 0; i < times; ++i) counts.count(report_kind::failed, {file, 1});
    };
    const auto excess = [&] {
        std::uint64_t sum = 0;
        counts.take_excess(10, [&](report_kind, creation_site, std::uint64_t n) { sum += n; });
        return sum;
    };
    count_up(4);
    CHECK(excess() == 0);
    count_up(8);
    CHECK(excess() == 2);
    CHECK(excess() == 0);
    count_up(3);
    CHECK(excess() == 3);
}

TEST_CASE("site_counts: what goes beyond its size is counted together, and nothing is lost") {
    detail::site_counts counts;
    constexpr std::uint32_t sites = 300;
    for (std::uint32_t round = 0; round < 2; ++round) {
        for (std::uint32_t line = 1; line <= sites; ++line) counts.count(report_kind::failed, {file, line});
    }
    std::uint64_t sum = 0, together = 0, alone = 0;
    counts.take_excess(0, [&](report_kind, creation_site site, std::uint64_t n) {
        sum += n;
        if (site.line == 0) together += n;
        else alone += n == 2 ? 1u : 1'000u;
    });
    CHECK(sum == 2 * sites);
    CHECK(alone == 256);
    CHECK(together == 2 * (sites - 256));
}

TEST_CASE("site_counts: several threads count each site as one") {
    detail::site_counts counts;
    constexpr std::uint32_t sites = 50, rounds = 400, threads = 4;
    std::atomic<std::uint64_t> firsts{0}, taken{0};
    std::vector<std::thread> crew;
    for (std::uint32_t t = 0; t < threads; ++t) {
        crew.emplace_back([&, t] {
            for (std::uint32_t i = 0; i < rounds * sites; ++i) {
                if (counts.count(report_kind::failed, {file, 1 + (i + t) % sites}) == 1) ++firsts;
                if (t == 0 && i % 1'000 == 0) {
                    counts.take_excess(0, [&](report_kind kind, creation_site site, std::uint64_t n) {
                        taken += n;
                        if (kind != report_kind::failed || site.line == 0 || site.line > sites) ++firsts;
                    });
                }
            }
        });
    }
    for (std::thread& t : crew) t.join();
    CHECK(firsts.load() == sites);
    counts.take_excess(0, [&](report_kind, creation_site, std::uint64_t n) { taken += n; });
    CHECK(taken.load() == std::uint64_t{sites} * rounds * threads);   // nothing is told twice, nothing is lost
}

TEST_CASE("process_sink: it is one, for tasks of no pool") {
    CHECK(&detail::process_sink() == &detail::process_sink());
    captured_stderr captured;
    detail::process_sink().report(failure("t", {"process_sink.cpp", 9}, "x"));
    CHECK(captured.text() == "lastly: failed: task t (process_sink.cpp:9) in pool (none): x\n");
}

TEST_CASE("is_bulk_cause: what the program brought about in bulk is told from the rest") {
    for (const errc e : {errc::pool_shutdown, errc::process_exit, errc::sibling_failed}) CHECK(detail::is_bulk_cause(e));
    for (const errc e : {errc::cancelled, errc::deadline_exceeded, errc::discarded, errc::thread_exited}) CHECK_FALSE(detail::is_bulk_cause(e));
    CHECK_FALSE(detail::is_bulk_cause({static_cast<int>(errc::pool_shutdown), std::generic_category()}));
    CHECK_FALSE(detail::is_bulk_cause({}));
}
