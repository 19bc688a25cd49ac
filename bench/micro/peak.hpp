// How much memory the process has held at most, in KiB, as the system counts it.
#pragma once

#include <sys/resource.h>

namespace bench {

inline long peak_kib() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss;
}

}   // namespace bench
