// Report files for CI: see report.hpp. What programs wrote may hold any bytes; both formats come out as valid UTF-8.
#include "stress/runner/report.hpp"

#include "stress/runner/compare.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

namespace lastly::stress::detail {

namespace {

// How many bytes the character at the beginning of `text` has; 0 if it is none (Unicode 15, table 3-7).
std::size_t length_of_character(std::string_view text) noexcept {
    const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto follows = [byte](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
    const unsigned first = byte(0), second = byte(1);
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4 || !follows(1)) return 0;
    if (first < 0xe0) return 2;
    const bool is_overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool is_no_code_point = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);   // a surrogate; beyond U+10FFFF
    if (is_overlong || is_no_code_point || !follows(2)) return 0;
    if (first < 0xf0) return 3;
    return follows(3) ? 4 : 0;
}

// `escape` appends a character; bytes that are none come as the replacement character.
template <class Escape>
std::string escaped(std::string_view text, Escape&& escape) {
    std::string result;
    while (!text.empty()) {
        const std::size_t length = length_of_character(text);
        escape(result, length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length));
        text.remove_prefix(std::max(length, std::size_t{1}));
    }
    return result;
}

std::string decimal(std::chrono::duration<double> time) {
    std::array<char, 400> text{};   // for any double, in every locale with a point
    const auto [stop, error] = std::to_chars(text.data(), text.data() + text.size(), time.count(), std::chars_format::fixed, 3);
    return std::string(text.data(), stop);
}

// XML 1.0 has no place for most control characters, not even as references: they are left out.

void escape_for_text(std::string& to, std::string_view character) {
    if (character == "&") {
        to += "&amp;";
    } else if (character == "<") {
        to += "&lt;";
    } else if (character == ">") {
        to += "&gt;";   // "]]>" is no text
    } else if (character == "\r") {
        to += "&#13;";   // as it is, it would be read as a line's end
    } else if (character == "\xef\xbf\xbe" || character == "\xef\xbf\xbf") {
        return;   // U+FFFE and U+FFFF are no characters of XML
    } else if (static_cast<unsigned char>(character[0]) >= 0x20 || character == "\t" || character == "\n") {
        to += character;
    }
}

void escape_for_attribute(std::string& to, std::string_view character) {
    if (character == "\"") {
        to += "&quot;";
    } else if (character == "\n") {
        to += "&#10;";   // as they are, line ends and tabs would be read as blanks
    } else if (character == "\t") {
        to += "&#9;";
    } else {
        escape_for_text(to, character);
    }
}

std::string attribute(const char* name, std::string_view value) { return std::string(" ") + name + "=\"" + escaped(value, &escape_for_attribute) + "\""; }
std::string attribute(const char* name, std::uint64_t value) { return attribute(name, std::to_string(value)); }

std::string property(const char* name, std::string_view value) { return "      <property" + attribute("name", name) + attribute("value", value) + "/>\n"; }

// What is shown of a failed test before it is opened.
std::string message_of(const scenario_result& r) {
    if (r.failures.empty()) return to_string(r.kind);
    const failure& first = r.failures.front();
    const std::string where = std::string(to_string(first.kind)) + (first.is_of_all_rounds ? std::string(" over all rounds") : " in round " + std::to_string(first.replay.round));
    return first.findings.empty() ? where : where + ": " + first.findings.front().law + ": " + first.findings.front().what;
}

std::string test_case(const scenario_result& r, const std::string& program, std::string_view suite) {
    std::string text = "    <testcase" + attribute("classname", suite) + attribute("name", r.name) + attribute("time", decimal(r.time)) + ">\n";
    if (r.kind == end::skipped) return text + "      <skipped" + attribute("message", r.reason) + "/>\n    </testcase>\n";
    if (r.kind != end::passed) {
        const std::string element = r.kind == end::broken ? "failure" : "error";
        std::string blocks;
        for (const failure& f : r.failures) blocks += failure_block(program, r, f);
        text += "      <" + element + attribute("type", to_string(r.kind)) + attribute("message", message_of(r)) + ">" +
                escaped(blocks, &escape_for_text) + "</" + element + ">\n";
    }
    return text + "      <system-out>rounds " + std::to_string(r.rounds) + ", tasks " + std::to_string(r.tasks) +
           ", finalizers " + std::to_string(r.finalizers) + (r.counts != nullptr ? std::string(", ") + r.counts + " " + std::to_string(r.counted) : std::string()) + "</system-out>\n    </testcase>\n";
}

void escape_for_json(std::string& to, std::string_view character) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto code = static_cast<unsigned char>(character[0]);
    if (character == "\"" || character == "\\") {
        to += '\\';
        to += character;
    } else if (character == "\n") {
        to += "\\n";
    } else if (code < 0x20) {
        to += "\\u00";
        to += digits[code / 16];
        to += digits[code % 16];
    } else {
        to += character;
    }
}

std::string quoted(std::string_view text) { return std::string("\"") + escaped(text, &escape_for_json) + "\""; }

std::string field(const char* name, const std::string& json) { return quoted(name) + ": " + json; }
std::string field(const char* name, std::uint64_t n) { return field(name, std::to_string(n)); }

using items = std::vector<std::string>;

// An object or a list, with its items a line each at that depth.
std::string on_lines(char open, const items& parts, char close, std::size_t depth) {
    if (parts.empty()) return {open, close};
    std::string text(1, open);
    for (const std::string& part : parts) text.append(text.size() > 1 ? ",\n" : "\n").append(depth * 2, ' ').append(part);
    return text + "\n" + std::string((depth - 1) * 2, ' ') + close;
}

std::string json_of(const scenario_result& r, const failure& f, const std::string& program) {
    items findings;
    for (const finding& one : f.findings) findings.push_back(std::string("{") + field("law", quoted(one.law)) + ", " + field("what", quoted(one.what)) + "}");
    const replay_order& order = f.replay;
    return on_lines('{', {
        field("result", quoted(to_string(f.kind))),
        field("round", order.round),
        field("seed", quoted(seed_text(order.seed))),
        field("tasks", order.tasks),
        field("workers", order.workers),
        field("engine", quoted(order.tbb ? "tbb" : "work_stealing")),
        field("laws_broken", f.broken),
        field("findings", on_lines('[', findings, ']', 6)),
        field("details", quoted(f.details)),
        field("replay", quoted(replay_command(program, r, f))),
    }, '}', 5);
}

std::string json_of(const scenario_result& r, const std::string& program) {
    items failures;
    for (const failure& f : r.failures) failures.push_back(json_of(r, f, program));
    return on_lines('{', {
        field("name", quoted(r.name)),
        field("result", quoted(to_string(r.kind))),
        field("reason", quoted(r.reason)),
        field("rounds", r.rounds),
        field("tasks", r.tasks),
        field("finalizers", r.finalizers),
        field("counts", quoted(r.counts != nullptr ? r.counts : "")),
        field("counted", r.counted),
        field("seconds", decimal(r.time)),
        field("failures", on_lines('[', failures, ']', 4)),
    }, '}', 3);
}

}   // namespace

std::string junit(const run_result& r, const std::string& program) {
    const sums all = r.all();
    const auto slash = program.rfind('/');
    const std::string suite = program.substr(slash == std::string::npos ? 0 : slash + 1);
    const std::string counts = attribute("tests", r.scenarios.size()) + attribute("failures", all.of(end::broken)) +
                               attribute("errors", all.of(end::hang) + all.of(end::crash)) + attribute("skipped", all.of(end::skipped)) +
                               attribute("time", decimal(r.time));
    std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                       "<testsuites>\n"
                       "  <testsuite" + attribute("name", suite) + counts + ">\n"
                       "    <properties>\n" +
                       property("seed", seed_text(r.seed)) + property("profile", to_string(r.profile)) + property("build", r.build) +
                       "    </properties>\n";
    for (const scenario_result& s : r.scenarios) text += test_case(s, program, suite);
    return text + "  </testsuite>\n</testsuites>\n";
}

std::string json(const run_result& r, const std::string& program) {
    const sums all = r.all();
    items scenarios;
    for (const scenario_result& s : r.scenarios) scenarios.push_back(json_of(s, program));
    const std::string totals = on_lines('{', {
        field("scenarios", r.scenarios.size()),
        field("passed", all.of(end::passed)),
        field("law_broken", all.of(end::broken)),
        field("hang", all.of(end::hang)),
        field("crash", all.of(end::crash)),
        field("skipped", all.of(end::skipped)),
        field("rounds", all.rounds),
        field("tasks", all.tasks),
        field("finalizers", all.finalizers),
        field("seconds", decimal(r.time)),
    }, '}', 2);
    return on_lines('{', {
        field("seed", quoted(seed_text(r.seed))),
        field("profile", quoted(to_string(r.profile))),
        field("build", quoted(r.build)),
        field("exit_code", static_cast<std::uint64_t>(r.exit_code())),
        field("totals", totals),
        field("scenarios", on_lines('[', scenarios, ']', 2)),
    }, '}', 1) + "\n";
}

std::string json(const std::vector<compared>& lines, const options& o) {
    items list;
    for (const compared& c : lines) {
        list.push_back(on_lines('{', {
            field("ending", quoted(c.ending)),
            field("peer", quoted(c.peer)),
            field("how", quoted(c.how)),
            field("accepted", c.accepted),
            field("bodies_begun", c.begun),
            field("cleanups_ran", c.cleaned),
            field("cleanups_lost", c.lost()),
            field("waiters", c.waiters),
            field("waiters_never_told", c.untold),
            field("verdict", quoted(c.verdict())),
        }, '}', 3));
    }
    return on_lines('{', {
        field("build", quoted(build_words())),
        field("queued", compared_tasks(o)),
        field("workers", compared_workers(o)),
        field("lines", on_lines('[', list, ']', 2)),
    }, '}', 1) + "\n";
}

void write_file(const std::string& path, const std::string& text) {
    std::FILE* const file = std::fopen(path.c_str(), "we");
    int error = file == nullptr ? errno : 0;
    if (file != nullptr) {
        if (std::fwrite(text.data(), 1, text.size(), file) != text.size()) error = errno;
        if (std::fclose(file) != 0 && error == 0) error = errno;
    }
    if (error != 0) throw std::system_error(error, std::generic_category(), path + " cannot be written");
}

}   // namespace lastly::stress::detail
