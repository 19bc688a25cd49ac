// Abrupt ends: several pools, one after the other, each shut down while a body runs on every worker and at least a hundred tasks are queued;
// from the thread that submitted, from several at once, from inside a task, by the destructor, after an orderly one; some with a thread that
// still submits.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <atomic>
#include <optional>

namespace lastly::stress::scenarios {

namespace {

constexpr std::uint64_t queued_at_least = 112;
enum class way { here, from_three_threads, inside_a_task, by_destructor, after_an_orderly_one, count };

struct stage {
    std::atomic<unsigned> running{0};
    std::atomic<bool> close{false};
};

// Keeps a worker busy from before the shutdown until it is told to stop.
void send_running(round& r, pool& p, stage& s, bool closes, bool unbooked) {
    send<2>(r.next(), {.ends = ends::cancelled, .must_begin = true, .unbooked = unbooked}, into(p), [&r, &p, &s, closes](task_context& t, cell& c) {
        defer(t, c);
        s.running.fetch_add(1, std::memory_order_relaxed);
        while (!t.stop_requested()) {
            if (closes && s.close.load(std::memory_order_relaxed)) r.check(!p.shutdown_now().complete, "S1: inside a task of the pool a shutdown is not complete");
            std::this_thread::yield();
        }
        defer(t, c);
        t.throw_if_stopped();
    });
}

void send_queued(round& r, pool& p, std::uint64_t n, task_plan plan) {
    for (; n > 0; --n) {
        send<1>(r.next(), plan, into(p), [](task_context& t, cell& c) { defer(t, c); });
    }
}

void end_pool(round& r, pool& p, stage& s, way how) {
    const auto shut_down = [&](unsigned) { r.check(p.shutdown_now().complete, "S1: an abrupt shutdown without a limit is complete, on every thread that asks"); };
    switch (how) {
        case way::inside_a_task:
            s.close.store(true, std::memory_order_relaxed);
            while (!p.context().stop_requested()) std::this_thread::yield();   // from inside
            return shut_down(0);
        case way::from_three_threads: return on_threads(3, shut_down);
        case way::after_an_orderly_one: static_cast<void>(p.shutdown(std::chrono::nanoseconds(0))); return shut_down(0);
        default: return shut_down(0);
    }
}

}   // namespace

void abrupt(round& r) {
    random_numbers random = r.random();
    for (std::uint64_t left = r.tasks(); left > 0;) {
        const auto how = static_cast<way>(random.below(static_cast<std::uint64_t>(way::count)));
        pool_options o = r.options();
        o.on_destroy = on_destroy::cancel;
        stage s;
        std::optional<pool> p(std::in_place, o);
        const bool unbooked = how == way::by_destructor;
        for (unsigned i = 0; i < r.workers(); ++i) send_running(r, *p, s, i == 0 && how == way::inside_a_task, unbooked);
        while (s.running.load(std::memory_order_relaxed) < r.workers()) std::this_thread::yield();
        const std::uint64_t n = queued_at_least + random.below(64);
        send_queued(r, *p, n, {.ends = ends::cancelled, .must_not_begin = true, .unbooked = unbooked});
        if (how != way::by_destructor) {
            const watch shown(*p);
            std::optional<std::thread> late;
            if (random.one_in(3)) late.emplace([&] { send_queued(r, *p, 32, {.ends = ends::cancelled | ends::rejected, .must_not_begin = true}); });   // while the pool closes
            end_pool(r, *p, s, how);
            if (late) late->join();
            r.balance(p->ledger());
        }
        p.reset();
        r.count_one();
        left -= std::min(left, n + r.workers());
    }
}

}   // namespace lastly::stress::scenarios
