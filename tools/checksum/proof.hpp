// Which descriptors this process has open, read from /proc/self/fd.
// Only meaningful while no other thread opens or closes any. The list itself stays open from the first look to the
// last, so that the last one needs no descriptor.
#pragma once

#include <dirent.h>

#include <cstddef>
#include <memory>
#include <set>

namespace checksum {

class descriptor_watch {
public:
    /// Takes the first look. Throws std::system_error where there is no /proc, or no descriptor to be had.
    descriptor_watch();

    /// How many are open now that were not open then.
    [[nodiscard]] std::size_t left_open() const;

private:
    [[nodiscard]] std::set<int> look() const;

    std::unique_ptr<DIR, int (*)(DIR*)> list_;
    std::set<int> before_;
};

}  // namespace checksum
