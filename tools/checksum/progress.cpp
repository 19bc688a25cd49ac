// See progress.hpp.
#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "file.hpp"

namespace checksum {
namespace {

constexpr auto between_drawings = std::chrono::milliseconds(100);
constexpr std::size_t narrowest_bar = 8;
constexpr std::size_t widest_bar = 60;

/// One column is left free: a character in the last one makes some terminals wrap.
std::size_t usable_width() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 79;
    return static_cast<std::size_t>(size.ws_col) - 1;
}

}  // namespace

progress::progress(bool wanted) : shown_(wanted && ::isatty(STDERR_FILENO) == 1) {}

void progress::update(const state& s) {
    if (!shown_) return;
    const clock::time_point now = clock::now();
    if (now < next_) return;
    next_ = now + between_drawings;
    const std::size_t width = usable_width();
    std::string line = bar_line(s, std::chrono::duration<double>(now - begin_).count(), width);
    const std::size_t columns = line.size();
    if (drawn_ > columns) line.append(std::min(drawn_, width) - std::min(columns, width), ' ');
    line.insert(line.begin(), '\r');
    static_cast<void>(write_all(STDERR_FILENO, line));
    drawn_ = columns;
}

void progress::clear() {
    if (drawn_ == 0) return;
    const std::size_t columns = std::min(drawn_, usable_width());
    std::string blank(columns + 2, ' ');
    blank.front() = blank.back() = '\r';
    static_cast<void>(write_all(STDERR_FILENO, blank));
    drawn_ = 0;
}

std::string bar_line(const progress::state& s, double seconds, std::size_t width) {
    const double speed = seconds > 0 ? static_cast<double>(s.bytes) / seconds : 0;
    const std::string counts = std::to_string(s.done) + "/" + std::to_string(s.known) + (s.more_to_come ? "+" : "") + " files";
    const std::string rate = "  " + readable_bytes(speed) + "/s";
    const std::string head = std::string(s.doing) + " ";
    const std::size_t text = head.size() + 3 + counts.size() + rate.size();     // 3: [ and ] and a space
    if (width < text + narrowest_bar) return (head + counts + rate).substr(0, width);
    const std::size_t room = std::min(width - text, widest_bar);
    const double part = s.known == 0 ? 0 : static_cast<double>(s.done) / static_cast<double>(s.known);
    const std::size_t full = std::min(room, static_cast<std::size_t>(part * static_cast<double>(room)));
    return head + "[" + std::string(full, '#') + std::string(room - full, '.') + "] " + counts + rate;
}

std::string readable_bytes(double bytes) {
    static constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < units.size()) {
        bytes /= 1024;
        ++unit;
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return text.data();
}

}  // namespace checksum
