// See crowd.hpp, and README.md here.
#include "core/sched/crowd.hpp"

#include "core/base/clock.hpp"
#include "core/sched/pool_core.hpp"
#include "lastly/detail/fault.hpp"

#include <algorithm>
#include <chrono>

namespace lastly::detail {

namespace {

using namespace std::chrono_literals;
using nanoseconds = std::chrono::nanoseconds;
constexpr nanoseconds first_nap = 100us, longest_nap = 1ms, longest_hold = 10ms, stays_open = 1ms, stays_wide_open = 10ms;

// Of the workers that are awake, before a nap.
void note_cpu_times(pool_core& pool) noexcept {
    const unsigned crew = pool.workers.size();
    for (unsigned i = 0; i < crew; ++i) {
        worker& w = pool.workers[i];
        const cpu_clock clock = pool.idle.sleeps(i) ? no_cpu_clock : w.clock.load(relaxed);   // order: some thread's of this worker
        w.cpu_seen = clock != no_cpu_clock ? cpu_time(clock) : nanoseconds{-1};
    }
}

// How much those have used since then.
nanoseconds cpu_used(const pool_core& pool) noexcept {
    nanoseconds used{};
    const unsigned crew = pool.workers.size();
    for (unsigned i = 0; i < crew; ++i) {
        const worker& w = pool.workers[i];
        if (w.cpu_seen >= nanoseconds{0}) used += std::max(nanoseconds{0}, cpu_time(w.clock.load(relaxed)) - w.cpu_seen);   // order: some thread's of this worker
    }
    return used;
}

}   // namespace

unsigned crowd::limit(const pool_core& pool, std::chrono::steady_clock::time_point now) const noexcept {
    // order (block): hints, each by itself
    if (now.time_since_epoch().count() >= until_.load(relaxed)) return pool.cpus;
    return limit_.load(relaxed);
}

void crowd::open(unsigned limit, std::chrono::steady_clock::time_point until) noexcept {
    if (LASTLY_FAULT("crowd-shut")) return;
    // order (block): hints, each by itself
    limit_.store(limit, relaxed);
    until_.store(until.time_since_epoch().count(), relaxed);
}

bool crowd::hold_back(pool_core& pool) noexcept {
    const unsigned workers = pool.options.workers, with_this = pool.idle.awake();
    if (with_this <= pool.cpus || pool.anchor->gone()) return true;
    const auto entered = steady_now();
    if (with_this <= limit(pool, entered)) return true;
    if (!pool.idle.begin_nap()) return false;
    const auto longest = entered + (LASTLY_FAULT("crowd-shut") ? nanoseconds{24h} : longest_hold);
    for (auto length = first_nap;; length = std::min(2 * length, longest_nap)) {
        note_cpu_times(pool);
        const std::uint64_t over = count_retired(pool);
        const auto begin = steady_now();
        pool.idle.nap_until(begin + length);
        const auto now = steady_now();
        const unsigned awake = pool.idle.awake();   // without this one
        if (awake < pool.cpus || pool.anchor->gone()) break;
        const nanoseconds used = cpu_used(pool), passed = std::min<nanoseconds>(now - begin, longest_hold), all = passed * pool.cpus;
        if (any_task_is_queued(pool) && count_retired(pool) == over) open(workers, now + stays_wide_open);   // they take long, or wait for what is queued
        else if (2 * (all - used) > passed) open(static_cast<unsigned>(std::min<std::int64_t>(workers, 1 + awake * all / std::max(used, nanoseconds{1}))), now + stays_open);   // half a CPU is free; as many as would use all up
        if (awake < limit(pool, now) || now >= longest || !any_queue_has_work(pool)) break;
    }
    pool.idle.end_nap();
    return true;
}

}   // namespace lastly::detail
