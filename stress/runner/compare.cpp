// See compare.hpp.
#include "stress/runner/compare.hpp"

#include "stress/runner/report.hpp"
#include "stress/runner/subject.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

namespace lastly::stress::detail {

namespace {

constexpr std::uint64_t spare_cells = 4096;   // threads take cells in blocks, and may leave some

// The part of "PEER/ENDING/FORM" with that number, in words: "thread-pool" is "thread pool".
std::string words_of(std::string_view name, unsigned part) {
    for (; part > 0; --part) name.remove_prefix(std::min(name.find('/'), name.size() - 1) + 1);
    std::string words(name.substr(0, name.find('/')));
    std::replace(words.begin(), words.end(), '-', ' ');
    return words;
}

// "it was ended by signal 6, Aborted" is "ended by signal 6, Aborted".
std::string shortened(std::string_view how) {
    for (const std::string_view subject : {"it ", "was "}) {
        if (how.starts_with(subject)) how.remove_prefix(subject.size());
    }
    return std::string(how);
}

constexpr std::size_t columns = 9;
using row = std::array<std::string, columns>;
constexpr std::array is_number{false, false, true, true, true, true, true, false, false};

std::string line_of(const row& cells, const std::array<std::size_t, columns>& widths) {
    std::string line = "|";
    for (std::size_t i = 0; i < columns; ++i) {
        const std::string blanks(widths[i] - cells[i].size(), ' ');
        line += ' ';
        line += is_number[i] ? blanks + cells[i] : cells[i] + blanks;
        line += " |";
    }
    return line + "\n";
}

std::string ruler(const std::array<std::size_t, columns>& widths) {
    std::string line = "|";
    for (std::size_t i = 0; i < columns; ++i) line += std::string(widths[i] + 1, '-') + (is_number[i] ? ":|" : "-|");
    return line + "\n";
}

row row_of(const compared& c, bool is_first_of_its_ending) {
    return {is_first_of_its_ending ? c.ending : "", c.peer, exact(c.accepted), exact(c.begun), exact(c.cleaned), exact(c.lost()),
            c.waiters != 0 ? exact(c.untold) : "-", c.verdict(), c.how};
}

}   // namespace

std::uint64_t compared_tasks(const options& o) noexcept { return o.tasks != 0 ? o.tasks : 1000; }
unsigned compared_workers(const options& o) noexcept { return o.workers != 0 ? o.workers : 2; }

std::string compared::verdict() const {
    std::string what = end;
    const auto say = [&what](const std::string& more) { what += (what.empty() ? "" : "; ") + more; };
    if (cleaned_again != 0) say(exact(cleaned_again) + " cleanups ran again");
    if (told_early != 0) say(exact(told_early) + " waiters told before the cleanup");
    if (!what.empty()) return what;
    if (lost() != 0) return "loses cleanups";
    return untold != 0 ? "loses waiters" : "loses nothing";
}

compared described(const scenario& s) {
    compared c;
    c.peer = words_of(s.name, 0);
    c.ending = words_of(s.name, 1);
    c.how = s.about;
    return c;
}

void count(const arena& witness, bool process_ended, compared& into) {
    for (std::uint64_t i = 0; i < witness.used(); ++i) {
        const cell& task = witness.cells()[i];
        const std::uint64_t word = task.word.load(std::memory_order_relaxed);
        const auto of = [word](event e) { return count_of(word, e); };
        if (of(event::submitted) == 0 || of(event::refused) != 0) continue;
        ++into.accepted;
        into.begun += of(event::begun) != 0;
        into.cleaned += of(event::attached_0) != 0;
        into.cleaned_again += of(event::attached_0) > 1;
        into.told_early += of(event::attached_0) != 0 && (task.fault == broken::told_too_early || task.fault == broken::touched_after_told);
        if (process_ended || task.plan.waiters == 0) continue;
        ++into.waiters;
        into.untold += of(event::told) == 0;
    }
}

compared compare_one(const scenario& s, const options& o) {
    const arena witness = arena::make(compared_tasks(o) + spare_cells);
    arena_header& h = witness.header();
    h.tasks = compared_tasks(o);
    h.workers = compared_workers(o);
    h.room = witness.room();
    h.turn = 1;
    round_end left{};
    compared c = described(s);
    {
        subject process(s, witness);
        left = process.run_round(o.hang_after);
        c.end = left == round_end::hung ? "hangs" : shortened(process.finish(o.hang_after));
    }   // what still ran has ended
    count(witness, left == round_end::process_ended, c);
    if (h.rules_broken.load(std::memory_order_relaxed) != 0) c.end = h.rule;
    return c;
}

std::vector<compared> compare(std::span<const scenario* const> peers, const options& o,
                              const std::function<void(const scenario&, std::size_t)>& begins) {
    std::vector<std::vector<compared>> endings;
    std::size_t number = 0;
    for (const scenario* const s : peers) {
        begins(*s, ++number);
        compared c = compare_one(*s, o);
        const auto same = std::find_if(endings.begin(), endings.end(), [&c](const auto& ending) { return ending.front().ending == c.ending; });
        auto& lines = same != endings.end() ? *same : endings.emplace_back();
        lines.push_back(std::move(c));
    }
    std::vector<compared> all;
    for (auto& lines : endings) std::move(lines.begin(), lines.end(), std::back_inserter(all));
    return all;
}

std::string comparison_head(const options& o) {
    const std::uint64_t tasks = compared_tasks(o);
    const unsigned workers = compared_workers(o);
    std::string text = "Each line is a process of its own, built by " + build_words() + ": " + exact(tasks) + (tasks == 1 ? " task is" : " tasks are");
    text += workers == 1 ? " queued behind the one that holds the worker" : " queued behind " + exact(workers) + " that hold the workers";
    return text + " when the end comes.\n"
                  "A cleanup is lastly's finalizer; elsewhere it is a guard that the task owns, beside a promise that tells the waiter: each peer in\n"
                  "its best form, unless its line says otherwise. Lost: cleanups of accepted tasks that never ran. Never told: waiters that were still\n"
                  "not told a second after the end; -: nobody was left to be told.\n";
}

std::string table(const std::vector<compared>& lines) {
    std::vector<row> rows{{"way of ending", "peer", "tasks accepted", "bodies begun", "cleanups ran", "lost", "never told", "verdict", "how"}};
    for (std::size_t i = 0; i < lines.size(); ++i) rows.push_back(row_of(lines[i], i == 0 || lines[i].ending != lines[i - 1].ending));
    std::array<std::size_t, columns> widths{};
    for (const row& r : rows) {
        for (std::size_t i = 0; i < columns; ++i) widths[i] = std::max(widths[i], r[i].size());
    }
    std::string text = line_of(rows[0], widths) + ruler(widths);
    for (std::size_t i = 1; i < rows.size(); ++i) text += line_of(rows[i], widths);
    return text;
}

}   // namespace lastly::stress::detail
