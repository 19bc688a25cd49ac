// Reading one directory: opening it, and its entries one by one.
// Any thread; an open directory belongs to one thread at a time. Symbolic links are not followed, but for the
// starting directory itself.
#pragma once

#include <dirent.h>

#include <optional>
#include <string>

#include "file.hpp"

namespace checksum {

enum class entry_kind { file, directory, other };

struct directory_entry {
    entry_kind kind;
    const char* name;       // valid until the next one is read
};

/// Null with errno if it cannot be opened. The caller closes it with ::closedir.
[[nodiscard]] DIR* open_directory(const std::string& path, bool follow_link) noexcept;

/// The next entry but for "." and ".."; empty at the end, and with errno (else 0) if reading failed.
[[nodiscard]] std::optional<directory_entry> next_entry(DIR* directory) noexcept;

[[nodiscard]] bool is_same(DIR* directory, const file_id& id) noexcept;

[[nodiscard]] std::string joined(const std::string& directory, const char* name);

}  // namespace checksum
