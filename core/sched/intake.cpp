// See intake.hpp, and README.md here.
#include "core/sched/intake.hpp"

#include "core/base/clock.hpp"
#include "core/base/prefetch.hpp"
#include "core/base/test_point.hpp"
#include "core/base/thread.hpp"
#include "core/sched/pool_core.hpp"
#include "core/structures/frame_store.hpp"
#include "core/structures/slab.hpp"

#include <algorithm>
#include <chrono>

namespace lastly::detail {

namespace {

constexpr std::size_t worth_the_way = 32;   // tasks
constexpr std::chrono::microseconds time_to_gather{2};
static_assert(2 * idle_workers::max_workers <= deque::most_thieves, "each worker and each stand-in is a thief of its own");

std::uint32_t next_random(std::uint64_t& state) noexcept {   // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return static_cast<std::uint32_t>(state * 0x2545f4914f6cdd1du >> 32);
}

// What was taken elsewhere goes to the taker's own deque, where others can steal it.
template <class Item>
void queue_up(const taker& t, std::size_t count, Item item) noexcept {
    if (count == 0 || t.tasks.push_each(count, item)) return;
    for (std::size_t i = 0; i < count; ++i) {   // the deque cannot grow: to where they can wait
        t.books.spilled.announce();
        t.pool.entrance.spill(*item(i).task);
    }
}

// Of frames that were taken elsewhere: does more than the first line of a block come over? A guess from one of them: a frame's own header
// is not here yet.
bool are_long(const frame* any) noexcept { return bytes_of_block(any) > cache_line; }
void fetch_ahead(frame* f, bool is_long) noexcept {
    prefetch_for_write(f);   // its lines lie in another core's cache, or in memory
    if (is_long) prefetch_for_write(f->at(cache_line));
}

// It came away with so many. One that comes for each task as it is made takes the queue's lines from whoever makes them each time, and both get
// on at the lines' speed.
void let_gather(worker& w, std::size_t count) noexcept {
    if (count < worth_the_way) w.next_look = steady_now() + time_to_gather;
}

// A task and up to half of what the victim has, `most` at most; or a branch.
finding steal_from(worker& w, worker& victim, std::size_t most, bool& contended) noexcept {
    deque_item* const stolen = w.stolen;
    std::size_t count = victim.tasks.steal_many(stolen, most, w.index + 1, contended);
    if (count == 0) return {nullptr, victim.branches.steal(contended)};
    if (count == 1) {
        bool is_contended = false;
        for (std::size_t left = std::min(victim.tasks.size() / 2, most - 1); left > 0 && victim.tasks.steal(stolen[count], is_contended); --left) ++count;
    }
    const bool is_long = are_long(stolen[0].task);
    fetch_ahead(stolen[0].task, is_long);   // in the order in which they are run: the first is wanted at once
    for (std::size_t i = count; i-- > 1;) fetch_ahead(stolen[i].task, is_long);
    LASTLY_POINT("some-stolen");
    queue_up(taker_of(w), count - 1, [stolen, count](std::size_t i) { return stolen[count - 1 - i]; });   // what was the oldest there is the oldest here
    let_gather(w, count);
    return {stolen[0].task, nullptr};
}

branch* steal_branch_from_anybody(pool_core& pool) noexcept {
    const unsigned crew = pool.workers.size();
    for (unsigned i = 0; i < crew; ++i) {
        bool contended = true;
        while (contended) {
            contended = false;
            if (branch* const b = pool.workers[i].branches.steal(contended)) return b;
        }
    }
    return nullptr;
}

}   // namespace

std::size_t take_over(const taker& t, std::size_t kept, frame** first) noexcept {
    frame* batch[256];
    const std::size_t got = t.pool.entrance.take(t.intake, batch, t.pool.options.tuning.injector_batch);
    if (got == 0) return 0;
    if (kept != 0) *first = batch[0];
    LASTLY_POINT("batch-taken");
    const bool is_long = are_long(batch[0]);
    for (std::size_t i = 0; i < got; ++i) fetch_ahead(batch[i], is_long);   // in the order in which they are run: the first is wanted at once
    queue_up(t, got - kept, [&batch, kept](std::size_t i) { return deque_item{batch[kept + i], look_at_task}; });
    t.books.taken.add(got);   // after they can be found in the deque: nobody who looks for work misses them meanwhile
    return got;
}

frame* take_batch(const taker& t) noexcept {
    frame* first = nullptr;
    take_over(t, 1, &first);
    return first;
}

frame* take_one(worker& w) noexcept {
    frame* f = nullptr;
    if (w.pool.entrance.take(w.intake.get(), &f, 1) == 0) return nullptr;
    w.books.taken.add();
    return f;
}

frame* take_next_batch(worker& w) noexcept {
    frame* first = nullptr;
    const std::size_t got = take_over(taker_of(w), 1, &first);
    if (got > 1) {   // a single one is no stream
        w.pool.idle.notify();   // for the rest of it
        let_gather(w, got);
    }
    return first;
}

finding steal_from_others(worker& w, std::uint32_t attempts, std::size_t most) noexcept {
    bool contended = false;
    const std::uint32_t count = w.pool.workers.size();
    for (std::uint32_t i = 0; count > 1 && i < attempts; ++i) {
        const std::uint32_t random = next_random(w.random);
        const bool comes_back = most > 1 && w.last_victim != w.index && random >> 29 != 0;   // of many others most have nothing; one time in eight, anybody: one that hangs may have something
        const std::uint32_t victim = comes_back ? w.last_victim : (w.index + 1 + random % (count - 1)) % count;
        const finding f = steal_from(w, w.pool.workers[victim], most, contended);
        if (f && most > 1) w.last_victim = victim;
        else if (comes_back) w.last_victim = w.index;
        if (f) return f;
    }
    deque_item item;   // what a helper holds, which may be stuck
    return {w.pool.helpers.steal(item, contended) ? item.task : nullptr, nullptr};
}

frame* steal_from_anybody(pool_core& pool) noexcept {
    deque_item item;
    const auto steal = [&item](deque& from) {
        for (bool contended = true; contended;) {
            contended = false;
            if (from.steal(item, contended)) return true;
        }
        return false;
    };
    const unsigned crew = pool.workers.size();
    for (unsigned i = 0; i < crew; ++i) {
        if (steal(pool.workers[i].tasks)) return item.task;
    }
    return steal(pool.helpers) ? item.task : nullptr;
}

finding take_from_anybody(pool_core& pool) noexcept {
    if (frame* const f = steal_from_anybody(pool)) return {f, nullptr};
    return {nullptr, steal_branch_from_anybody(pool)};
}

void wait_for_more(worker& w) noexcept {
    if (w.next_look == std::chrono::steady_clock::time_point{}) return;
    while (steady_now() < w.next_look) pause_cpu();
    w.next_look = {};
}

}   // namespace lastly::detail
