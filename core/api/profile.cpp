// The profile's text and its subtraction. See lastly/profile.hpp.
// Any thread; no state. No locale takes part: the text is the same everywhere.
#include "lastly/profile.hpp"

#include "core/sched/profile.hpp"

#include <algorithm>
#include <cstddef>

namespace lastly {

namespace {

using counts = task_profile::counts;
using group = task_profile::group;

std::string number(std::int64_t n, bool growth) {
    std::string text(growth && n > 0 ? "+" : "");
    return text += std::to_string(n);
}
std::string cell(std::int64_t n, bool growth) { return n == 0 ? "-" : number(n, growth); }

// Two units at most: <10ms (the clock tells no more), 950ms, 3.2s, 45s, 14m05s, 3h12m, 2d03h.
std::string age(std::chrono::nanoseconds since) {
    const std::int64_t ms = since.count() / 1'000'000, s = ms / 1000;
    const auto pair = [](std::int64_t large, const char* unit, std::int64_t small, const char* small_unit) {
        return std::to_string(large) + unit + (small < 10 ? "0" : "") + std::to_string(small) + small_unit;
    };
    if (ms < 10) return "<10ms";
    if (ms < 1000) return std::to_string(ms) + "ms";
    if (s < 10) return std::to_string(s) + "." + std::to_string(ms / 100 % 10) + "s";
    if (s < 60) return std::to_string(s) + "s";
    if (s < 3600) return pair(s / 60, "m", s % 60, "s");
    if (s < 86400) return pair(s / 3600, "h", s / 60 % 60, "m");
    return pair(s / 86400, "d", s / 3600 % 24, "h");
}

std::string place(creation_site site) {
    return site.file == nullptr ? "?" : std::string(site.file) + ":" + std::to_string(site.line);
}
std::string places(const group& g) {
    std::string text = place(g.site);
    if (g.parent.file != nullptr) text.append(", in a group of ").append(place(g.parent));
    return text;
}

// Columns: numbers are aligned to the right, texts to the left; the last one is not padded.
class table {
public:
    explicit table(std::vector<std::string> titles) : rows_{std::move(titles)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    std::string text(std::size_t numbers) const {
        std::vector<std::size_t> widths(rows_[0].size());
        for (const auto& row : rows_) {
            for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
        }
        std::string all;
        for (const auto& row : rows_) {
            for (std::size_t i = 0; i < row.size(); ++i) {
                const std::string room(widths[i] - row[i].size(), ' ');
                all += "  ";
                if (i < numbers) all += room;
                all += row[i];
                if (i >= numbers && i + 1 < row.size()) all += room;
            }
            all += '\n';
        }
        return all;
    }

private:
    std::vector<std::vector<std::string>> rows_;
};

std::string headline(const task_profile& p) {
    const auto n = [&](std::int64_t value) { return number(value, p.growth); };
    return std::string(p.growth ? "task growth" : "task profile") + ": pool \"" + p.pool + "\": " + n(p.total.count) + " live (" +
           n(p.total.queued) + " queued, " + n(p.total.running) + " running, " + n(p.total.finalizing) + " finalizing), " +
           n(p.total.held) + " held, " + n(p.total.finalizers_pending) + " finalizers pending\n";
}

counts negative(const counts& c) {
    return {-c.count, -c.queued, -c.running, -c.finalizing, -c.held, -c.finalizers_pending};
}

}   // namespace

std::string task_profile::to_text() const {
    std::string text = headline(*this);
    if (groups.empty()) return text;
    table lines({"live", "queued", "running", "finalizing", "held", "pending", "oldest", "name", "created at"});
    const auto n = [&](std::int64_t value) { return cell(value, growth); };
    for (const group& g : groups) {
        const bool gone = growth && g.oldest_age.count() == 0 && g.count + g.held <= 0;
        lines.add({n(g.count), n(g.queued), n(g.running), n(g.finalizing), n(g.held), n(g.finalizers_pending),
                   gone ? "-" : age(g.oldest_age), *g.name != '\0' ? g.name : "-",
                   places(g)});
    }
    return text + lines.text(7);
}

task_profile operator-(const task_profile& later, const task_profile& earlier) {
    task_profile difference = later;
    difference.growth = true;
    difference.groups.reserve(later.groups.size() + earlier.groups.size());
    for (const group& g : earlier.groups) {
        group& less = difference.groups.emplace_back(g);
        static_cast<counts&>(less) = negative(g);
        less.oldest_age = {};
    }
    detail::arrange(difference);
    std::erase_if(difference.groups, [](const group& g) { return static_cast<const counts&>(g) == counts{}; });
    return difference;
}

}   // namespace lastly
