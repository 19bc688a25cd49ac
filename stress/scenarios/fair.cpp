// Tasks that submit tasks without end, and others from outside among them: each of these begins before every worker has begun a number of
// others that follows from how often a worker turns to what it would never reach (O7).
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>

namespace lastly::stress::scenarios {

namespace {

constexpr std::uint64_t interval = 8;      // of a worker's own tasks; then the injector, or the oldest own task, has its turn
constexpr std::uint64_t at_once = 8;       // tasks from outside that have not begun, at most
constexpr unsigned most_workers = 8;

thread_local unsigned worker_here = 0;

using counts = std::array<std::uint64_t, most_workers>;

struct fairness {
    round& r;
    pool& p;
    std::atomic<std::int64_t> left;                                  // cells for tasks that submit their successor
    std::atomic<std::uint64_t> begun{0};                             // of the tasks from outside
    std::array<std::atomic<std::uint64_t>, most_workers> starts{};   // on each worker

    counts now() const noexcept {
        counts c{};
        for (unsigned i = 0; i < most_workers; ++i) c[i] = starts[i].load(std::memory_order_relaxed);
        return c;
    }
    std::uint64_t chains() const noexcept { return 2 * r.workers(); }
    // Of two turns one is the injector's, one the oldest own task's. What is taken over from the injector lies in a deque behind no more
    // than all tasks that there are at a time: those from outside, and the chains' ones.
    std::uint64_t bound() const noexcept { return 2 * interval * (2 * at_once + chains() + 2); }
};

void start(fairness& f) noexcept { f.starts[worker_here].fetch_add(1, std::memory_order_relaxed); }

// Submits its successor as long as there are cells.
void send_link(fairness& f) {
    if (f.left.fetch_sub(1, std::memory_order_relaxed) <= 0) return;
    send<1>(f.r.next(), succeeds, into(f.p), [&f](task_context& t, cell& c) {
        start(f);
        defer(t, c);
        send_link(f);
    });
}

// What a task from outside finds: how much had begun on each worker when its submission was over.
struct ticket {
    counts before{};
    std::atomic<bool> is_written{false};
};

void send_from_outside(fairness& f) {
    const auto mine = std::make_shared<ticket>();
    send<1>(f.r.next(), succeeds, into(f.p), [&f, mine](task_context& t, cell& c) {
        start(f);
        defer(t, c);
        f.begun.fetch_add(1, std::memory_order_relaxed);
        if (!mine->is_written.load(std::memory_order_acquire)) return;   // it began at once
        const counts now = f.now();
        std::uint64_t least = ~std::uint64_t{0};
        for (unsigned i = 0; i < f.r.workers(); ++i) least = std::min(least, now[i] - mine->before[i]);
        f.r.check(least <= f.bound(), "O7: a task from outside begins although others are submitted without end");
    });
    mine->before = f.now();
    mine->is_written.store(true, std::memory_order_release);
}

}   // namespace

void fair(round& r) {
    if (r.workers() > most_workers) return;
    pool_options o = r.options();
    o.tuning.injector_interval = static_cast<std::uint32_t>(interval);
    o.on_worker_start = [](unsigned worker) { worker_here = std::min(worker, most_workers - 1); };   // nobody waits: there are no stand-ins
    pool p(o);
    const watch shown(p);
    const std::uint64_t outside = r.tasks() / 32;
    fairness f{.r = r, .p = p, .left = static_cast<std::int64_t>(r.tasks() - outside)};
    for (std::uint64_t i = f.chains(); i > 0; --i) send_link(f);
    for (std::uint64_t sent = 0; sent < outside && f.left.load(std::memory_order_relaxed) > 0; ++sent) {
        while (sent - f.begun.load(std::memory_order_relaxed) >= at_once) std::this_thread::yield();
        send_from_outside(f);
    }
    r.close(p);
}

}   // namespace lastly::stress::scenarios
