// See proof.hpp.
#include "proof.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "file.hpp"

namespace checksum {

descriptor_watch::descriptor_watch() : list_(::opendir("/proc/self/fd"), &::closedir) {
    if (!list_) throw_last_error("cannot list the open descriptors in /proc/self/fd");
    before_ = look();
}

std::size_t descriptor_watch::left_open() const {
    const std::set<int> now = look();
    return static_cast<std::size_t>(std::ranges::count_if(now, [&](int fd) { return !before_.contains(fd); }));
}

std::set<int> descriptor_watch::look() const {
    std::set<int> open;
    ::rewinddir(list_.get());
    while (const dirent* const entry = ::readdir(list_.get())) {
        const std::string_view name = entry->d_name;
        int fd = -1;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), fd);
        if (error == std::errc() && end == name.data() + name.size()) open.insert(fd);
    }
    return open;
}

}  // namespace checksum
