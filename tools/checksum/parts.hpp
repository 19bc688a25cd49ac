// The part files of one run: one small file a task, in a directory of the run's own.
// 1. create, write and remove may be called by any thread for part numbers of its own; the rest is main's.
// 2. A part exists from create() to remove(); removing one that does not exist is no error, since a task's
//    finalizer removes its part whether or not the body came as far as making it.
// 3. Whatever happens, close() or else the destructor removes the directory with all that is in it. The directory stays
//    open from the first moment to the last: looking into it and emptying it need no descriptor, which might not be had.
#pragma once

#include <dirent.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "file.hpp"

namespace checksum {

class part_store {
public:
    /// Makes a directory below `parent`; throws std::system_error.
    explicit part_store(const std::string& parent);
    part_store(const part_store&) = delete;
    part_store& operator=(const part_store&) = delete;
    ~part_store();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const file_id& id() const noexcept { return id_; }

    /// A new part's descriptor, or -1 with errno.
    [[nodiscard]] int create(std::uint64_t number) const noexcept;
    /// Throws std::system_error, but not for a part that does not exist.
    void remove(std::uint64_t number) const;
    /// Appends the part's text; throws std::system_error.
    void read(std::uint64_t number, std::string& text) const;

    /// How many files are in the directory now.
    [[nodiscard]] std::uint64_t left() const noexcept;
    /// Removes what is left and the directory.
    [[nodiscard]] std::error_code close() noexcept;

private:
    [[nodiscard]] int directory() const noexcept { return ::dirfd(stream_); }

    std::string path_;
    DIR* stream_ = nullptr;     // null once removed
    file_id id_;
};

}  // namespace checksum
