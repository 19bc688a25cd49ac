// What a run is shown as: the exit code, progress, failure blocks, the summary, and report files.
#include "stress/runner/report.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

using namespace lastly::stress::detail;
using namespace std::chrono_literals;

namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t times_in(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
    return n;
}

failure one_failure(end kind) {
    failure f;
    f.kind = kind;
    f.replay = {"storm", 17, 0x5eed, 16384, 8, false};
    f.broken = 1234;
    f.findings = {{"G1", "task 12: its body ran 2 times"}, {"O3, L4", "task 13: 1 of its captures were never destroyed"}};
    f.details = "thread 7 waits\nthread 8 runs";
    return f;
}

scenario_result one_scenario(const char* name, end kind) {
    scenario_result r;
    r.name = name;
    r.kind = kind;
    r.rounds = 751;
    r.tasks = 12'304'384;
    r.finalizers = 24'608'768;
    r.time = 3s;
    if (kind == end::skipped) r.reason = "no such engine";
    if (kind != end::passed && kind != end::skipped) r.failures.push_back(one_failure(kind));
    return r;
}

run_result run_of(const std::vector<end>& ends) {
    run_result r;
    r.seed = 0x5eed;
    r.profile = profile::ci;
    r.build = "GCC 12.2, plain";
    r.time = 303s;
    for (const end e : ends) r.scenarios.push_back(one_scenario("storm", e));
    return r;
}

// What the progress writes, on a stream that is a file.
template <class Steps>
std::string shown(bool is_terminal, Steps&& steps) {
    std::FILE* const file = std::tmpfile();
    REQUIRE(file != nullptr);
    progress p(file, is_terminal, 10);
    steps(p);
    std::rewind(file);
    std::string text;
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
    std::fclose(file);
    return text;
}

// The environment without it, or with it, for a test's length.
class no_color_set {
public:
    explicit no_color_set(const char* value) {
        if (const char* const was = std::getenv("NO_COLOR")) before_ = was;
        value != nullptr ? ::setenv("NO_COLOR", value, 1) : ::unsetenv("NO_COLOR");
    }
    ~no_color_set() { before_ ? ::setenv("NO_COLOR", before_->c_str(), 1) : ::unsetenv("NO_COLOR"); }
    no_color_set(const no_color_set&) = delete;
    no_color_set& operator=(const no_color_set&) = delete;

private:
    std::optional<std::string> before_;
};

}   // namespace

TEST_CASE("results: the exit code is that of the worst end, and 77 if nothing was run") {
    CHECK(run_of({}).exit_code() == 77);
    CHECK(run_of({end::skipped, end::skipped}).exit_code() == 77);
    CHECK(run_of({end::skipped, end::passed}).exit_code() == 0);
    CHECK(run_of({end::passed, end::broken, end::skipped}).exit_code() == 1);
    CHECK(run_of({end::hang, end::broken}).exit_code() == 3);
    CHECK(run_of({end::broken, end::crash, end::hang}).exit_code() == 4);
}

TEST_CASE("progress: in a log, a scenario has a line at its beginning and one at its end") {
    const std::string text = shown(false, [](progress& p) {
        p.begin("storm", 12'304'384, 3, 24);
        p.advance(1, 16384);   // too early for a line of its own
        p.end(one_scenario("storm", end::passed));
        p.begin("own-worker", 0, 24, 24);
        p.end(one_scenario("own-worker", end::skipped));
    });
    CHECK(text == "[ 3/24] storm       begins       12.3 M tasks planned\n"
                  "[ 3/24] storm       passed       12.3 M tasks      751 rounds    4.1 M tasks/s  3.0 s\n"
                  "[24/24] own-worker  begins    \n"
                  "[24/24] own-worker  skipped     no such engine\n");
}

TEST_CASE("progress: on a terminal, a bar is drawn at once and cleared before the result") {
    const auto steps = [](progress& p) {
        p.begin("storm", 2'000'000, 3, 24);
        p.end(one_scenario("storm", end::broken));
    };
    const no_color_set unset(nullptr);
    const std::string text = shown(true, steps);
    CHECK(text.starts_with("\r[ 3/24] storm       ["));
    CHECK(holds(text, "]   0 %        0 of 2.0 M        - tasks/s"));
    CHECK(holds(text, "\033[K\r\033[K[ 3/24] storm       \033[1;31mlaw broken\033[0m"));
    CHECK(holds(text, "3.0 s, 1 round failed\n"));

    const no_color_set refused("1");
    CHECK(holds(shown(true, steps), "\r\033[K[ 3/24] storm       law broken   12.3 M"));
    CHECK_FALSE(holds(shown(true, steps), "\033[1;31m"));
}

TEST_CASE("report: a failure's block names all that was seen and the command that runs the round again") {
    const scenario_result r = one_scenario("storm", end::broken);
    CHECK(failure_block("build/lastly-stress", r, r.failures[0]) ==
          "\nstorm, round 17: law broken\n"
          "  with 16,384 tasks, 8 workers, engine work_stealing\n"
          "  G1      task 12: its body ran 2 times\n"
          "  O3, L4  task 13: 1 of its captures were never destroyed\n"
          "  and 1,232 more\n"
          "  | thread 7 waits\n"
          "  | thread 8 runs\n"
          "  replay: build/lastly-stress --replay storm:17:0x5eed:16384:8\n");
}

TEST_CASE("report: what shows only over all rounds names no round, and is run again as a whole") {
    scenario_result r = one_scenario("churn", end::broken);
    r.failures[0].is_of_all_rounds = true;
    r.again = "--filter churn --seed 0x5eed --tasks 5k";
    const std::string block = failure_block("lastly-stress", r, r.failures[0]);
    CHECK(block.starts_with("\nchurn, over all of its rounds: law broken\n  with 751 rounds, 12,304,384 tasks, engine work_stealing\n"));
    CHECK(block.ends_with("  replay: lastly-stress --filter churn --seed 0x5eed --tasks 5k\n"));
}

TEST_CASE("report: what a scenario counts stands beside its tasks") {
    scenario_result r = one_scenario("abrupt", end::passed);
    r.counts = "shutdowns";
    r.counted = 5432;
    CHECK(holds(shown(false, [&r](progress& p) { p.begin("abrupt", 0, 1, 1), p.end(r); }), "3.0 s, 5,432 shutdowns\n"));
    run_result run = run_of({});
    run.scenarios.push_back(r);
    CHECK(holds(junit(run, "lastly-stress"), "finalizers 24608768, shutdowns 5432</system-out>"));
    CHECK(holds(json(run, "lastly-stress"), "\"counts\": \"shutdowns\",\n      \"counted\": 5432,"));
}

TEST_CASE("report: the summary counts the scenarios, names those that failed, and ends with the verdict") {
    CHECK(summary(run_of({end::passed, end::hang, end::passed})) ==
          "\n"
          "  scenarios   3: 2 passed, 1 hang\n"
          "  tasks       36,913,152 in 2,253 rounds, 121,826 tasks/s\n"
          "  finalizers  73,826,304\n"
          "  time        5 min 03 s\n"
          "  run         seed 0x5eed, profile ci, GCC 12.2, plain\n"
          "  hang        storm (1 round)\n"
          "\n"
          "A scenario hung. Exit code 3.\n");
    CHECK(summary(run_of({end::passed})).ends_with("\n\nAll laws held.\n"));
    CHECK(summary(run_of({})).ends_with("\n\nNothing was run. Exit code 77.\n"));
}

TEST_CASE("report: JUnit counts failures, errors and skipped cases, and holds the blocks") {
    const std::string xml = junit(run_of({end::passed, end::broken, end::hang, end::crash, end::skipped}), "build/lastly-stress");
    CHECK(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"));
    CHECK(holds(xml, "<testsuite name=\"lastly-stress\" tests=\"5\" failures=\"1\" errors=\"2\" skipped=\"1\" time=\"303.000\">"));
    CHECK(holds(xml, "<property name=\"seed\" value=\"0x5eed\"/>"));
    CHECK(holds(xml, "<property name=\"profile\" value=\"ci\"/>"));
    CHECK(holds(xml, "<property name=\"build\" value=\"GCC 12.2, plain\"/>"));
    CHECK(times_in(xml, "<testcase classname=\"lastly-stress\" name=\"storm\" time=\"3.000\">") == 5);
    CHECK(times_in(xml, "<failure type=\"law broken\" message=\"law broken in round 17: G1: task 12: its body ran 2 times\">") == 1);
    CHECK(times_in(xml, "<error type=") == 2);
    CHECK(holds(xml, "<system-out>rounds 751, tasks 12304384, finalizers 24608768</system-out>"));
    CHECK(times_in(xml, "<skipped message=\"no such engine\"/>") == 1);
    CHECK(times_in(xml, "replay: build/lastly-stress --replay storm:17:0x5eed:16384:8\n") == 3);
    for (const char* const name : {"testsuites", "testsuite", "properties", "testcase", "failure", "error", "system-out"}) {
        const std::size_t opened = times_in(xml, std::string("<") + name + ">") + times_in(xml, std::string("<") + name + " ");
        CHECK_MESSAGE(opened == times_in(xml, std::string("</") + name + ">"), name);
    }
}

TEST_CASE("report: JUnit is well-formed XML whatever bytes are in it") {
    run_result r = run_of({end::broken, end::skipped});
    r.scenarios[0].failures[0].findings = {{"G1", "<a> & \"b\"\t'c'\n\r]]>\x01\x1b"}};
    r.scenarios[0].failures[0].details = "\xc3\xa9 \xff \xc0\x80 \xed\xa0\x80 \xf0\x9f\x98\x80 \xe2\x82 \xef\xbf\xbf.";
    r.scenarios[1].reason = "\"\xf4\x90\x80\x80\"";
    const std::string xml = junit(r, "stress");
    CHECK(holds(xml, "message=\"law broken in round 17: G1: &lt;a&gt; &amp; &quot;b&quot;&#9;'c'&#10;&#13;]]&gt;\">"));
    CHECK(holds(xml, "G1  &lt;a&gt; &amp; \"b\"\t'c'\n&#13;]]&gt;\n"));
    const std::string none = "\xef\xbf\xbd";   // the replacement character
    CHECK(holds(xml, "  | \xc3\xa9 " + none + " " + none + none + " " + none + none + none + " \xf0\x9f\x98\x80 " + none + none + " .\n"));
    CHECK(holds(xml, "<skipped message=\"&quot;" + none + none + none + none + "&quot;\"/>"));
}

TEST_CASE("report: JSON holds all of a run, and the command for each failure") {
    const std::string text = json(run_of({end::passed, end::crash}), "build/lastly-stress");
    CHECK(text.starts_with("{\n  \"seed\": \"0x5eed\",\n  \"profile\": \"ci\",\n  \"build\": \"GCC 12.2, plain\",\n"
                           "  \"exit_code\": 4,\n  \"totals\": {\n    \"scenarios\": 2,\n    \"passed\": 1,\n"));
    CHECK(holds(text, "\"crash\": 1,"));
    CHECK(holds(text, "\"tasks\": 24608768,"));
    CHECK(holds(text, "\"failures\": []"));
    CHECK(holds(text, "{\"law\": \"G1\", \"what\": \"task 12: its body ran 2 times\"}"));
    CHECK(holds(text, "\"laws_broken\": 1234,"));
    CHECK(holds(text, "\"details\": \"thread 7 waits\\nthread 8 runs\""));
    CHECK(holds(text, "\"replay\": \"build/lastly-stress --replay storm:17:0x5eed:16384:8\""));
    CHECK(text.ends_with("  ]\n}\n"));
    CHECK(holds(json(run_of({}), "stress"), "\"scenarios\": []\n}\n"));
}

TEST_CASE("report: JSON is well-formed whatever bytes are in it") {
    run_result r = run_of({end::skipped});
    r.scenarios[0].reason = std::string("a\"b\\c\n\x01\x1f\x7f ") + '\0' + "\xc3\xa9\xff\xe2\x82";
    CHECK(holds(json(r, "stress"), "\"reason\": \"a\\\"b\\\\c\\n\\u0001\\u001f\x7f \\u0000\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
}

TEST_CASE("report: a file holds what is written, and one that cannot be written is named") {
    const std::string path = (std::filesystem::temp_directory_path() / ("lastly-runner-test-" + std::to_string(::getpid()))).string();
    write_file(path, "longer than the second text");
    write_file(path, "a\nb");
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    CHECK(text.str() == "a\nb");
    std::filesystem::remove(path);
    try {
        write_file("/nonexistent/report.xml", "");
        FAIL("it was written");
    } catch (const std::system_error& e) {
        CHECK(holds(e.what(), "/nonexistent/report.xml cannot be written"));
        CHECK(e.code() == std::errc::no_such_file_or_directory);
    }
}
