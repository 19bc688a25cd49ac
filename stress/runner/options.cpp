// See options.hpp. Each option is a row of one table, from which the parser, its messages and the help are made.
#include "stress/runner/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lastly::stress::detail {

namespace {

// What this file, and with it the suite, was built with. GCC has no word for its undefined behaviour sanitizer.
#ifdef __has_feature
#define LASTLY_HAS_FEATURE(name) __has_feature(name)
#else
#define LASTLY_HAS_FEATURE(name) 0
#endif
constexpr bool sanitized_for_threads() noexcept {
#if defined(__SANITIZE_THREAD__) || LASTLY_HAS_FEATURE(thread_sanitizer)
    return true;
#else
    return false;
#endif
}
constexpr bool sanitized_for_addresses() noexcept {
#if defined(__SANITIZE_ADDRESS__) || LASTLY_HAS_FEATURE(address_sanitizer)
    return true;
#else
    return false;
#endif
}
constexpr bool sanitized_for_undefined() noexcept {
#if LASTLY_HAS_FEATURE(undefined_behavior_sanitizer)
    return true;
#else
    return false;
#endif
}
#undef LASTLY_HAS_FEATURE

constexpr std::uint64_t most_tasks = 1'000'000'000'000'000;   // years; leaves room to multiply by shares
constexpr std::uint64_t most_round_tasks = 1'000'000'000;
constexpr std::uint64_t most_compared_tasks = 1'000'000;
constexpr std::uint64_t most_seconds = 1000 * 3600;
constexpr unsigned most_workers = 256;
constexpr unsigned most_shards = 1000;
constexpr unsigned most_times = 1'000'000;

// Readers of values: false if the text, all of it, is not what is wanted.

template <class Number>
bool read(std::string_view text, std::type_identity_t<Number> least, std::type_identity_t<Number> most, Number& into, int base = 10) noexcept {
    const char* const text_end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), text_end, into, base);
    return error == std::errc() && stop == text_end && into >= least && into <= most;
}

bool read_hexadecimal(std::string_view text, std::uint64_t& into) noexcept {
    if (text.starts_with("0x")) text.remove_prefix(2);
    return read(text, 0, std::numeric_limits<std::uint64_t>::max(), into, 16);
}

bool read_seed(std::string_view text, std::uint64_t& into) noexcept {
    return text.starts_with("0x") ? read_hexadecimal(text, into) : read(text, 0, std::numeric_limits<std::uint64_t>::max(), into);
}

bool read_tasks(std::string_view text, std::uint64_t& into) noexcept {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string_view unit = text.substr(digits);
    unsigned zeros = 0;
    if (unit == "k") {
        zeros = 3;
    } else if (unit == "M") {
        zeros = 6;
    } else if (unit == "G") {
        zeros = 9;
    } else if (!unit.empty() && (unit.front() != 'e' || !read(unit.substr(1), 0, 15, zeros))) {
        return false;
    }
    if (!read(text.substr(0, digits), 1, most_tasks, into)) return false;
    for (; zeros != 0; --zeros) {
        if (into > most_tasks / 10) return false;
        into *= 10;
    }
    return true;
}

bool read_time(std::string_view text, std::chrono::seconds& into) noexcept {
    std::uint64_t unit = 1;
    if (!text.empty()) {
        const char last = text.back();
        if (last == 'm') unit = 60;
        if (last == 'h') unit = 3600;
        if (last == 's' || last == 'm' || last == 'h') text.remove_suffix(1);
    }
    std::uint64_t count = 0;
    if (!read(text, 1, most_seconds / unit, count)) return false;
    into = std::chrono::seconds(count * unit);
    return true;
}

bool read_text(std::string_view text, std::string& into) {
    into = text;
    return !text.empty();
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

bool take_filter(options& o, std::string_view text) {
    for (const std::string_view pattern : split(text, ',')) {
        if (pattern.empty()) return false;
        o.filters.emplace_back(pattern);
    }
    return true;
}

bool take_shard(options& o, std::string_view text) {
    const auto parts = split(text, '/');
    return parts.size() == 2 && read(parts[1], 1, most_shards, o.shards) && read(parts[0], 1, o.shards, o.shard);
}

bool take_profile(options& o, std::string_view text) {
    for (const profile p : {profile::quick, profile::ci, profile::nightly}) {
        if (text != to_string(p)) continue;
        o.profile = p;
        return true;
    }
    return false;
}

bool take_engine(options& o, std::string_view text) {
    o.tbb = text == "tbb";
    return o.tbb || text == "work_stealing";
}

bool take_replay(options& o, std::string_view text) {
    const auto parts = split(text, ':');
    if (parts.size() != 5 && parts.size() != 6) return false;
    replay_order& order = o.replay.emplace();
    order.tbb = parts.size() == 6;
    return read_text(parts[0], order.scenario) && read(parts[1], 0, std::numeric_limits<std::uint64_t>::max(), order.round) &&
           read_hexadecimal(parts[2], order.seed) && read(parts[3], 1, most_round_tasks, order.tasks) &&
           read(parts[4], 1, most_workers, order.workers) && (!order.tbb || parts[5] == "tbb");
}

struct option {
    std::string_view name;
    std::string_view value;    // as the help calls it; empty: the option takes none
    std::string_view wanted;   // what a value has to be; goes on after "is not"
    std::string_view about;    // for the help
    bool (*take)(options& o, std::string_view value);   // false: the value is not what is wanted
    bool compares = false;     // is there only with peers
};

constexpr std::array table{
    option{"--list", "", "", "show the scenarios that would be run, a line each, and run none",
           [](options& o, std::string_view) { o.what = options::action::list; return true; }},
    option{"--filter", "PATTERNS", "one or more patterns separated by commas, such as storm,own-*",
           "run the scenarios whose names match one of these shell patterns with * and ?;\n"
           "separated by commas, and the option may be given again", &take_filter},
    option{"--shard", "I/N", "a share I/N with I from 1 to N and N up to 1000, such as 2/4",
           "run the I-th of N shares of the scenarios: divides a run among machines", &take_shard},
    option{"--profile", "NAME", "one of quick, ci and nightly", "how many tasks: quick (default), ci or nightly; see below", &take_profile},
    option{"--tasks", "N", "a number of tasks from 1 to 1e15, such as 100000, 1e6, 10M or 5k",
           "how many tasks in all, instead of the profile's: 100000, 1e6, 10M, 5k",
           [](options& o, std::string_view text) { return read_tasks(text, o.tasks); }},
    option{"--duration", "TIME", "a time from 1s to 1000h in whole seconds, minutes or hours, such as 90, 30s, 5m or 2h",
           "how long in all at least, with more tasks if need be: 90 (seconds), 30s, 5m, 2h",
           [](options& o, std::string_view text) { return read_time(text, o.duration); }},
    option{"--seed", "N", "a number from 0 to 18446744073709551615 (2^64 - 1), decimal or hexadecimal such as 0x5eed",
           "the workloads' seed, decimal or 0x...; default: a new one, which is shown",
           [](options& o, std::string_view text) { return read_seed(text, o.seed.emplace()); }},
    option{"--engine", "NAME", "one of work_stealing and tbb", "the pools' engine: work_stealing (default) or tbb", &take_engine},
    option{"--workers", "N", "a number of workers from 1 to 256", "the pools' workers, 1 to 256; default: 1, 2 and 8 in turn",
           [](options& o, std::string_view text) { return read(text, 1, most_workers, o.workers); }},
    option{"--keep-going", "", "", "go on after a failure; default: the first one ends the run",
           [](options& o, std::string_view) { return o.keep_going = true; }},
    option{"--hang-after", "TIME", "a time from 1s to 1000h in whole seconds, minutes or hours, such as 90, 30s, 5m or 2h",
           "how long nothing may happen before a scenario counts as hung; default: 20s",
           [](options& o, std::string_view text) { return read_time(text, o.hang_after); }},
    option{"--junit", "FILE", "the name of a file to write", "write a report as JUnit XML",
           [](options& o, std::string_view text) { return read_text(text, o.junit); }},
    option{"--json", "FILE", "the name of a file to write", "write a report as JSON",
           [](options& o, std::string_view text) { return read_text(text, o.json); }},
    option{"--replay", "ORDER", "NAME:ROUND:SEED:TASKS:WORKERS or that with :tbb behind it, as a failure shows it: "
           "SEED in hexadecimal, TASKS up to 1e9, WORKERS to 256",
           "run one round again; ORDER is NAME:ROUND:SEED:TASKS:WORKERS[:tbb], as a failure\nshows it", &take_replay},
    option{"--times", "N", "a number of times from 1 to 1000000", "with --replay: how often the round is run; default: 20",
           [](options& o, std::string_view text) { return read(text, 1, most_times, o.times); }},
    option{"--compare", "", "", "in a table: what becomes of tasks, here and in other pools, by way of ending;\n"
           "--tasks: queued in each line (default: 1000), --filter: by PEER/ENDING",
           [](options& o, std::string_view) { o.what = options::action::compare; return true; }, true},
    option{"--help", "", "", "show this text; so does -h", [](options& o, std::string_view) { o.what = options::action::help; return true; }},
    option{"--version", "", "", "show the version", [](options& o, std::string_view) { o.what = options::action::version; return true; }},
};

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument(why); }

// How many characters have to be put in, taken out or exchanged (Wagner, Fischer 1974, with one row).
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, exchanged}));
        }
    }
    return row.back();
}

const option& find_option(std::string_view name, bool has_peers) {
    if (name == "-h") name = "--help";
    const option* nearest = nullptr;
    std::size_t least = 3;
    for (const option& known : table) {
        if (known.compares && !has_peers) continue;
        const std::size_t steps = distance(name, known.name);
        if (steps == 0) return known;
        if (steps < least) {
            nearest = &known;
            least = steps;
        }
    }
    const std::string word(name);
    if (!name.starts_with('-')) refuse("'" + word + "' is not an option; scenarios are chosen with --filter, see --help");
    refuse("there is no option " + word + "; " + (nearest != nullptr ? "did you mean " + std::string(nearest->name) + "?" : "see --help"));
}

void refuse_contradictions(const options& o, const std::vector<std::string_view>& given) {
    const auto is_given = [&given](std::string_view name) { return std::find(given.begin(), given.end(), name) != given.end(); };
    for (const char* const other : {"--list", "--filter", "--shard", "--profile", "--tasks", "--duration", "--seed", "--engine", "--workers", "--keep-going"}) {
        if (!o.replay || !is_given(other)) continue;
        refuse(std::string("--replay and ") + other + " exclude each other: a replay order says itself what is run; leave out one of them");
    }
    for (const char* const other : {"--list", "--shard", "--profile", "--duration", "--seed", "--engine", "--keep-going", "--junit", "--replay"}) {
        if (!is_given("--compare") || !is_given(other)) continue;
        refuse(std::string("--compare and ") + other + " exclude each other: to compare is no run of scenarios; leave out one of them");
    }
    if (is_given("--compare") && o.tasks > most_compared_tasks) refuse("--tasks: with --compare, at most 1M are queued in each line");
    if (!o.replay && is_given("--times")) refuse("--times is how often a round is replayed; give --replay with it, or leave it out");
    if (!o.junit.empty() && o.junit == o.json) refuse("--junit and --json name the same file, " + o.json + "; give each its own");
}

// As --tasks reads it.
std::string in_short(std::uint64_t tasks) {
    const char* unit = "";
    for (const char* const larger : {"k", "M", "G"}) {
        if (tasks % 1000 != 0) break;
        tasks /= 1000;
        unit = larger;
    }
    return std::to_string(tasks) + unit;
}

std::string option_lines(bool has_peers) {
    const auto label_of = [](const option& known) { return "  " + std::string(known.name) + (known.value.empty() ? "" : " ") + std::string(known.value); };
    std::size_t width = 0;
    for (const option& known : table) width = std::max(width, label_of(known).size() + 2);
    std::string lines;
    for (const option& known : table) {
        if (known.compares && !has_peers) continue;
        std::string label = label_of(known);
        for (const std::string_view line : split(known.about, '\n')) {
            label.resize(width, ' ');
            lines += label + std::string(line) + "\n";
            label.clear();
        }
    }
    return lines;
}

}   // namespace

std::string replay_order::to_text() const {
    return scenario + ":" + std::to_string(round) + ":" + seed_text(seed) + ":" + std::to_string(tasks) + ":" + std::to_string(workers) + (tbb ? ":tbb" : "");
}

const char* to_string(profile p) noexcept {
    switch (p) {
        case profile::quick: return "quick";
        case profile::ci: return "ci";
        case profile::nightly: return "nightly";
    }
    return "unknown";
}

std::string seed_text(std::uint64_t seed) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(seed));
    return text;
}

std::uint64_t tasks_of(profile p) noexcept {
    constexpr std::array<std::uint64_t, 3> of_threads{100'000, 5'000'000, 50'000'000};
    constexpr std::array<std::uint64_t, 3> of_addresses{200'000, 10'000'000, 100'000'000};
    constexpr std::array<std::uint64_t, 3> plain{2'000'000, 100'000'000, 1'000'000'000};
    return (sanitized_for_threads() ? of_threads : sanitized_for_addresses() ? of_addresses : plain)[static_cast<std::size_t>(p)];
}

bool is_sanitized() noexcept { return sanitized_for_threads() || sanitized_for_addresses(); }

std::string build_words() {
    std::string sanitizers;
    const auto add = [&sanitizers](bool is_on, const char* name) {
        if (is_on) sanitizers += (sanitizers.empty() ? "" : "+") + std::string(name);
    };
    add(sanitized_for_addresses(), "address");
    add(sanitized_for_threads(), "thread");
    add(sanitized_for_undefined(), "undefined");
#ifdef __clang__
    const std::string compiler =
        "Clang " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__) + "." + std::to_string(__clang_patchlevel__);
#else
    const std::string compiler = "GCC " + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__);
#endif
    return compiler + ", " + (sanitizers.empty() ? "plain" : sanitizers);
}

options parse(int argc, const char* const* argv, bool has_peers) {
    options o;
    std::vector<std::string_view> given;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const auto equals = word.find('=');
        const option& known = find_option(word.substr(0, equals), has_peers);
        const std::string name(known.name);
        if (name != "--filter" && std::find(given.begin(), given.end(), name) != given.end()) refuse(name + " is given twice; give it once");
        given.push_back(known.name);

        std::string_view value;
        if (equals != std::string_view::npos) {
            value = word.substr(equals + 1);
            if (known.value.empty()) refuse(name + " takes no value; leave out '" + std::string(word.substr(equals)) + "'");
        } else if (!known.value.empty()) {
            if (i + 1 == argc || std::string_view(argv[i + 1]).starts_with("--")) refuse(name + " needs a value: " + std::string(known.wanted));
            value = argv[++i];
        }
        if (!known.take(o, value)) refuse(name + ": '" + std::string(value) + "' is not " + std::string(known.wanted));
        if (o.what == options::action::help || o.what == options::action::version) return o;   // whatever else is asked
    }
    refuse_contradictions(o, given);
    const bool is_limited = std::find(given.begin(), given.end(), "--hang-after") != given.end();
    if (o.what == options::action::compare && !is_limited) o.hang_after = std::chrono::seconds(5);
    return o;
}

std::string help(const std::string& program, bool has_peers) {
    std::string tasks;
    for (const profile p : {profile::quick, profile::ci, profile::nightly}) {
        tasks += (tasks.empty() ? "" : ", ") + std::string(to_string(p)) + " " + in_short(tasks_of(p));
    }
    return "Usage: " + program + " [option]...\n"
           "\n"
           "Runs scenarios against a task pool, each in a process of its own, while another process keeps\n"
           "account of every task and says which laws of the pool's contract were broken, if any.\n"
           "\n" + option_lines(has_peers) + "\n"
           "A value follows its option after a blank or after '=': --seed 7, --seed=7.\n"
           "Tasks in this build (" + build_words() + "): " + tasks + ".\n"
           "\n"
           "A seed replays a workload exactly: the same tasks, with the same plans. The schedule is the\n"
           "threads' own and only likely to come again, so a replayed round is run --times times, and the\n"
           "program says in how many of them the law broke.\n"
           "\n"
           "Exit codes:\n"
           "   0  all laws held\n"
           "   1  a law was broken\n"
           "   2  the options cannot be followed\n"
           "   3  a scenario hung\n"
           "   4  a scenario crashed\n"
           "  77  nothing was run\n"
           "\n"
           "Examples:\n"
           "  " + program + "\n"
           "  " + program + " --list --filter 'own-*'\n"
           "  " + program + " --filter 'storm,own-*' --tasks 10M --workers 8\n"
           "  " + program + " --profile ci --shard 2/4 --junit report.xml\n"
           "  " + program + " --duration 10m --engine tbb --keep-going --json report.json\n"
           "  " + program + " --replay storm:17:0x5eed:65536:8 --times 200\n" +
           (has_peers ? "  " + program + " --compare --tasks 10k\n" : "");
}

}   // namespace lastly::stress::detail
