// lastly-checksum: hashes every file of a tree, one task a file, and proves that nothing is left behind.
// main() parses, run_program() does everything between the first and the last look at the open descriptors.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <system_error>

#include "errors.hpp"
#include "file.hpp"
#include "interrupt.hpp"
#include "list.hpp"
#include "options.hpp"
#include "parts.hpp"
#include "progress.hpp"
#include "proof.hpp"
#include "report.hpp"
#include "run.hpp"

#ifndef LASTLY_CHECKSUM_VERSION
#define LASTLY_CHECKSUM_VERSION "unknown"
#endif

namespace checksum {
namespace {

enum exit_code : int { all_well = 0, some_error = 1, wrong_options = 2, not_clean = 3, deadline_passed = 4 };

void complain(const std::string& text) { static_cast<void>(write_all(STDERR_FILENO, "lastly-checksum: " + text + "\n")); }

/// Joins the parts, or drops them where a list would be misleading: after a signal or a failed part file.
void finish_parts(const options& o, run_result& r, const part_store& parts, error_list& errors, progress& bar) {
    const bool drop = r.signal != 0 || r.counts.part_failed;
    const list_target target = drop ? list_target{} : list_target{o.output, o.print};
    const std::uint64_t all = r.hashed.size();
    const auto advance = [&](std::uint64_t done) { bar.update({"joining", done, all, false, r.counts.bytes}); };
    if (o.print) bar.clear();
    try {
        write_list(target, r.hashed, parts, advance);
    } catch (const std::system_error& error) {
        errors.add(error.what());
        if (error.code() == std::errc::too_many_files_open) r.counts.out_of_descriptors = true;
        for (const hashed_file& f : r.hashed) parts.remove(f.part);
    }
}

std::string advice(const options& o, const run_result& r, const part_store& parts, const error_list& errors) {
    if (r.counts.out_of_descriptors) {
        return std::string(r.counts.part_failed ? "no list was written: " : "") +
               "more files have to be open at once than this process may: raise the limit (ulimit -n) or use fewer --workers";
    }
    if (r.counts.part_failed) {
        return "no list was written: make room in the file system of " + printable(parts.path()) +
               " or choose another directory with --temp";
    }
    if (r.counts.deadline_passed) return "the deadline passed before all files were hashed";
    const bool walked_all = r.workers != 0 && r.signal == 0 && !r.stopped;
    if (walked_all && r.counts.found == 0 && errors.count() == 0) {
        return "there is no regular file below " + printable(o.directory) + ": nothing was hashed";
    }
    return {};
}

struct ending {
    int code = all_well;
    int signal = 0;
};

/// Says how it went; the errors to standard error, the rest to standard output unless the list went there.
ending tell(const options& o, const run_result& r, const leftovers& left, const error_list& errors, const std::string& advised) {
    static_cast<void>(write_all(STDERR_FILENO, errors.to_text()));
    if (!advised.empty()) complain(advised);
    const bool clean = r.ledger.balanced() && !left.any();
    ending end{all_well, r.signal};
    if (errors.count() != 0 || !advised.empty()) end.code = some_error;
    if (r.counts.deadline_passed) end.code = deadline_passed;
    if (!clean) end.code = not_clean;
    if (o.quiet && clean) return end;
    const std::string text = (o.quiet ? "" : summary_text(o, r)) + ledger_text(r.ledger) + leftovers_text(left);
    const std::error_code error = write_all(o.print || o.quiet ? STDERR_FILENO : STDOUT_FILENO, text);
    if (!error) return end;
    complain("cannot write to standard output: " + error.message());
    if (end.code == all_well) end.code = some_error;
    return end;
}

ending run_program(const options& o) {
    const descriptor_watch descriptors;
    std::optional<part_store> parts(o.temp);
    error_list errors;
    progress bar(!o.quiet);
    run_result r;
    try {
        r = hash_tree(o, *parts, errors, bar);
    } catch (const std::system_error& error) {
        errors.add(std::string("the run was given up: ") + error.what());
    }
    finish_parts(o, r, *parts, errors, bar);
    const std::string advised = advice(o, r, *parts, errors);
    leftovers left;
    left.part_files = parts->left();
    const std::string path = parts->path();
    if (const std::error_code error = parts->close()) {
        errors.add("cannot remove the temporary directory " + printable(path) + ": " + error.message());
    }
    parts.reset();
    bar.clear();
    left.descriptors = descriptors.left_open();
    return tell(o, r, left, errors, advised);
}

int finish(const ending& end) {
    if (end.code != not_clean && end.signal != 0) end_by(end.signal);
    return end.code;
}

}  // namespace
}  // namespace checksum

int main(int argc, char** argv) {
    using namespace checksum;
    ensure_standard_descriptors();
    try {
        const options o = parse_options(argc, argv);
        if (o.help || o.version) {
            const std::string text = o.help ? help_text() : "lastly-checksum " LASTLY_CHECKSUM_VERSION "\n";
            const std::error_code error = write_all(STDOUT_FILENO, text);
            if (error) complain("cannot write to standard output: " + error.message());
            return error ? some_error : all_well;
        }
        watch_for_interrupts();
        return finish(run_program(o));
    } catch (const bad_option& error) {
        complain(error.what());
        complain("see lastly-checksum --help");
        return wrong_options;
    } catch (const std::bad_alloc&) {
        complain("out of memory; give it a smaller tree");
    } catch (const std::exception& error) {
        complain(error.what());
    }
    return some_error;
}
