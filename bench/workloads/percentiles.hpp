// A distribution of many short times. A value; one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace bench {

class distribution {
public:
    void add(double ns) { of_.push_back(ns); }
    bool empty() const noexcept { return of_.empty(); }
    // The value that `part` of all do not exceed; requires that there is one.
    double at(double part) {
        const auto here = of_.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(of_.size() - 1));
        std::nth_element(of_.begin(), here, of_.end());
        return *here;
    }

private:
    std::vector<double> of_;
};

}   // namespace bench
