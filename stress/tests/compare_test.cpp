// --compare: how it is asked for, what it counts from the witness's cells, and the table and the file that it writes.
#include "stress/runner/compare.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace lastly::stress;
using namespace lastly::stress::detail;
using namespace std::chrono_literals;

namespace {

options parsed(const std::vector<const char*>& words, bool has_peers = true) {
    std::vector<const char*> line{"lastly-stress"};
    line.insert(line.end(), words.begin(), words.end());
    return parse(static_cast<int>(line.size()), line.data(), has_peers);
}

// What is said of a command line that is refused; empty: it was not.
std::string refusal(const std::vector<const char*>& words, bool has_peers = true) {
    try {
        parsed(words, has_peers);
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
    return {};
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A witness with room for 16 tasks.
class some_cells {
public:
    some_cells() : memory_(arena::make(16)) { memory_.header().next_cell.store(16); }
    cell& at(std::size_t i) { return memory_.cells()[i]; }
    compared counted(bool process_ended = false) const {
        compared c;
        count(memory_, process_ended, c);
        return c;
    }

private:
    arena memory_;
};

void run(cell& c) {
    c.begin();
    c.end();
    c.run_attached(0, ends::succeeded, true);
}

compared one_line(const char* ending, const char* peer, std::uint64_t accepted, std::uint64_t cleaned) {
    compared c;
    c.ending = ending;
    c.peer = peer;
    c.how = "as ever";
    c.accepted = c.begun = c.waiters = accepted;
    c.cleaned = cleaned;
    return c;
}

}   // namespace

TEST_CASE("compare: the option is there only with something to compare") {
    CHECK(parsed({"--compare"}).what == options::action::compare);
    CHECK(refusal({"--compare"}, false) == "there is no option --compare; see --help");
    CHECK(refusal({"--compere"}) == "there is no option --compere; did you mean --compare?");
    CHECK(holds(help("lastly-stress", true), "--compare"));
    CHECK_FALSE(holds(help("lastly-stress", false), "--compare"));
    std::istringstream lines(help("lastly-stress", true));
    for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(line.size() <= 100, line);
}

TEST_CASE("compare: options that say how to run scenarios are refused beside it") {
    const std::vector<std::vector<const char*>> others{{"--list"}, {"--shard", "1/2"}, {"--profile", "ci"}, {"--duration", "1"}, {"--seed", "1"},
                                                       {"--engine", "tbb"}, {"--keep-going"}, {"--junit", "a"}, {"--replay", "storm:1:0x2:3:4"}};
    for (const auto& other : others) {
        std::vector<const char*> words = other;
        words.push_back("--compare");
        CHECK(holds(refusal(words), std::string("--compare and ") + other[0] + " exclude each other"));
    }
    CHECK(holds(refusal({"--compare", "--times", "5"}), "--times is how often a round is replayed"));
    CHECK(refusal({"--compare", "--tasks", "1000001"}) == "--tasks: with --compare, at most 1M are queued in each line");
}

TEST_CASE("compare: a line has 1,000 tasks, 2 workers and 5 s without an event unless told otherwise") {
    const options o = parsed({"--compare"});
    CHECK(compared_tasks(o) == 1000);
    CHECK(compared_workers(o) == 2);
    CHECK(o.hang_after == 5s);
    const options other = parsed({"--hang-after", "20", "--compare", "--tasks", "1M", "--workers", "8", "--json", "a", "--filter", "lastly/*"});
    CHECK(compared_tasks(other) == 1'000'000);
    CHECK(compared_workers(other) == 8);
    CHECK(other.hang_after == 20s);
    CHECK(holds(comparison_head(o), "1,000 tasks are queued behind 2 that hold the workers when"));
    CHECK(holds(comparison_head(parsed({"--tasks", "1", "--workers", "1"})), "1 task is queued behind the one that holds the worker when"));
}

TEST_CASE("compare: a scenario's name says peer and ending, with a dash for a blank") {
    const compared c = described({.name = "oneTBB-task_group/exit-inside-a-body/guard-in-body", .about = "a static one", .run = nullptr});
    CHECK(c.peer == "oneTBB task_group");
    CHECK(c.ending == "exit inside a body");
    CHECK(c.how == "a static one");
    CHECK(described({.name = "lastly", .about = "", .run = nullptr}).ending.empty());
}

TEST_CASE("compare: what ran, what is lost and who was never told are counted from the cells") {
    some_cells cells;
    for (const std::size_t i : {0u, 1u, 2u, 3u}) cells.at(i).submit({.attached = 1, .waiters = 1});
    run(cells.at(0));
    cells.at(0).tell(ends::succeeded);
    cells.at(1).run_attached(0, ends::cancelled, false);   // dropped, and nobody told
    cells.at(2).begin();                            // neither cleaned nor told
    cells.at(3).refuse();
    const compared c = cells.counted();
    CHECK(c.accepted == 3);
    CHECK(c.begun == 2);
    CHECK(c.cleaned == 2);
    CHECK(c.lost() == 1);
    CHECK(c.waiters == 3);
    CHECK(c.untold == 2);
    CHECK(cells.counted(true).waiters == 0);
    CHECK(cells.counted(true).untold == 0);
}

TEST_CASE("compare: a cleanup that runs again, and one that runs behind its waiter, show") {
    some_cells cells;
    for (const std::size_t i : {0u, 1u, 2u}) cells.at(i).submit({.attached = 1, .waiters = 1});
    run(cells.at(0));
    cells.at(0).run_attached(0, ends::succeeded, true);
    cells.at(1).tell(ends::cancelled);
    cells.at(1).run_attached(0, ends::cancelled, false);
    cells.at(2).tell(ends::cancelled);   // never cleaned: lost, and no more than that
    const compared c = cells.counted();
    CHECK(c.cleaned == 2);
    CHECK(c.cleaned_again == 1);
    CHECK(c.told_early == 1);
    CHECK(c.verdict() == "1 cleanups ran again; 1 waiters told before the cleanup");
}

TEST_CASE("compare: the verdict is what went wrong first, and says where nothing is lost") {
    compared c = one_line("cancelled", "lastly", 3, 3);
    CHECK(c.verdict() == "loses nothing");
    c.untold = 1;
    CHECK(c.verdict() == "loses waiters");
    c.cleaned = 2;
    CHECK(c.verdict() == "loses cleanups");
    c.end = "hangs";
    CHECK(c.verdict() == "hangs");
}

TEST_CASE("compare: the table is Markdown with aligned columns, and names an ending once") {
    std::vector<compared> lines{one_line("cancelled", "lastly", 1002, 1002), one_line("cancelled", "a pool", 1002, 2), one_line("exit", "lastly", 2, 2)};
    lines[1].untold = 1000;
    lines[2].waiters = 0;
    CHECK(table(lines) ==
          "| way of ending | peer   | tasks accepted | bodies begun | cleanups ran |  lost | never told | verdict        | how     |\n"
          "|---------------|--------|---------------:|-------------:|-------------:|------:|-----------:|----------------|---------|\n"
          "| cancelled     | lastly |          1,002 |        1,002 |        1,002 |     0 |          0 | loses nothing  | as ever |\n"
          "|               | a pool |          1,002 |        1,002 |            2 | 1,000 |      1,000 | loses cleanups | as ever |\n"
          "| exit          | lastly |              2 |            2 |            2 |     0 |          - | loses nothing  | as ever |\n");
    CHECK(holds(table({}), "| way of ending | peer |"));
}

TEST_CASE("compare: the file holds every line and what was built") {
    const std::string text = json({one_line("cancelled", "a \"pool\"", 1002, 2)}, parsed({"--compare"}));
    CHECK(text.starts_with("{\n  \"build\": \"" + build_words() + "\",\n  \"queued\": 1000,\n  \"workers\": 2,\n  \"lines\": [\n"));
    CHECK(holds(text, "\"peer\": \"a \\\"pool\\\"\","));
    CHECK(holds(text, "\"cleanups_lost\": 1000,"));
    CHECK(holds(text, "\"waiters_never_told\": 0,"));
    CHECK(holds(text, "\"verdict\": \"loses cleanups\""));
    CHECK(text.ends_with("  ]\n}\n"));
}
