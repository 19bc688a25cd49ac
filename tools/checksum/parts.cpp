// See parts.hpp.
#include "parts.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace checksum {
namespace {

class part_name {
public:
    explicit part_name(std::uint64_t number) noexcept {
        *std::to_chars(text_.data(), text_.data() + text_.size() - 1, number).ptr = '\0';
    }
    [[nodiscard]] const char* c_str() const noexcept { return text_.data(); }

private:
    std::array<char, 24> text_{};
};

bool is_dot(const char* name) noexcept {
    const std::string_view text = name;
    return text == "." || text == "..";
}

/// Calls `act` for each file of the directory; it may remove that file.
template <class Act>
std::error_code each_file(int directory, Act act) noexcept {
    const int fd = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return last_error();
    DIR* const stream = ::fdopendir(fd);
    if (stream == nullptr) {
        const std::error_code error = last_error();
        ::close(fd);
        return error;
    }
    while (const dirent* const entry = ::readdir(stream)) {
        if (!is_dot(entry->d_name)) act(entry->d_name);
    }
    ::closedir(stream);
    return {};
}

}  // namespace

part_store::part_store(const std::string& parent) {
    std::string pattern = parent + (parent.back() == '/' ? "" : "/") + "lastly-checksum-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw_last_error("cannot make a temporary directory in " + printable(parent) +
                         " (choose another with --temp)");
    }
    path_ = std::move(pattern);
    directory_ = unique_fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info{};
    if (!directory_.valid() || ::fstat(directory_.get(), &info) != 0) {
        const std::error_code error = last_error();
        ::rmdir(path_.c_str());
        throw std::system_error(error, "cannot open the temporary directory " + printable(path_));
    }
    id_ = {info.st_dev, info.st_ino};
}

part_store::~part_store() { static_cast<void>(close()); }

int part_store::create(std::uint64_t number) const noexcept {
    return ::openat(directory_.get(), part_name(number).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

void part_store::remove(std::uint64_t number) const {
    if (::unlinkat(directory_.get(), part_name(number).c_str(), 0) == 0 || errno == ENOENT) return;
    throw_last_error("cannot remove the part file " + printable(path_) + "/" + std::to_string(number));
}

void part_store::read(std::uint64_t number, std::string& text) const {
    const auto fail = [&] {
        throw_last_error("cannot read the part file " + printable(path_) + "/" + std::to_string(number));
    };
    const unique_fd part(::openat(directory_.get(), part_name(number).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!part.valid()) fail();
    std::array<char, 8192> buffer;
    for (;;) {
        const ssize_t n = ::read(part.get(), buffer.data(), buffer.size());
        if (n == 0) return;
        if (n > 0) {
            text.append(buffer.data(), static_cast<std::size_t>(n));
        } else if (errno != EINTR) {
            fail();
        }
    }
}

std::uint64_t part_store::left() const {
    std::uint64_t count = 0;
    if (const std::error_code error = each_file(directory_.get(), [&](const char*) { ++count; })) {
        throw std::system_error(error, "cannot look into the temporary directory " + printable(path_));
    }
    return count;
}

std::error_code part_store::close() noexcept {
    if (path_.empty()) return {};
    const int directory = directory_.get();
    std::error_code error = each_file(directory, [&](const char* name) { ::unlinkat(directory, name, 0); });
    if (::rmdir(path_.c_str()) != 0) {
        error = last_error();
    } else {
        error.clear();
    }
    path_.clear();
    static_cast<void>(directory_.close());
    return error;
}

}  // namespace checksum
