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
void each_file(DIR* directory, Act act) noexcept {
    ::rewinddir(directory);
    while (const dirent* const entry = ::readdir(directory)) {
        if (!is_dot(entry->d_name)) act(entry->d_name);
    }
}

}  // namespace

part_store::part_store(const std::string& parent) {
    path_ = parent + (parent.back() == '/' ? "" : "/") + "lastly-checksum-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) {
        throw_last_error("cannot make a temporary directory in " + printable(parent) +
                         " (choose another with --temp)");
    }
    stream_ = ::opendir(path_.c_str());
    struct stat info{};
    if (stream_ == nullptr || ::fstat(directory(), &info) != 0) {
        const std::error_code error = last_error();
        if (stream_ != nullptr) ::closedir(stream_);
        ::rmdir(path_.c_str());
        throw std::system_error(error, "cannot open the temporary directory " + printable(path_));
    }
    id_ = {info.st_dev, info.st_ino};
}

part_store::~part_store() { static_cast<void>(close()); }

int part_store::create(std::uint64_t number) const noexcept {
    return ::openat(directory(), part_name(number).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

void part_store::remove(std::uint64_t number) const {
    if (::unlinkat(directory(), part_name(number).c_str(), 0) == 0 || errno == ENOENT) return;
    throw_last_error("cannot remove the part file " + printable(path_) + "/" + std::to_string(number));
}

void part_store::read(std::uint64_t number, std::string& text) const {
    const auto fail = [&] {
        throw_last_error("cannot read the part file " + printable(path_) + "/" + std::to_string(number));
    };
    const unique_fd part(::openat(directory(), part_name(number).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
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

std::uint64_t part_store::left() const noexcept {
    std::uint64_t count = 0;
    each_file(stream_, [&](const char*) { ++count; });
    return count;
}

std::error_code part_store::close() noexcept {
    if (stream_ == nullptr) return {};
    each_file(stream_, [this](const char* name) { ::unlinkat(directory(), name, 0); });
    const std::error_code error = ::rmdir(path_.c_str()) == 0 ? std::error_code() : last_error();
    ::closedir(std::exchange(stream_, nullptr));
    return error;
}

}  // namespace checksum
