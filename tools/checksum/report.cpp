// See report.hpp.
#include "report.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "errors.hpp"
#include "interrupt.hpp"
#include "progress.hpp"

namespace checksum {
namespace {

std::string counted(std::uint64_t count, const char* word) {
    return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

std::string ended_how(const run_result& r) {
    const endings& files = r.counts.files;
    std::string text = std::to_string(files.succeeded) + " hashed, " + std::to_string(files.failed) + " failed, " +
                       std::to_string(files.cancelled) + " cancelled, " + std::to_string(files.rejected) + " rejected";
    const std::uint64_t unread = r.counts.directories.cancelled + r.counts.directories.rejected;
    if (unread == 0) return text + "\n";
    return text + "; " + std::to_string(unread) + (unread == 1 ? " directory" : " directories") + " not read to the end\n";
}

std::string decimal_seconds(std::chrono::nanoseconds time) {
    std::array<char, 40> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), std::chrono::duration<double>(time).count());
    return std::string(text.data(), end.ptr) + " s";
}

std::string seconds_text(double seconds) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2f s", seconds);
    return text.data();
}

}  // namespace

std::string error_list::to_text() const {
    constexpr std::size_t most_listed = 20;
    const std::lock_guard lock(mutex_);
    std::string text;
    std::size_t listed = 0;
    for (const std::string& one : texts_) {
        if (listed++ == most_listed) break;
        text += "lastly-checksum: " + one + "\n";
    }
    if (texts_.size() > most_listed) {
        text += "lastly-checksum: and " + counted(texts_.size() - most_listed, "more error") + " like these\n";
    }
    return text;
}

std::string summary_text(const options& o, const run_result& r) {
    std::string text = counted(r.counts.files.succeeded, "file") + ", " + readable_bytes(static_cast<double>(r.counts.bytes)) + " hashed in " +
                       seconds_text(r.seconds) + " by " + counted(r.workers, "worker");
    if (r.seconds > 0) text += " (" + readable_bytes(static_cast<double>(r.counts.bytes) / r.seconds) + "/s)";
    text += "\n";
    if (r.signal != 0) text += std::string("interrupted by ") + signal_name(r.signal) + ": " + ended_how(r);
    if (r.counts.part_failed) text += "stopped because a part file could not be written: " + ended_how(r);
    if (r.counts.deadline_passed) text += "stopped by the deadline of " + decimal_seconds(*o.deadline) + ": " + ended_how(r);
    const auto as_asked = [&](const char* verb, const char* option, std::uint64_t after) {
        if (r.stopped) {
            text += std::string(verb) + " after " + counted(after, "file") + " as asked: " + ended_how(r);
        } else if (r.signal == 0 && !r.counts.part_failed && !r.counts.deadline_passed) {
            text += std::string("not ") + verb + ": the tree has fewer files than " + option + " " + std::to_string(after) + "\n";
        }
    };
    if (o.cancel_after) as_asked("cancelled", "--cancel-after", *o.cancel_after);
    if (o.abort_after) as_asked("aborted", "--abort-after", *o.abort_after);
    return text;
}

std::string ledger_text(const lastly::ledger_snapshot& ledger) {
    struct row {
        const char* left;
        std::uint64_t left_value;
        const char* right;
        std::uint64_t right_value;
    };
    const std::array rows{
        row{"attempts", ledger.attempts, "finalizers attached", ledger.finalizers_attached},
        row{"accepted", ledger.accepted, "finalizers run", ledger.finalizers_run},
        row{"rejected", ledger.rejected, "finalizers thrown", ledger.finalizers_thrown},
        row{"succeeded", ledger.succeeded, "live", ledger.live},
        row{"failed", ledger.failed, "held", ledger.held},
    };
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::array<char, 160> line{};
    std::string text = "\nledger\n";
    for (const row& r : rows) {
        std::snprintf(line.data(), line.size(), "  %-9s %12llu    %-19s %12llu\n", r.left, number(r.left_value), r.right,
                      number(r.right_value));
        text += line.data();
    }
    std::snprintf(line.data(), line.size(), "  %-9s %12llu    %s\n\n", "cancelled", number(ledger.cancelled),
                  ledger.balanced() ? "balanced" : "NOT BALANCED");
    return text += line.data();
}

std::string leftovers_text(const leftovers& l) {
    return "descriptors left open: " + std::to_string(l.descriptors) +
           "   part files left: " + std::to_string(l.part_files) + "\n";
}

}  // namespace checksum
