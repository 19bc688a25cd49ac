// The errors of one run, each once, for the end. Any thread may add; the error sink of the pool does.
#pragma once

#include <cstddef>
#include <mutex>
#include <set>
#include <string>

namespace checksum {

class error_list {
public:
    void add(const std::string& text) {
        const std::lock_guard lock(mutex_);
        texts_.insert(text);
    }

    [[nodiscard]] std::size_t count() const {
        const std::lock_guard lock(mutex_);
        return texts_.size();
    }

    /// A line each for the first twenty, then how many more there are.
    [[nodiscard]] std::string to_text() const;

private:
    mutable std::mutex mutex_;
    std::set<std::string> texts_;
};

}  // namespace checksum
