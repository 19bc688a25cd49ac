// Where errors go that nobody takes: the user's function, or one line on stderr.
// Any thread, several at once; no lock. Invariants: 1. A sink that throws falls back to stderr. 2. The default sink writes at most
// ten lines a kind and creation site; what it kept back is counted and told at shutdown. 3. Nothing is lost for want of memory.
#pragma once

#include "lastly/detail/atomic.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/error.hpp"
#include "lastly/options.hpp"

#include <array>
#include <functional>

namespace lastly::detail {

// How often each kind and creation site was reported: fixed size, lock-free; sites beyond it share one entry.
class site_counts {
public:
    // The number of this report at its site, from 1.
    std::uint64_t count(report_kind kind, creation_site site) noexcept;
    // Calls visit(kind, site, n) for each entry with n more counts, beyond the first `shown`, than at the last call.
    // One thread at a time.
    template <class F>
    void take_excess(std::uint64_t shown, F&& visit) {
        for (entry& e : entries_) {
            const char* const file = e.file.load(acquire);   // order: [R1] sees the line and kind of the entry
            if (file == nullptr) continue;
            if (const std::uint64_t n = e.figures.take_excess(shown)) visit(static_cast<report_kind>(e.kind), creation_site{file, e.line}, n);
        }
        if (const std::uint64_t n = others_.take_excess(shown)) visit(report_kind::failed, creation_site{"(other sites)", 0}, n);
    }

private:
    struct tally {
        atomic<std::uint64_t> count{0};
        atomic<std::uint64_t> told{0};   // up to here the count was told
        std::uint64_t take_excess(std::uint64_t shown) noexcept {
            const std::uint64_t now = count.load(relaxed);                        // order: a figure for people
            const std::uint64_t before = told.exchange(now, relaxed);             // order: a figure for people
            const std::uint64_t from = before > shown ? before : shown;
            return now > from ? now - from : 0;
        }
    };
    struct entry {
        atomic<std::uint64_t> key{0};   // 0: free
        atomic<const char*> file{nullptr};
        std::uint32_t line = 0;
        std::uint8_t kind = 0;
        tally figures;
    };
    std::array<entry, 256> entries_{};
    tally others_;
};

class error_sink {
public:
    static constexpr std::uint64_t lines_a_site = 10;

    // Both live as long as the sink; an empty function: stderr.
    constexpr error_sink(const std::function<void(const error_report&)>* user, const char* pool) noexcept : user_(user), pool_(pool) {}

    void report(const error_report& r) noexcept;
    // True the first time that this kind is noted at this site.
    bool first_at(report_kind kind, creation_site site) noexcept { return once_.count(kind, site) == 1; }
    // The default sink's word about the lines that it kept back since it last spoke of them.
    void tell_suppressed() noexcept;

private:
    void print(const error_report& r) noexcept;

    const std::function<void(const error_report&)>* user_;
    const char* pool_;
    site_counts printed_;
    site_counts once_;
};

// For tasks that belong to no pool.
error_sink& process_sink() noexcept;

// Is the cancellation one that the program brought about in bulk, which is counted only (E5)?
inline bool is_bulk_cause(std::error_code cause) noexcept {
    if (LASTLY_FAULT("E5-bulk")) return false;
    if (cause.category() != category()) return cause.category() == signal_category();
    const auto code = static_cast<errc>(cause.value());
    return code == errc::pool_shutdown || code == errc::process_exit || code == errc::sibling_failed;
}

}   // namespace lastly::detail
