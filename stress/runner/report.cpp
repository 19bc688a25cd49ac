// See report.hpp.
#include "stress/runner/report.hpp"

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cmath>
#include <cstdlib>

namespace lastly::stress::detail {

namespace {

using seconds = std::chrono::duration<double>;

constexpr auto between_drawings = std::chrono::milliseconds(100);
constexpr auto between_lines = std::chrono::seconds(15);
constexpr std::size_t narrowest_bar = 6;
constexpr std::size_t widest_bar = 32;
constexpr std::size_t text_width = 100;
constexpr std::size_t word_width = 10;   // of "law broken", the longest word for where a scenario is

std::string right(const std::string& text, std::size_t width) { return std::string(width - std::min(width, text.size()), ' ') + text; }
std::string left(const std::string& text, std::size_t width) { return text + std::string(width - std::min(width, text.size()), ' '); }

std::string decimal(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.1f", value);
    return text;
}

// "345,678", "12.3 M": seven characters up to 1e15.
std::string readable(double n) {
    const double whole = std::round(n);
    if (whole < 1e6) return exact(static_cast<std::uint64_t>(whole));
    double scaled = n / 1e6;
    const char* unit = " M";
    for (const char* const larger : {" G", " T"}) {
        if (scaled < 999.95) break;   // from here on it would be rounded to 1000.0
        scaled /= 1000;
        unit = larger;
    }
    return decimal(scaled) + unit;
}
std::string readable(std::uint64_t n) { return readable(static_cast<double>(n)); }

std::string counted(const std::string& n, const char* word) { return n + " " + word + (n == "1" ? "" : "s"); }

std::string rate(std::uint64_t tasks, seconds time) { return time.count() > 0 ? readable(static_cast<double>(tasks) / time.count()) : "-"; }

// "3.2 s", "5 min 03 s", "2 h 05 min"
std::string time_text(seconds time) {
    if (time.count() < 59.95) return decimal(time.count()) + " s";
    const auto whole = static_cast<std::uint64_t>(std::round(time.count()));
    char text[40];
    if (whole < 3600) std::snprintf(text, sizeof text, "%" PRIu64 " min %02" PRIu64 " s", whole / 60, whole % 60);
    else std::snprintf(text, sizeof text, "%" PRIu64 " h %02" PRIu64 " min", whole / 3600, whole / 60 % 60);
    return text;
}

// One column is left free: a character in the last one makes some terminals wrap.
std::size_t usable_width(std::FILE* terminal) {
    winsize size{};
    if (::ioctl(::fileno(terminal), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 79;
    return size.ws_col - 1u;
}

// See no-color.org.
bool are_colours_wanted() {
    const char* const refused = std::getenv("NO_COLOR");
    return refused == nullptr || *refused == '\0';
}

const char* colour_of(end e) noexcept {
    switch (e) {
        case end::passed: return "\033[32m";    // green
        case end::skipped: return "\033[33m";   // yellow
        case end::broken:
        case end::hang:
        case end::crash: break;
    }
    return "\033[1;31m";   // bold red
}

// What became of a scenario, behind its label.
std::string result_text(const scenario_result& r, bool in_colour) {
    const std::string words = left(to_string(r.kind), word_width);
    const std::string shown = in_colour ? colour_of(r.kind) + words + "\033[0m" : words;
    if (r.kind == end::skipped) return shown + "  " + r.reason;
    std::string text = shown + "  " + right(readable(r.tasks), 7) + " tasks  " + right(exact(r.rounds), 7) + (r.rounds == 1 ? " round   " : " rounds  ") +
                       right(rate(r.tasks, r.time), 7) + " tasks/s  " + time_text(r.time);
    if (r.counts != nullptr) text += ", " + exact(r.counted) + " " + r.counts;
    if (!r.failures.empty()) text += ", " + counted(exact(r.failures.size()), "round") + " failed";
    return text;
}

// Broken at blanks, so that lines that begin behind `indent` columns end before the text width.
std::string wrapped(const std::string& text, std::size_t indent) {
    std::string lines;
    std::size_t column = indent;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t word_end = std::min(text.find(' ', at), text.size());
        if (column != indent && column + 1 + word_end - at > text_width) {
            lines.append("\n").append(indent, ' ');
            column = indent;
        } else if (at != 0) {
            lines += ' ';
            ++column;
        }
        lines.append(text, at, word_end - at);
        column += word_end - at;
        at = word_end + 1;
    }
    return lines;
}

std::string finding_lines(const failure& f) {
    std::size_t width = 0;
    for (const finding& one : f.findings) width = std::max(width, one.law.size());
    std::string lines;
    for (const finding& one : f.findings) lines += "  " + left(one.law, width) + "  " + wrapped(one.what, width + 4) + "\n";
    if (f.broken > f.findings.size()) lines += "  and " + exact(f.broken - f.findings.size()) + " more\n";
    return lines;
}

std::string details_lines(const std::string& details) {
    std::string lines;
    for (std::size_t at = 0; at < details.size();) {
        const std::size_t line_end = std::min(details.find('\n', at), details.size());
        lines += "  | " + details.substr(at, line_end - at) + "\n";
        at = line_end + 1;
    }
    return lines;
}

constexpr std::array all_ends{end::passed, end::broken, end::hang, end::crash, end::skipped};

std::string summary_row(const char* label, const std::string& text) { return std::string("  ") + left(label, 12) + wrapped(text, 14) + "\n"; }

// "cancel-storm (2 rounds), exit-abort (1 round)": the scenarios that ended so.
std::string names_of(const run_result& r, end e) {
    std::string names;
    for (const scenario_result& s : r.scenarios) {
        if (s.kind != e) continue;
        names += (names.empty() ? "" : ", ") + s.name;
        if (!s.failures.empty()) names += " (" + counted(exact(s.failures.size()), "round") + ")";
    }
    return names;
}

const char* verdict_of(int exit_code) noexcept {
    switch (exit_code) {
        case 0: return "All laws held.";
        case 1: return "A law was broken.";
        case 3: return "A scenario hung.";
        case 4: return "A scenario crashed.";
    }
    return "Nothing was run.";
}

}   // namespace

std::string exact(std::uint64_t n) {
    const std::string digits = std::to_string(n);
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
        text += digits[i];
    }
    return text;
}

const char* to_string(end e) noexcept {
    switch (e) {
        case end::passed: return "passed";
        case end::broken: return "law broken";
        case end::hang: return "hang";
        case end::crash: return "crash";
        case end::skipped: return "skipped";
    }
    return "unknown";
}

int run_result::exit_code() const noexcept {
    int worst = 77;
    for (const scenario_result& s : scenarios) {
        const int code = s.kind == end::broken ? 1 : s.kind == end::hang ? 3 : s.kind == end::crash ? 4 : 0;
        if (s.kind != end::skipped) worst = worst == 77 ? code : std::max(worst, code);
    }
    return worst;
}

sums run_result::all() const noexcept {
    sums all;
    for (const scenario_result& s : scenarios) {
        ++all.ended[static_cast<std::size_t>(s.kind)];
        all.rounds += s.rounds;
        all.tasks += s.tasks;
        all.finalizers += s.finalizers;
    }
    return all;
}

progress::progress(std::FILE* to, bool is_terminal, std::size_t name_width) : to_(to), is_terminal_(is_terminal), name_width_(name_width) {}

std::string progress::label() const {
    const std::string total = std::to_string(of_);
    return std::string("[") + right(std::to_string(number_), total.size()) + "/" + total + "] " + left(name_, name_width_) + "  ";
}

void progress::begin(const std::string& scenario, std::uint64_t tasks_planned, std::size_t number, std::size_t of) {
    name_ = scenario;
    planned_ = tasks_planned;
    number_ = number;
    of_ = of;
    began_ = drawn_ = std::chrono::steady_clock::now();
    if (is_terminal_) return draw(0, 0);
    std::fputs((label() + left("begins", word_width) + (planned_ != 0 ? "  " + right(readable(planned_), 7) + " tasks planned" : "") + "\n").c_str(), to_);
    std::fflush(to_);
}

void progress::advance(std::uint64_t rounds, std::uint64_t tasks) {
    const auto now = std::chrono::steady_clock::now();
    if (is_terminal_ ? now - drawn_ < between_drawings : now - drawn_ < between_lines) return;
    drawn_ = now;
    draw(rounds, tasks);
}

void progress::end(const scenario_result& r) {
    if (is_terminal_) std::fputs("\r\033[K", to_);
    std::fputs((label() + result_text(r, is_terminal_ && are_colours_wanted()) + "\n").c_str(), to_);
    std::fflush(to_);
}

void progress::draw(std::uint64_t rounds, std::uint64_t tasks) const {
    const seconds time = drawn_ - began_;
    const bool is_bounded = planned_ != 0 && tasks <= planned_;   // beyond it, a scenario goes on until its time is over
    const double part = is_bounded ? static_cast<double>(tasks) / static_cast<double>(planned_) : 0;
    const std::string state = is_bounded ? std::to_string(static_cast<int>(part * 100)) + " %" : "running";
    const std::string count = right(readable(tasks), 7) + (is_bounded ? " of " + readable(planned_) : "");
    const std::string speed = right(rate(tasks, time), 7) + " tasks/s";
    std::string line;
    if (is_terminal_) {
        const std::string behind = right(state, 5) + "  " + count + "  " + speed;
        const std::size_t width = usable_width(to_), taken = label().size() + behind.size() + 3;   // 3: the bar's ends and a blank
        std::string bar;
        if (is_bounded && width >= taken + narrowest_bar) {
            const std::size_t room = std::min(width - taken, widest_bar);
            const auto full = static_cast<std::size_t>(part * static_cast<double>(room));
            bar.append("[").append(full, '#').append(room - full, '.').append("] ");
        }
        line.append("\r").append(label() + bar + behind, 0, width).append("\033[K");   // K: clears what a longer line left behind it
    } else {
        line = label() + left(state, word_width) + "  " + count + " tasks  " + right(exact(rounds), 7) + " rounds  " + speed + "  " + time_text(time) + "\n";
    }
    std::fputs(line.c_str(), to_);
    std::fflush(to_);
}

std::string replay_command(const std::string& program, const scenario_result& r, const failure& f) {
    return program + " " + (f.is_of_all_rounds ? r.again : "--replay " + f.replay.to_text());
}

std::string failure_block(const std::string& program, const scenario_result& r, const failure& f) {
    const replay_order& order = f.replay;
    const std::string where = f.is_of_all_rounds ? ", over all of its rounds: " : ", round " + exact(order.round) + ": ";
    const std::string with = f.is_of_all_rounds ? counted(exact(r.rounds), "round") + ", " + counted(exact(r.tasks), "task")
                                                : counted(exact(order.tasks), "task") + ", " + counted(exact(order.workers), "worker");
    return std::string("\n") + r.name + where + to_string(f.kind) + "\n" +
           "  with " + with + ", engine " + (order.tbb ? "tbb" : "work_stealing") + "\n" +
           finding_lines(f) + details_lines(f.details) +
           "  replay: " + replay_command(program, r, f) + "\n";
}

std::string summary(const run_result& r) {
    const sums all = r.all();
    std::string ended, failed;
    for (const end e : all_ends) {
        if (all.of(e) == 0) continue;
        ended += (ended.empty() ? ": " : ", ") + exact(all.of(e)) + " " + to_string(e);
        if (e != end::passed && e != end::skipped) failed += summary_row(to_string(e), names_of(r, e));
    }
    const int code = r.exit_code();
    return std::string("\n") + summary_row("scenarios", exact(r.scenarios.size()) + ended) +
           summary_row("tasks", exact(all.tasks) + " in " + counted(exact(all.rounds), "round") + ", " + rate(all.tasks, r.time) + " tasks/s") +
           summary_row("finalizers", exact(all.finalizers)) +
           summary_row("time", time_text(r.time)) +
           summary_row("run", "seed " + seed_text(r.seed) + ", profile " + to_string(r.profile) + ", " + r.build) + failed +
           "\n" + verdict_of(code) + (code != 0 ? " Exit code " + std::to_string(code) + "." : "") + "\n";
}

}   // namespace lastly::stress::detail
