// See options.hpp. Options are `--name value` or `--name=value`; `--` ends them.
#include "options.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "file.hpp"

namespace checksum {
namespace {

constexpr unsigned most_workers = 1024;

[[noreturn]] void refuse(const std::string& text) { throw bad_option(text); }

struct command_line {
    int count;
    const char* const* words;
    int next = 1;
};

/// The value of `--name`: what follows its '=' or else the next word.
std::string value_of(std::string_view name, std::optional<std::string_view> inline_value, command_line& line,
                     std::string_view wanted) {
    std::string value;
    if (inline_value) {
        value = *inline_value;
    } else if (line.next < line.count) {
        value = line.words[line.next++];
    }
    if (value.empty()) refuse(std::string(name) + " needs " + std::string(wanted) + " after it");
    return value;
}

std::uint64_t number(std::string_view name, const std::string& text, std::uint64_t least, std::uint64_t most) {
    std::uint64_t n = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, n);
    if (error == std::errc() && stop == end && n >= least && n <= most) return n;
    std::string range = "of at least " + std::to_string(least);
    if (most != std::numeric_limits<std::uint64_t>::max()) {
        range = "from " + std::to_string(least) + " to " + std::to_string(most);
    }
    refuse(std::string(name) + " needs a whole number " + range + ", not '" + printable(text) + "'");
}

std::chrono::nanoseconds seconds(std::string_view name, const std::string& text) {
    constexpr double most_seconds = 1e9;
    double n = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, n, std::chars_format::fixed);
    if (error == std::errc() && stop == end && n > 0 && n <= most_seconds) {    // neither infinity nor "nan" comes through
        return std::chrono::nanoseconds(static_cast<std::int64_t>(std::ceil(n * 1e9)));
    }
    refuse(std::string(name) + " needs a number of seconds above 0 and up to 1000000000, such as 2.5, not '" +
           printable(text) + "'");
}

void take_option(options& o, std::string_view name, std::optional<std::string_view> inline_value, command_line& line) {
    constexpr auto any = std::numeric_limits<std::uint64_t>::max();
    struct flag {
        std::string_view name;
        bool options::*member;
    };
    static constexpr std::array flags{flag{"--print", &options::print}, flag{"--quiet", &options::quiet},
                                      flag{"--help", &options::help}, flag{"--version", &options::version}};
    for (const flag& f : flags) {
        if (name != f.name) continue;
        if (inline_value) refuse(std::string(name) + " takes no value; leave out the '=' and what follows");
        o.*f.member = true;
        return;
    }
    const auto value = [&](std::string_view wanted) { return value_of(name, inline_value, line, wanted); };
    if (name == "--workers") {
        o.workers = static_cast<unsigned>(number(name, value("a number of threads"), 1, most_workers));
    } else if (name == "--cancel-after") {
        o.cancel_after = number(name, value("a number of files"), 0, any);
    } else if (name == "--abort-after") {
        o.abort_after = number(name, value("a number of files"), 0, any);
    } else if (name == "--deadline") {
        o.deadline = seconds(name, value("a number of seconds"));
    } else if (name == "--output") {
        o.output = value("the name of the file to write");
    } else if (name == "--temp") {
        o.temp = value("a directory for the temporary files");
    } else {
        refuse("unknown option '" + printable(name) + "'; a directory of that name is given as ./" + printable(name));
    }
}

void check_directory(const std::string& path, const std::string& role, const std::string& remedy) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) {
        refuse(role + " " + printable(path) + " cannot be used: " + last_error().message() + "; " + remedy);
    }
    if (!S_ISDIR(info.st_mode)) refuse(role + " " + printable(path) + " is not a directory; " + remedy);
}

void check_output(const std::string& path) {
    struct stat info{};
    const bool exists = ::stat(path.c_str(), &info) == 0;
    if (exists && S_ISDIR(info.st_mode)) {
        refuse("--output " + printable(path) + " is a directory; name a file in it");
    }
    if (exists && !S_ISREG(info.st_mode)) return;   // a device or a pipe: writing will tell
    const auto slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    check_directory(parent, "the directory of --output,", "make it or name another file");
    if (::faccessat(AT_FDCWD, parent.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        refuse("--output " + printable(path) + " cannot be written: no file can be made in " + printable(parent) + ": " +
               last_error().message() + "; name a file elsewhere");
    }
}

void check(options& o) {
    if (o.cancel_after && o.abort_after) {
        refuse("--cancel-after and --abort-after exclude each other; give one of them");
    }
    if (o.output == "-") {
        o.print = true;
        o.output.clear();
    }
    check_directory(o.directory, "the directory", "name a directory whose files are to be hashed");
    if (!o.output.empty()) check_output(o.output);
    std::string source = "the --temp directory";
    if (o.temp.empty()) {
        const char* const from_environment = std::getenv("TMPDIR");
        const bool set = from_environment != nullptr && *from_environment != '\0';
        o.temp = set ? from_environment : "/tmp";
        source = set ? "the TMPDIR directory" : "the temporary directory";
    }
    check_directory(o.temp, source, "name an existing directory with --temp");
}

}  // namespace

options parse_options(int argc, const char* const* argv) {
    options o;
    command_line line{argc, argv};
    bool options_end = false;
    std::optional<std::string> directory;
    while (line.next < line.count) {
        const std::string_view word = line.words[line.next++];
        if (!options_end && word == "--") {
            options_end = true;
        } else if (!options_end && word.size() > 1 && word.front() == '-') {
            const auto equals = word.find('=');
            std::optional<std::string_view> inline_value;
            if (equals != std::string_view::npos) inline_value = word.substr(equals + 1);
            take_option(o, word.substr(0, equals), inline_value, line);
        } else if (word.empty()) {
            refuse("the name of the directory is empty; leave it out for " + o.directory);
        } else if (directory) {
            refuse("only one directory can be given: '" + printable(*directory) + "' or '" + printable(word) + "'");
        } else {
            directory = word;
        }
    }
    if (o.help || o.version) return o;
    if (directory) o.directory = *directory;
    check(o);
    return o;
}

std::string help_text() {
    return "Usage: lastly-checksum [options] [directory]\n"
           "\n"
           "Hashes every regular file below the directory (default: /usr/share) with\n"
           "XXH3 (128 bits), one task a file and one a directory, and proves at the end\n"
           "that every finalizer ran and nothing was left behind. Symbolic links are not\n"
           "followed.\n"
           "\n"
           "  --output FILE      write the list there: <hash>  <path>, sorted by path\n"
           "  --print            write the list to standard output; the rest goes to\n"
           "                     standard error\n"
           "  --workers N        worker threads (default: the CPUs this process may use)\n"
           "  --cancel-after N   once N files are done, cancel all other tasks\n"
           "  --abort-after N    once N files are done, shut the pool down at once, while\n"
           "                     files are still being submitted\n"
           "  --deadline SECONDS once so much time has passed (2.5, for instance), cancel\n"
           "                     what is not done; the list holds the files that are\n"
           "  --temp DIR         where the part files go, in a directory of the run's own\n"
           "                     (default: $TMPDIR, else /tmp)\n"
           "  --quiet            errors only: no progress bar, no ledger if it balances\n"
           "  --help, --version\n"
           "\n"
           "Exit status: 0 all files hashed, or stopped as asked; 1 some file could not be\n"
           "read or written, or there was none; 2 wrong options; 3 the ledger does not\n"
           "balance or something was left behind; 4 the deadline passed before all was\n"
           "hashed, whatever else there was.\n";
}

}  // namespace checksum
