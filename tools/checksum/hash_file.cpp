// See hash_file.hpp.
#include "hash_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <string_view>

#include "file.hpp"

namespace checksum {
namespace {

constexpr std::size_t block_bytes = 64 * 1024;

std::string reading(const std::string& path) {
    std::string text = "cannot read " + printable(path);
    if (errno == ENOENT) text += " (it vanished after the walk had found it)";
    if (errno == ELOOP) text += " (it became a symbolic link)";
    return text;
}

/// O_NONBLOCK: should the name have become a fifo, opening must not wait for a writer.
int open_to_read(lastly::task_context& task, const std::string& path) {
    const int fd = open_at_any_length(path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) throw_last_error(reading(path));
    task.defer([fd] { ::close(fd); });
    struct stat info{};
    if (::fstat(fd, &info) != 0) throw_last_error(reading(path));
    if (!S_ISREG(info.st_mode)) {
        errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
        throw_last_error("cannot read " + printable(path) + " (it is a regular file no longer)");
    }
    return fd;
}

class hasher {
public:
    hasher() : state_(XXH3_createState()) {
        if (!state_) throw std::bad_alloc();
        XXH3_128bits_reset(state_.get());
    }
    void add(const char* bytes, std::size_t count) noexcept { XXH3_128bits_update(state_.get(), bytes, count); }
    [[nodiscard]] std::string text() const {
        XXH128_canonical_t canonical;
        XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
        constexpr std::string_view digits = "0123456789abcdef";
        std::string hex;
        hex.reserve(2 * sizeof canonical.digest);
        for (const unsigned char byte : canonical.digest) {
            hex += digits[byte >> 4];
            hex += digits[byte & 15];
        }
        return hex;
    }

private:
    struct free_state {
        void operator()(XXH3_state_t* state) const noexcept { XXH3_freeState(state); }
    };
    std::unique_ptr<XXH3_state_t, free_state> state_;
};

void write_part(lastly::task_context& task, const file_to_hash& file, const part_store& parts, std::string_view line) {
    const auto fail = [&parts, &file](std::error_code error) {
        throw part_error(error, "cannot write the part file of " + printable(file.path) + " in " + printable(parts.path()));
    };
    const int fd = parts.create(file.number);
    if (fd < 0) fail(last_error());
    // Some file systems find out at the close that there was no room: then the task has failed.
    task.defer([fd, fail] {
        if (::close(fd) != 0) fail(last_error());
    });
    if (const std::error_code error = write_all(fd, line)) fail(error);
}

}  // namespace

std::uint64_t hash_file(lastly::task_context& task, const file_to_hash& file, const part_store& parts) {
    const int fd = open_to_read(task, file.path);
    hasher hash;
    std::uint64_t total = 0;
    std::array<char, block_bytes> block;
    for (;;) {
        const ssize_t n = ::read(fd, block.data(), block.size());
        if (n == 0) break;
        if (n < 0) {
            if (errno == EINTR) continue;
            throw_last_error(reading(file.path));
        }
        hash.add(block.data(), static_cast<std::size_t>(n));
        total += static_cast<std::uint64_t>(n);
        task.throw_if_stopped();
    }
    write_part(task, file, parts, list_line(hash.text(), file.path));
    return total;
}

std::string list_line(const std::string& hash, const std::string& path) {
    if (path.find_first_of("\n\r") == std::string::npos) return hash + "  " + path + "\n";
    std::string line = "\\" + hash + "  ";
    for (const char c : path) {
        switch (c) {
            case '\\': line += "\\\\"; break;
            case '\n': line += "\\n"; break;
            case '\r': line += "\\r"; break;
            default: line += c;
        }
    }
    return line += '\n';
}

}  // namespace checksum
