// The command line: what is read, what is refused and how, and what --help says.
#include "stress/runner/options.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

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
