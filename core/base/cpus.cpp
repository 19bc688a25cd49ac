// See cpus.hpp. Control groups v2 (cpu.max along the process's path to the root) and v1 (cpu.cfs_quota_us).
// Any thread.
#include "core/base/cpus.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

namespace lastly::detail {

namespace {

std::string read_small_file(const char* path) {
    std::string text;
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return text;
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    ::close(fd);   // before what may throw
    if (got > 0) text.assign(buffer, static_cast<std::size_t>(got));
    return text;
}

unsigned affinity() noexcept {
    // A mask of 8,192 CPUs: the kernel refuses one that is too small for the machine.
    cpu_set_t sets[8];
    if (::sched_getaffinity(0, sizeof sets, sets) != 0) return 1;
    const int count = CPU_COUNT_S(sizeof sets, sets);
    return count > 0 ? static_cast<unsigned>(count) : 1;
}

unsigned tighter(unsigned a, unsigned b) noexcept { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

unsigned quota_v2() {
    const std::string groups = read_small_file("/proc/self/cgroup");
    const std::size_t entry = groups.rfind("0::", 0) == 0 ? 0 : groups.find("\n0::");
    if (entry == std::string::npos) return 0;
    const std::size_t from = groups.find("::", entry) + 2;
    std::string path = groups.substr(from, groups.find('\n', from) - from);
    unsigned quota = 0;
    for (;;) {   // a parent's limit holds for its children
        quota = tighter(quota, quota_of_cpu_max(read_small_file(("/sys/fs/cgroup" + path + "/cpu.max").c_str())));
        const std::size_t slash = path.rfind('/');
        if (slash == std::string::npos || path.empty()) return quota;
        path.resize(slash);
    }
}

unsigned quota_v1() {
    const std::string quota = read_small_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    const std::string period = read_small_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    return quota.empty() || period.empty() ? 0 : quota_of_cpu_max(quota.substr(0, quota.find('\n')) + " " + period);
}

}   // namespace

unsigned quota_of_cpu_max(const std::string& text) noexcept {
    char* rest = nullptr;
    const long long quota = std::strtoll(text.c_str(), &rest, 10);
    if (rest == text.c_str() || quota <= 0) return 0;   // "max", -1, or nothing
    const long long period = std::strtoll(rest, nullptr, 10);
    if (period <= 0) return 0;
    return static_cast<unsigned>(std::clamp<long long>(quota / period + (quota % period != 0 ? 1 : 0), 1, 1 << 20));
}

unsigned usable_cpus() {
    const unsigned quota = tighter(quota_v2(), quota_v1());
    return quota == 0 ? affinity() : std::min(affinity(), quota);
}

}   // namespace lastly::detail
