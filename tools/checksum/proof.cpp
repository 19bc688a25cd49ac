// See proof.hpp.
#include "proof.hpp"

#include <dirent.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>

#include "file.hpp"

namespace checksum {

std::set<int> open_descriptors() {
    const auto close = [](DIR* directory) { ::closedir(directory); };
    const std::unique_ptr<DIR, decltype(close)> directory(::opendir("/proc/self/fd"), close);
    if (!directory) throw_last_error("cannot list the open descriptors in /proc/self/fd");
    std::set<int> open;
    while (const dirent* const entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        int fd = -1;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), fd);
        if (error == std::errc() && end == name.data() + name.size()) open.insert(fd);
    }
    open.erase(::dirfd(directory.get()));
    return open;
}

std::size_t descriptors_left_open(const std::set<int>& then) {
    const std::set<int> now = open_descriptors();
    return static_cast<std::size_t>(std::ranges::count_if(now, [&](int fd) { return !then.contains(fd); }));
}

}  // namespace checksum
