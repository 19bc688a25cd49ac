// See list.hpp.
#include "list.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>
#include <utility>

#include "file.hpp"

namespace checksum {
namespace {

constexpr std::size_t written_at_once_bytes = 64 * 1024;

/// Where the list goes; without commit(), a file that was to be replaced stays as it was.
class sink {
public:
    explicit sink(const std::string& path);
    sink(const sink&) = delete;
    sink& operator=(const sink&) = delete;
    ~sink() {
        if (!staged_.empty()) ::unlink(staged_.c_str());
    }

    void write(std::string_view bytes) {
        if (const std::error_code error = write_all(fd_.get(), bytes)) fail(error);
    }
    void commit();

private:
    [[noreturn]] void fail(std::error_code error) const {
        throw std::system_error(error, "cannot write the list to " + printable(final_));
    }
    void stage(mode_t mode);

    std::string final_;
    std::string staged_;            // beside final_; empty when there is nothing to remove
    unique_fd fd_;
};

sink::sink(const std::string& path) : final_(path) {
    struct stat info{};
    const bool exists = ::stat(path.c_str(), &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) {
        fd_ = unique_fd(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
        if (!fd_.valid()) fail(last_error());
        return;
    }
    if (exists) {
        // Behind a symbolic link, the file it leads to is replaced, not the link.
        const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
        if (real) final_ = real.get();
        stage(info.st_mode & 07777);
    } else {
        const mode_t mask = ::umask(0);
        ::umask(mask);
        stage(0666 & ~mask);
    }
}

void sink::stage(mode_t mode) {
    std::string pattern = final_ + ".XXXXXX";
    fd_ = unique_fd(::mkostemp(pattern.data(), O_CLOEXEC));
    if (!fd_.valid()) fail(last_error());
    staged_ = std::move(pattern);
    if (::fchmod(fd_.get(), mode) != 0) fail(last_error());
}

void sink::commit() {
    if (const std::error_code error = fd_.close()) fail(error);
    if (staged_.empty()) return;
    if (::rename(staged_.c_str(), final_.c_str()) != 0) fail(last_error());
    staged_.clear();
}

void write_standard_output(std::string_view bytes) {
    if (const std::error_code error = write_all(STDOUT_FILENO, bytes)) {
        throw std::system_error(error, "cannot write the list to standard output");
    }
}

}  // namespace

void write_list(const list_target& target, std::vector<hashed_file>& hashed, const part_store& parts,
                const std::function<void(std::uint64_t)>& advance) {
    const bool wanted = target.standard_output || !target.file.empty();
    if (wanted) std::ranges::sort(hashed, {}, &hashed_file::path);
    std::unique_ptr<sink> file;
    if (!target.file.empty()) file = std::make_unique<sink>(target.file);
    std::string text;
    const auto flush = [&] {
        if (file) file->write(text);
        if (target.standard_output) write_standard_output(text);
        text.clear();
    };
    std::uint64_t done = 0;
    for (const hashed_file& f : hashed) {
        if (wanted) parts.read(f.part, text);
        parts.remove(f.part);
        if (text.size() >= written_at_once_bytes) flush();
        advance(++done);
    }
    flush();
    if (file) file->commit();
}

}  // namespace checksum
