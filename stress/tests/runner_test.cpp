// The runner's words: what it reads from a command line, and what it shows of a run, on a terminal, in a log and in report files.
#include "stress/runner/options.hpp"
#include "stress/runner/report.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

using namespace lastly::stress::detail;
using namespace std::chrono_literals;

namespace {

options parsed(const std::vector<const char*>& words) {
    std::vector<const char*> line{"lastly-stress"};
    line.insert(line.end(), words.begin(), words.end());
    return parse(static_cast<int>(line.size()), line.data());
}

// What is said of a command line that is refused; empty: it was not.
std::string refusal(const std::vector<const char*>& words) {
    try {
        parsed(words);
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
    return {};
}

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
    f.again = "--replay " + f.replay.to_text();
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

TEST_CASE("options: an empty command line runs the quick profile") {
    const options o = parsed({});
    CHECK(o.what == options::action::run);
    CHECK(o.profile == profile::quick);
    CHECK_FALSE(o.seed);
    CHECK_FALSE(o.replay);
    CHECK(o.tasks == 0);
    CHECK(o.hang_after == 20s);
}

TEST_CASE("options: each is read, with its value behind a blank or an equals sign") {
    const options o = parsed({"--filter", "storm,own-*", "--filter=?", "--shard=2/4", "--profile", "nightly", "--tasks=10M", "--duration", "5m",
                              "--seed=0x5eed", "--engine", "tbb", "--workers=256", "--keep-going", "--hang-after", "90", "--junit=a.xml", "--json", "a=b.json"});
    CHECK(o.filters == std::vector<std::string>{"storm", "own-*", "?"});
    CHECK(o.shard == 2);
    CHECK(o.shards == 4);
    CHECK(o.profile == profile::nightly);
    CHECK(o.tasks == 10'000'000);
    CHECK(o.duration == 300s);
    CHECK(o.seed == 0x5eedu);
    CHECK(o.tbb);
    CHECK(o.workers == 256);
    CHECK(o.keep_going);
    CHECK(o.hang_after == 90s);
    CHECK(o.junit == "a.xml");
    CHECK(o.json == "a=b.json");
}

TEST_CASE("options: tasks, seeds and times are read in each of their forms") {
    CHECK(parsed({"--tasks", "100000"}).tasks == 100'000);
    CHECK(parsed({"--tasks", "1e6"}).tasks == 1'000'000);
    CHECK(parsed({"--tasks", "5k"}).tasks == 5'000);
    CHECK(parsed({"--tasks", "2G"}).tasks == 2'000'000'000);
    CHECK(parsed({"--tasks", "1e15"}).tasks == 1'000'000'000'000'000);
    CHECK(parsed({"--seed", "0"}).seed == 0u);
    CHECK(parsed({"--seed", "18446744073709551615"}).seed == std::numeric_limits<std::uint64_t>::max());
    CHECK(parsed({"--seed", "0xffffffffffffffff"}).seed == std::numeric_limits<std::uint64_t>::max());
    CHECK(parsed({"--duration", "30s"}).duration == 30s);
    CHECK(parsed({"--duration", "1000h"}).duration == 1000h);
}

TEST_CASE("options: a value that is not wanted is refused, with its name and what is wanted") {
    const std::vector<std::pair<const char*, std::vector<const char*>>> bad{
        {"--tasks", {"", "0", "-1", "+1", " 1", "1 ", "1.5M", "M", "1e", "1e-3", "1e16", "1000001G", "1x", "0x10", "18446744073709551616", "1MM"}},
        {"--seed", {"", "-1", "0x", "0xg", "0x0x1", "5eed", "18446744073709551616", "0x10000000000000000"}},
        {"--duration", {"", "0", "0s", "-5s", "s", "5 s", "5ms", "1001h", "99999999999999999999h"}},
        {"--hang-after", {"", "0", "1d"}},
        {"--workers", {"", "0", "257", "-1", "8x", "4294967297"}},
        {"--shard", {"", "0/4", "5/4", "1", "1/", "/4", "1/0", "1/2/3", "-1/4", "1/1001"}},
        {"--profile", {"", "slow", "Quick", "quick "}},
        {"--engine", {"", "TBB", "work-stealing"}},
        {"--filter", {"", ",", "a,", ",a", "a,,b"}},
        {"--junit", {""}},
        {"--json", {""}},
        {"--replay", {"", "a", "a:1:2:3", ":1:2:3:4", "a:x:2:3:4", "a:1:g:3:4", "a:1::3:4", "a:1:2:0:4", "a:1:2:1000000001:4",
                       "a:1:2:3:0", "a:1:2:3:257", "a:1:2:3:4:", "a:1:2:3:4:work_stealing", "a:1:2:3:4:tbb:"}},
    };
    for (const auto& [name, values] : bad) {
        for (const char* const value : values) {
            INFO(name, " '", value, "'");
            const std::string said = refusal({name, value});
            CHECK(said.starts_with(std::string(name) + ": '" + value + "' is not "));
            CHECK(refusal({(std::string(name) + "=" + value).c_str()}) == said);
        }
    }
    CHECK(refusal({"--workers", "300"}) == "--workers: '300' is not a number of workers from 1 to 256");
}

TEST_CASE("options: a missing or unasked value and a second one are refused") {
    CHECK(holds(refusal({"--seed"}), "--seed needs a value: a number from 0"));
    CHECK(holds(refusal({"--junit", "--json", "a"}), "--junit needs a value"));
    CHECK(holds(refusal({"--list=yes"}), "--list takes no value; leave out '=yes'"));
    CHECK(refusal({"--seed", "1", "--seed=2"}) == "--seed is given twice; give it once");
}

TEST_CASE("options: an unknown option is answered with the nearest one that there is") {
    CHECK(refusal({"--wokers", "3"}) == "there is no option --wokers; did you mean --workers?");
    CHECK(refusal({"-seed=3"}) == "there is no option -seed; did you mean --seed?");
    CHECK(refusal({"--keepgoin"}) == "there is no option --keepgoin; did you mean --keep-going?");
    CHECK(refusal({"--frobnicate"}) == "there is no option --frobnicate; see --help");
    CHECK(refusal({"storm"}) == "'storm' is not an option; scenarios are chosen with --filter, see --help");
}

TEST_CASE("options: those that contradict each other are refused") {
    const char* const order = "storm:1:0x2:3:4";
    const std::vector<std::vector<const char*>> others{{"--list"}, {"--filter", "a"}, {"--shard", "1/2"}, {"--profile", "ci"}, {"--tasks", "1"},
                                                       {"--duration", "1"}, {"--seed", "1"}, {"--engine", "tbb"}, {"--workers", "1"}, {"--keep-going"}};
    for (const auto& other : others) {
        std::vector<const char*> words = other;
        words.insert(words.end(), {"--replay", order});
        CHECK(holds(refusal(words), std::string("--replay and ") + other[0] + " exclude each other"));
    }
    CHECK(holds(refusal({"--times", "5"}), "--times is how often a round is replayed"));
    CHECK(holds(refusal({"--junit", "a", "--json", "a"}), "name the same file"));
    CHECK(parsed({"--replay", order, "--times", "5", "--hang-after", "5", "--json", "a"}).times == 5);
}

TEST_CASE("options: help and version are answered whatever follows") {
    CHECK(parsed({"--help", "--nonsense"}).what == options::action::help);
    CHECK(parsed({"--times", "5", "-h"}).what == options::action::help);
    CHECK(parsed({"--version"}).what == options::action::version);
    CHECK(parsed({"--list", "--filter", "a"}).what == options::action::list);
}

TEST_CASE("options: a replay order comes back from its text as it was") {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    for (const replay_order& order : {replay_order{"storm", 17, 0x5eed, 16384, 8, false}, replay_order{"own-worker-2", 0, 0, 1, 1, true},
                                      replay_order{"a", most, most, 1'000'000, 256, true}}) {
        const std::string text = order.to_text();
        const std::optional<replay_order> again = parsed({"--replay", text.c_str()}).replay;
        REQUIRE(again);
        CHECK(again->to_text() == text);
        CHECK(again->scenario == order.scenario);
        CHECK(again->round == order.round);
        CHECK(again->seed == order.seed);
        CHECK(again->tasks == order.tasks);
        CHECK(again->workers == order.workers);
        CHECK(again->tbb == order.tbb);
    }
    CHECK(replay_order{"storm", 17, 0x5eed, 16384, 8, true}.to_text() == "storm:17:0x5eed:16384:8:tbb");
    CHECK(parsed({"--replay", "storm:17:5eed:16384:8"}).replay->seed == 0x5eed);
}

TEST_CASE("options: the help names every option and exit code in at most 100 columns") {
    const std::string text = help("lastly-stress");
    for (const char* const part : {"--list", "--filter", "--shard", "--profile", "--tasks", "--duration", "--seed", "--engine", "--workers", "--keep-going",
                                   "--hang-after", "--junit", "--json", "--replay", "--times", "--help", "--version", "-h", "\n   0  ", "\n   1  ", "\n   2  ",
                                   "\n   3  ", "\n   4  ", "\n  77  "}) {
        CHECK_MESSAGE(holds(text, part), part);
    }
    CHECK(holds(text, build_words()));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(line.size() <= 100, line);
}

TEST_CASE("options: the profiles grow, and are smaller in sanitized builds") {
    CHECK(tasks_of(profile::quick) < tasks_of(profile::ci));
    CHECK(tasks_of(profile::ci) < tasks_of(profile::nightly));
    const std::string build = build_words();
    const std::uint64_t nightly = holds(build, "thread") ? 50'000'000 : holds(build, "address") ? 100'000'000 : 1'000'000'000;
    CHECK(tasks_of(profile::nightly) == nightly);
}

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
    r.failures[0].again = "--filter churn --seed 0x5eed --tasks 5k";
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
