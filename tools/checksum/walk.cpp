// See walk.hpp.
#include "walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "file.hpp"

namespace checksum {
namespace {

struct close_directory {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using open_directory = std::unique_ptr<DIR, close_directory>;

enum class entry_kind { file, directory, other };

entry_kind kind_of(const DIR* directory_of_entry, const dirent& entry) {
    switch (entry.d_type) {
        case DT_REG: return entry_kind::file;
        case DT_DIR: return entry_kind::directory;
        case DT_UNKNOWN: break;     // a file system that does not tell
        default: return entry_kind::other;
    }
    struct stat info{};
    const int at = ::dirfd(const_cast<DIR*>(directory_of_entry));
    if (::fstatat(at, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return entry_kind::file;   // opening will tell why
    if (S_ISREG(info.st_mode)) return entry_kind::file;
    return S_ISDIR(info.st_mode) ? entry_kind::directory : entry_kind::other;
}

std::string joined(const std::string& directory, const char* name) {
    std::string path = directory;
    if (path.back() != '/') path += '/';
    return path += name;
}

open_directory open_for_walk(const std::string& path, bool is_top) {
    const int no_follow = is_top ? 0 : O_NOFOLLOW;
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | no_follow));
    if (!fd.valid()) return nullptr;
    open_directory directory(::fdopendir(fd.get()));
    if (directory) static_cast<void>(fd.release());
    return directory;
}

bool is(const DIR* directory, const file_id& id) {
    struct stat info{};
    if (::fstat(::dirfd(const_cast<DIR*>(directory)), &info) != 0) return false;
    return id == file_id{info.st_dev, info.st_ino};
}

/// Hands over the files of one directory and collects those below it; false if `file` ended the walk.
bool walk_one(DIR* directory, const std::string& path, std::vector<std::string>& below, const walk_calls& calls) {
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(directory);
        if (entry == nullptr) {
            if (errno != 0) calls.error("cannot read the directory " + printable(path) + ": " + last_error().message());
            return true;
        }
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        switch (kind_of(directory, *entry)) {
            case entry_kind::file:
                if (!calls.file(joined(path, entry->d_name))) return false;
                break;
            case entry_kind::directory: below.push_back(joined(path, entry->d_name)); break;
            case entry_kind::other: break;
        }
    }
}

}  // namespace

bool walk(const std::string& top, const file_id& left_out, const walk_calls& calls) {
    std::vector<std::string> to_do{top};
    bool is_top = true;
    while (!to_do.empty()) {
        const std::string path = std::move(to_do.back());
        to_do.pop_back();
        const open_directory directory = open_for_walk(path, std::exchange(is_top, false));
        if (!directory) {
            calls.error("cannot read the directory " + printable(path) + ": " + last_error().message());
            continue;
        }
        if (is(directory.get(), left_out)) continue;
        if (!walk_one(directory.get(), path, to_do, calls)) return false;
    }
    return true;
}

}  // namespace checksum
