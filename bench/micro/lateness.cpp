// How late a deadline is noticed (C5): contexts whose deadlines pass evenly over three seconds, each with a stop callback that reads the clock.
// lastly_bench_lateness [DEADLINES_A_SECOND]      default 1000. Prints one line: percentiles in ms, wall time. A deadline that is told before it
// has passed ends the program.
#include "workloads/tally.hpp"

#include <lastly/lastly.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct note_time {
    clock_type::time_point deadline;
    double* late_ms;
    std::atomic<std::size_t>* noted;
    void operator()() const noexcept {
        *late_ms = std::chrono::duration<double, std::milli>(clock_type::now() - deadline).count();
        noted->fetch_add(1, std::memory_order_release);
    }
};

}   // namespace

int main(int argc, char** argv) {
    const int a_second = argc > 1 ? std::atoi(argv[1]) : 1000;
    if (a_second < 1) bench::fail("the number of deadlines a second is at least 1");
    const auto count = static_cast<std::size_t>(a_second) * 3;
    std::vector<double> late(count);
    std::atomic<std::size_t> noted{0};
    std::vector<lastly::cancel_source> owners;
    owners.reserve(count);
    std::vector<std::optional<std::stop_callback<note_time>>> callbacks(count);
    const auto first = clock_type::now() + 500ms;
    for (std::size_t i = 0; i < count; ++i) {
        const auto deadline = first + std::chrono::nanoseconds(1s) * static_cast<std::int64_t>(i) / a_second;
        owners.push_back(lastly::with_deadline(lastly::context::background(), deadline));
        callbacks[i].emplace(owners.back().context().stop_token(), note_time{deadline, &late[i], &noted});
    }
    if (clock_type::now() > first) bench::fail("too slow: deadlines passed while they were made");
    while (noted.load(std::memory_order_acquire) != count) std::this_thread::sleep_for(10ms);
    std::sort(late.begin(), late.end());
    if (late.front() < 0) bench::fail("a deadline was told too early");
    const auto at = [&](double part) { return late[static_cast<std::size_t>(part * static_cast<double>(count - 1))]; };
    std::printf("%d deadlines a second: p50 %.3f, p99 %.3f, p99.9 %.3f, latest %.3f ms late\n", a_second, at(0.5), at(0.99), at(0.999), late.back());
    return 0;
}
