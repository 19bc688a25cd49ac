// See file.hpp.
#include "file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <new>
#include <utility>

namespace checksum {

unique_fd& unique_fd::operator=(unique_fd&& other) noexcept {
    if (this != &other) {
        static_cast<void>(close());
        fd_ = other.release();
    }
    return *this;
}

unique_fd::~unique_fd() { static_cast<void>(close()); }

int unique_fd::release() noexcept { return std::exchange(fd_, -1); }

std::error_code unique_fd::close() noexcept {
    const int fd = release();
    if (fd < 0 || ::close(fd) == 0) return {};
    return last_error();
}

int open_at_any_length(const std::string& path, int flags) noexcept try {
    unique_fd base;
    std::size_t from = 0;
    while (path.size() - from >= PATH_MAX) {
        const std::size_t cut = path.rfind('/', from + PATH_MAX - 2);
        if (cut == std::string::npos || cut <= from) {
            errno = ENAMETOOLONG;
            return -1;
        }
        const std::string step = path.substr(from, cut - from);
        unique_fd next(::openat(base.valid() ? base.get() : AT_FDCWD, step.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!next.valid()) return -1;
        base = std::move(next);
        from = path.find_first_not_of('/', cut);
        if (from == std::string::npos) from = path.size();
    }
    return ::openat(base.valid() ? base.get() : AT_FDCWD, path.c_str() + from, flags);
} catch (const std::bad_alloc&) {
    errno = ENOMEM;
    return -1;
}

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

void throw_last_error(const std::string& what_failed) {
    throw std::system_error(last_error(), what_failed);
}

std::error_code write_all(int fd, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0) {
            if (errno == EINTR) continue;
            return last_error();
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

std::string printable(std::string_view path) {
    std::string text(path);
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) c = '?';
    }
    return text;
}

void ensure_standard_descriptors() noexcept {
    for (int fd = 0; fd <= 2; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        // Lower numbers are open by now, so open() returns exactly this one.
        if (::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) < 0) return;
    }
}

}  // namespace checksum
