// Bounded pools under each overflow policy: rejected when full, blocked until there is room, run by the caller; submitters from outside and
// from tasks; callers that are blocked when their context stops, or the pool closes.
#include "stress/scenarios/scenarios.hpp"

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

constexpr std::size_t capacity = 24;
constexpr unsigned submitters = 3;

task_plan plan_under(overflow policy) {
    if (policy == overflow::reject) return {.ends = ends::succeeded | ends::rejected};
    return succeeds;
}

void send_some(round& r, pool& p, std::uint64_t n, overflow policy, random_numbers random) {
    for (; n > 0; --n) {
        const bool submits = random.one_in(8);   // once more, from a worker, which never waits for room
        send<2>(r.next(), plan_under(policy), into(p), [&r, &p, policy, submits](task_context& t, cell& c) {
            defer(t, c);
            if (submits) send<1>(r.next(), plan_under(policy), into(p), [] {});
        });
    }
}

constexpr task_plan never{.ends = ends::rejected, .must_not_begin = true};

// As many tasks as there is room for, which wait until `open`.
void take_all_room(round& r, pool& p, std::atomic<bool>& open) {
    p.wait_idle();   // what is queued behind them would keep its room
    for (std::size_t i = 0; i < capacity; ++i) {
        send<1>(r.next(), succeeds, into(p), [&open] {
            while (!open.load(std::memory_order_relaxed)) std::this_thread::yield();
        });
    }
}

// As many as there is room for are accepted, and not one more.
void fill(round& r, pool& p) {
    std::atomic<bool> open{false};
    take_all_room(r, p, open);
    for (unsigned i = 0; i < 8; ++i) send<1>(r.next(), never, into(p), [] {});
    open.store(true, std::memory_order_relaxed);
    p.wait_idle();
}

// Callers that wait for room are rejected when their context stops, and when the pool closes.
void wake_the_blocked(round& r, pool& p) {
    std::atomic<bool> open{false};
    take_all_room(r, p, open);
    cancel_source stop = with_cancel();
    std::thread stopped([&] {
        send<2>(r.next(), never, into(p, stop.context()), [] {});
    });
    std::thread closed([&] { send<2>(r.next(), never, into(p), [] {}); });
    std::this_thread::yield();
    stop.cancel();
    stopped.join();
    p.close();
    closed.join();
    open.store(true, std::memory_order_relaxed);
    p.wait_idle();   // they look at it
}

}   // namespace

void bounded(round& r) {
    for (const overflow policy : {overflow::reject, overflow::block, overflow::caller_runs}) {
        pool_options o = r.options();
        o.capacity = capacity;
        o.overflow = policy;
        pool p(o);
        const watch shown(p);
        if (policy == overflow::reject) fill(r, p);
        on_threads(submitters, [&](unsigned thread) { send_some(r, p, share_of(r.tasks() / 3, thread, submitters), policy, r.random(thread)); });
        if (policy == overflow::block) wake_the_blocked(r, p);
        r.close(p);
    }
}

}   // namespace lastly::stress::scenarios
