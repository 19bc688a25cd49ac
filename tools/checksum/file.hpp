// A descriptor that closes itself, opening, errors from errno, and writing until all is written.
// Any thread may call the functions; an object belongs to one thread at a time.
// The descriptor of a file being hashed is not kept here: there the close is a finalizer of its task.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <system_error>

namespace checksum {

struct file_id {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const file_id&, const file_id&) = default;
};

class unique_fd {
public:
    unique_fd() = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept;
    unique_fd(const unique_fd&) = delete;
    unique_fd& operator=(const unique_fd&) = delete;
    ~unique_fd();

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept;
    /// Closes and says whether the kernel took everything that was written.
    [[nodiscard]] std::error_code close() noexcept;

private:
    int fd_ = -1;
};

/// As open(2), also for a path beyond PATH_MAX: then step by step, with one more descriptor meanwhile. -1 with errno.
[[nodiscard]] int open_at_any_length(const std::string& path, int flags) noexcept;

[[nodiscard]] std::error_code last_error() noexcept;

/// `what_failed` reads like "cannot read /path"; what() then adds ": Permission denied".
[[noreturn]] void throw_last_error(const std::string& what_failed);

[[nodiscard]] std::error_code write_all(int fd, std::string_view bytes) noexcept;

/// The path as a message may show it: control characters, which could drive a terminal, become '?'.
[[nodiscard]] std::string printable(std::string_view path);

/// Opens /dev/null for each of 0, 1 and 2 that is closed, so that no file of ours ever takes such a number.
void ensure_standard_descriptors() noexcept;

}  // namespace checksum
