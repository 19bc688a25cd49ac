// The profile's text, to the letter, and the laws of its subtraction. No pool takes part.
#include <lastly/profile.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <string>

using namespace std::chrono_literals;
using lastly::task_profile;
using counts = lastly::task_profile::counts;
using group = lastly::task_profile::group;

namespace {

constexpr counts none{};

group tasks(const char* file, std::uint32_t line, const char* name, counts n, std::chrono::nanoseconds oldest = 0ns) {
    group g;
    static_cast<counts&>(g) = n;
    g.count = n.queued + n.running + n.finalizing;
    g.name = name;
    g.site = {file, line};
    g.oldest_age = oldest;
    return g;
}

// As a pool would give it: sorted, with totals. A difference to nothing puts it in order.
task_profile profile(std::vector<group> groups) {
    task_profile unsorted;
    unsorted.pool = "crawler";
    unsorted.groups = std::move(groups);
    task_profile p = unsorted - task_profile{};
    p.growth = false;
    return p;
}

task_profile early() {
    return profile({tasks("src/crawler.cpp", 88, "fetch-page", {.queued = 1200, .finalizers_pending = 2400}, 192s),
                    tasks("src/main.cpp", 7, "", {.running = 1}, 3h + 12min),
                    tasks("src/parser.cpp", 17, "parse", {.queued = 2, .running = 3, .finalizing = 1, .held = 12, .finalizers_pending = 5}, 3210ms)});
}
task_profile late() {
    return profile({tasks("src/crawler.cpp", 88, "fetch-page", {.queued = 1000, .running = 2, .finalizers_pending = 2002}, 250s),
                    tasks("src/main.cpp", 7, "", {.running = 1}, 3h + 13min),
                    tasks("src/session.cpp", 140, "heartbeat", {.running = 40, .finalizers_pending = 40}, 58s)});
}

const group* find(const task_profile& p, std::uint32_t line) {
    for (const group& g : p.groups) {
        if (g.site.line == line) return &g;
    }
    return nullptr;
}

}   // namespace

TEST_CASE("task_profile: its text is a line of totals and a table") {
    CHECK(early().to_text() ==
          "task profile: pool \"crawler\": 1207 live (1202 queued, 4 running, 1 finalizing), 12 held, 2405 finalizers pending\n"
          "  live  queued  running  finalizing  held  pending  oldest  name        created at\n"
          "  1200    1200        -           -     -     2400   3m12s  fetch-page  src/crawler.cpp:88\n"
          "     6       2        3           1    12        5    3.2s  parse       src/parser.cpp:17\n"
          "     1       -        1           -     -        -   3h12m  -           src/main.cpp:7\n");
}

TEST_CASE("task_profile: the text of a difference has signs, and ages where something is left") {
    CHECK((late() - early()).to_text() ==
          "task growth: pool \"crawler\": -164 live (-202 queued, +39 running, -1 finalizing), -12 held, -363 finalizers pending\n"
          "  live  queued  running  finalizing  held  pending  oldest  name        created at\n"
          "   +40       -      +40           -     -      +40     58s  heartbeat   src/session.cpp:140\n"
          "    -6      -2       -3          -1   -12       -5       -  parse       src/parser.cpp:17\n"
          "  -198    -200       +2           -     -     -398   4m10s  fetch-page  src/crawler.cpp:88\n");
}

TEST_CASE("task_profile: the text names a group's parent where it is known, and a file that is not") {
    group child = tasks("a.cpp", 2, "child", {.queued = 1});
    child.parent = {"main.cpp", 30};
    CHECK(profile({child, tasks(nullptr, 0, "odd", {.running = 1})}).to_text() ==
          "task profile: pool \"crawler\": 2 live (1 queued, 1 running, 0 finalizing), 0 held, 0 finalizers pending\n"
          "  live  queued  running  finalizing  held  pending  oldest  name   created at\n"
          "     1       -        1           -     -        -   <10ms  odd    ?\n"
          "     1       1        -           -     -        -   <10ms  child  a.cpp:2, in a group of main.cpp:30\n");
}

TEST_CASE("task_profile: ages are written for people") {
    const auto written = [](std::chrono::nanoseconds age) {
        const std::string text = profile({tasks("f", 1, "n", {.queued = 1}, age)}).to_text();
        const std::size_t end = text.rfind("  n  ");
        return text.substr(text.rfind(' ', end - 1) + 1, end - text.rfind(' ', end - 1) - 1);
    };
    CHECK(written(0s) == "<10ms");
    CHECK(written(9'999'999ns) == "<10ms");
    CHECK(written(10ms) == "10ms");
    CHECK(written(999ms) == "999ms");
    CHECK(written(1s) == "1.0s");
    CHECK(written(9'990ms) == "9.9s");
    CHECK(written(10s) == "10s");
    CHECK(written(59'999ms) == "59s");
    CHECK(written(60s) == "1m00s");
    CHECK(written(14min + 5s) == "14m05s");
    CHECK(written(60min) == "1h00m");
    CHECK(written(24h - 1s) == "23h59m");
    CHECK(written(51h) == "2d03h");
    CHECK(written(std::chrono::nanoseconds::max()) == "106751d23h");
}

TEST_CASE("task_profile: a profile less itself is empty") {
    const task_profile d = late() - late();
    CHECK(d.groups.empty());
    CHECK(d.total == none);
    CHECK(d.growth);
    CHECK(d.pool == "crawler");
}

TEST_CASE("task_profile: a difference is exact, and turned round it has every sign turned") {
    const task_profile forth = late() - early(), back = early() - late();
    REQUIRE(forth.groups.size() == 3);
    REQUIRE(back.groups.size() == 3);
    for (const std::uint32_t line : {88u, 17u, 140u}) {
        CAPTURE(line);
        const group* const f = find(forth, line);
        const group* const b = find(back, line);
        const task_profile before = early(), after = late();
        REQUIRE((f != nullptr && b != nullptr));
        const group* const was = find(before, line);
        const group* const is = find(after, line);
        for (const auto field : {&counts::count, &counts::queued, &counts::running, &counts::finalizing, &counts::held, &counts::finalizers_pending}) {
            CHECK(f->*field == (is != nullptr ? is->*field : 0) - (was != nullptr ? was->*field : 0));
            CHECK(b->*field == -(f->*field));
        }
        CHECK(f->oldest_age == (is != nullptr ? is->oldest_age : 0ns));
    }
    CHECK(forth.total.count == late().total.count - early().total.count);
    CHECK(forth.total.finalizers_pending == -back.total.finalizers_pending);
}

TEST_CASE("task_profile: a site that did not change drops out, one whose tasks only changed their state stays") {
    const task_profile before = profile({tasks("f", 1, "same", {.running = 2}), tasks("f", 2, "moved", {.queued = 3})});
    const task_profile after = profile({tasks("f", 1, "same", {.running = 2}, 5s), tasks("f", 2, "moved", {.running = 3})});
    const task_profile d = after - before;
    REQUIRE(d.groups.size() == 1);
    CHECK(std::string(d.groups[0].name) == "moved");
    CHECK(d.groups[0].count == 0);
    CHECK(d.groups[0].queued == -3);
    CHECK(d.groups[0].running == 3);
}

TEST_CASE("task_profile: sites are matched by their text, not by where it lies") {
    const std::array<char, 6> file{"a.cpp"}, same_file{"a.cpp"}, name{"fetch"}, same_name{"fetch"};
    const task_profile before = profile({tasks(file.data(), 5, name.data(), {.queued = 1})});
    const task_profile after = profile({tasks(same_file.data(), 5, same_name.data(), {.queued = 4})});
    const task_profile d = after - before;
    REQUIRE(d.groups.size() == 1);
    CHECK(d.groups[0].queued == 3);
    // Each part of the key tells groups apart.
    group child = tasks("a.cpp", 5, "fetch", {.queued = 1});
    child.parent = {"a.cpp", 1};
    const task_profile others = profile({tasks("a.cpp", 5, "fetch", {.queued = 1}), tasks("a.cpp", 6, "fetch", {.queued = 1}), child,
                                         tasks("a.cpp", 5, "", {.queued = 1}), tasks("b.cpp", 5, "fetch", {.queued = 1})});
    CHECK(others.groups.size() == 5);
}

TEST_CASE("task_profile: most tasks come first, of these the oldest; what handles hold counts") {
    const task_profile p = profile({tasks("f", 1, "one", {.running = 1}, 1h), tasks("f", 2, "few, young", {.queued = 3}, 1s),
                                    tasks("f", 3, "few, old", {.queued = 3}, 2s), tasks("f", 4, "kept", {.held = 9}),
                                    tasks("e", 9, "few, young", {.queued = 3}, 1s)});
    REQUIRE(p.groups.size() == 5);
    CHECK(p.groups[0].site.line == 4);
    CHECK(p.groups[1].site.line == 3);
    CHECK(p.groups[2].site.line == 9);
    CHECK(p.groups[3].site.line == 2);
    CHECK(p.groups[4].site.line == 1);
    CHECK(p.total.count == 10);
    CHECK(p.total.held == 9);
}
