// See sink.hpp; edge R1 in README.md here.
#include "core/report/sink.hpp"

#include "core/base/thread.hpp"
#include "lastly/detail/fault.hpp"

#include <cstdio>

namespace lastly::detail {

namespace {

// The exception's own words, without an allocation of ours.
template <class F>
void with_words(const error_report& r, F&& use) {
    if (r.error != nullptr) {
        try {
            std::rethrow_exception(r.error);
        } catch (const std::exception& e) {
            use(e.what());
        } catch (...) {
            use("an exception that is no std::exception");
        }
        return;
    }
    char text[128];
    switch (r.kind) {
    case report_kind::cancelled:
        std::snprintf(text, sizeof text, "%s:%d", r.cause.category().name(), r.cause.value());
        break;
    case report_kind::finalizer_overdue:
        std::snprintf(text, sizeof text, "a finalizer has been running for %.3f s",
                      std::chrono::duration<double>(r.age).count());
        break;
    case report_kind::chain_long:
        std::snprintf(text, sizeof text, "%zu deferred finalizers; a defer in a loop?", r.count);
        break;
    case report_kind::worker_lost:
        std::snprintf(text, sizeof text, "a worker ended and was not replaced");
        break;
    case report_kind::no_stand_in:
        std::snprintf(text, sizeof text, "a worker waits and no thread could take its place; it helps with anything");
        break;
    default:
        std::snprintf(text, sizeof text, "no exception");
    }
    use(text);
}

}   // namespace

std::uint64_t site_counts::count(report_kind kind, creation_site site) noexcept {
    const auto address = reinterpret_cast<std::uint64_t>(site.file);
    std::uint64_t key = (address * 31 + site.line) * 0x9e3779b97f4a7c15u ^ (static_cast<std::uint64_t>(kind) + 1);
    if (key == 0) key = 1;
    for (std::size_t step = 0; step < entries_.size(); ++step) {
        entry& e = entries_[((key >> 7) + step) & (entries_.size() - 1)];
        std::uint64_t found = e.key.load(relaxed);   // order: the key alone decides; its words are published by file
        if (found == 0 && e.key.compare_exchange_strong(found, key, relaxed, relaxed)) {   // order: as the load above
            e.line = site.line;
            e.kind = static_cast<std::uint8_t>(kind);
            e.file.store(site.file, release);   // order: [R1] publishes line and kind
            found = key;
        }
        if (found == key) return e.figures.count.fetch_add(1, relaxed) + 1;   // order: a count, publishes nothing
    }
    return others_.count.fetch_add(1, relaxed) + 1;   // order: a count, publishes nothing
}

void error_sink::report(const error_report& r) noexcept {
    if (LASTLY_FAULT("E5")) return;
    const no_cancellation here;   // a catch, or noexcept, is around this
    if (user_ != nullptr && *user_) {
        try {
            (*user_)(r);
            return;
        } catch (...) {
            std::fputs("lastly: the error sink threw; its report follows\n", stderr);
        }
    }
    print(r);
}

void error_sink::print(const error_report& r) noexcept {
    if (printed_.count(r.kind, r.site) > lines_a_site) return;
    try {
        const std::string cause = r.kind == report_kind::cancelled ? r.cause.message() : std::string();
        with_words(r, [&](const char* words) {
            if (!cause.empty()) words = cause.c_str();
            std::fprintf(stderr, "lastly: %s: task%s%s (%s:%u) in pool %s: %s\n", to_string(r.kind), *r.name != '\0' ? " " : "",
                         r.name, r.site.file, r.site.line, pool_, words);
        });
    } catch (...) {   // a what() that throws
        std::fprintf(stderr, "lastly: %s: task (%s:%u): its exception cannot be described\n", to_string(r.kind), r.site.file, r.site.line);
    }
}

void error_sink::tell_suppressed() noexcept {
    const no_cancellation meanwhile;
    printed_.take_excess(lines_a_site, [&](report_kind kind, creation_site site, std::uint64_t more) {
        std::fprintf(stderr, "lastly: %s: %llu more at %s:%u in pool %s\n", to_string(kind),
                     static_cast<unsigned long long>(more), site.file, site.line, pool_);
    });
}

namespace {
constinit error_sink sink_of_process(nullptr, "(none)");
}   // namespace

error_sink& process_sink() noexcept { return sink_of_process; }

}   // namespace lastly::detail

namespace lastly {

const char* to_string(report_kind kind) noexcept {
    switch (kind) {
    case report_kind::failed: return "failed";
    case report_kind::cancelled: return "cancelled";
    case report_kind::finalizer_failed: return "finalizer failed";
    case report_kind::finalizer_overdue: return "finalizer overdue";
    case report_kind::chain_long: return "chain long";
    case report_kind::worker_lost: return "worker lost";
    case report_kind::no_stand_in: return "no stand-in";
    }
    return "unknown";
}

std::string error_report::what() const {
    if (error == nullptr && kind == report_kind::cancelled) return cause.message();
    std::string words;
    detail::with_words(*this, [&words](const char* text) { words = text; });
    return words;
}

}   // namespace lastly
