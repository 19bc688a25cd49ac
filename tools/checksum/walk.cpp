// See walk.hpp.
#include "walk.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string_view>

namespace checksum {
namespace {

entry_kind kind_of(DIR* directory_of_entry, const dirent& entry) noexcept {
    switch (entry.d_type) {
        case DT_REG: return entry_kind::file;
        case DT_DIR: return entry_kind::directory;
        case DT_UNKNOWN: break;     // a file system that does not tell
        default: return entry_kind::other;
    }
    struct stat info{};
    if (::fstatat(::dirfd(directory_of_entry), entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return entry_kind::file;    // opening will tell why
    }
    if (S_ISREG(info.st_mode)) return entry_kind::file;
    return S_ISDIR(info.st_mode) ? entry_kind::directory : entry_kind::other;
}

}  // namespace

DIR* open_directory(const std::string& path, bool follow_link) noexcept {
    unique_fd fd(open_at_any_length(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow_link ? 0 : O_NOFOLLOW)));
    if (!fd.valid()) return nullptr;
    DIR* const directory = ::fdopendir(fd.get());
    if (directory != nullptr) static_cast<void>(fd.release());
    return directory;
}

std::optional<directory_entry> next_entry(DIR* directory) noexcept {
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(directory);
        if (entry == nullptr) return std::nullopt;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") return directory_entry{kind_of(directory, *entry), entry->d_name};
    }
}

bool is_same(DIR* directory, const file_id& id) noexcept {
    struct stat info{};
    if (::fstat(::dirfd(directory), &info) != 0) return false;
    return id == file_id{info.st_dev, info.st_ino};
}

std::string joined(const std::string& directory, const char* name) {
    std::string path = directory;
    if (path.back() != '/') path += '/';
    return path += name;
}

}  // namespace checksum
