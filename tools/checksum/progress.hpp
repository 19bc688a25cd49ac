// The progress bar: one line on standard error, drawn by the main thread whenever it has a moment.
// Drawn at most ten times a second, never wider than the terminal, and only where there is one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace checksum {

class progress {
public:
    explicit progress(bool wanted);
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress() { clear(); }

    struct state {
        const char* doing;          // one word
        std::uint64_t done;
        std::uint64_t known;        // files known by now
        bool more_to_come;          // the walk still goes on
        std::uint64_t bytes;
    };

    /// Draws, unless the last drawing is less than a tenth of a second old.
    void update(const state& s);
    /// Wipes the bar, so that other text can follow.
    void clear();

private:
    using clock = std::chrono::steady_clock;

    bool shown_;                    // is there a terminal to draw on?
    clock::time_point begin_ = clock::now();
    clock::time_point next_ = begin_;
    std::size_t drawn_ = 0;         // columns of the line that stands there now
};

/// The line itself, at most `width` columns.
[[nodiscard]] std::string bar_line(const progress::state& s, double seconds, std::size_t width);

/// "812.3 MiB"
[[nodiscard]] std::string readable_bytes(double bytes);

}  // namespace checksum
