// The timer thread by itself, with entries that only note that they were fired.
// Each case has timers of its own, that are never destroyed: so are those of the library, whose thread never ends.
#include "core/task/timers.hpp"

#include "core/base/clock.hpp"
#include "core/base/thread.hpp"
#include "core/structures/slab.hpp"
#include "tests/support/pools.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

using lastly::detail::deadline_heap;
using lastly::detail::steady_now;
using lastly::detail::timers;
using support::await;
using support::gate;
using namespace std::chrono_literals;

namespace {

struct timed : deadline_heap::entry {
    std::atomic<int> references{1};   // the case's own; another from hold to the end of fire
    std::atomic<int> fired{0};
    std::function<void()> then = [] {};
};

bool hold(deadline_heap::entry& e) noexcept {
    std::atomic<int>& references = static_cast<timed&>(e).references;
    int now = references.load();
    while (now != 0 && !references.compare_exchange_weak(now, now + 1)) {}
    return now != 0;
}
void fire(deadline_heap::entry& e) noexcept {
    auto& t = static_cast<timed&>(e);
    t.then();
    t.fired.fetch_add(1);
    t.references.fetch_sub(1);   // the last touch
}

timers& fresh_timers() {
    static std::mutex lock;
    static std::deque<timers>& all = *new std::deque<timers>();   // never destroyed: the threads stay
    const std::lock_guard guard(lock);
    return all.emplace_back(timers::actions{&hold, &fire});
}

void wait_for(const timed& t) {
    await([&] { return t.fired.load() != 0 && t.references.load() == 1; });
}

// Keeps the timer thread busy until `open`: what is added meanwhile is looked at together.
class busy_thread {
public:
    explicit busy_thread(timers& t) {
        entry_.then = [this] { held_.pass(); };
        REQUIRE_FALSE(t.add(entry_, steady_now()));
        held_.wait_for_arrivals(1);
    }
    ~busy_thread() { open(); }
    void open() {
        held_.open();
        wait_for(entry_);
    }

private:
    gate held_;
    timed entry_;
};

}   // namespace

TEST_CASE("C5: a deadline that passes is noticed by the timer thread, once") {
    timers& t = fresh_timers();
    timed soon, passed;
    const auto deadline = steady_now() + 2ms;
    REQUIRE_FALSE(t.add(soon, deadline));
    REQUIRE_FALSE(t.add(passed, steady_now() - 1h));
    wait_for(soon);
    CHECK(steady_now() >= deadline);   // never early
    wait_for(passed);
    CHECK(t.size() == 0);
    timed later;
    REQUIRE_FALSE(t.add(later, steady_now()));
    wait_for(later);
    CHECK(soon.fired == 1);
    CHECK(passed.fired == 1);
}

TEST_CASE("timers: what has passed is fired in the order of the deadlines, also more than one batch") {
    timers& t = fresh_timers();
    constexpr int count = 1000;
    std::deque<timed> all(count);
    std::vector<int> order;   // the timer thread's alone until the last one was fired
    {
        busy_thread busy(t);
        const auto past = steady_now() - 1h;
        for (int i = 0; i < count; ++i) {
            const int place = (i * 7) % count;
            all[static_cast<std::size_t>(place)].then = [&order, place] { order.push_back(place); };
            REQUIRE_FALSE(t.add(all[static_cast<std::size_t>(place)], past + std::chrono::microseconds(place)));
        }
        CHECK(t.size() == count);
    }
    wait_for(all.back());
    REQUIRE(order.size() == count);
    for (int i = 0; i < count; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
    for (const timed& e : all) CHECK(e.fired == 1);
    CHECK(t.size() == 0);
}

TEST_CASE("timers: an earlier deadline wakes the thread that sleeps for a later one") {
    timers& t = fresh_timers();
    timed far;
    REQUIRE_FALSE(t.add(far, steady_now() + 24h));
    for (int i = 0; i < 200; ++i) {
        timed near;
        REQUIRE_FALSE(t.add(near, steady_now() + 200us));
        wait_for(near);
    }
    CHECK(far.fired == 0);
    t.remove(far);
    CHECK(t.size() == 0);
}

TEST_CASE("timers: what is removed is not fired, also if its deadline has passed already") {
    timers& t = fresh_timers();
    timed called_off, kept;
    {
        busy_thread busy(t);
        REQUIRE_FALSE(t.add(called_off, steady_now() - 1s));
        REQUIRE_FALSE(t.add(kept, steady_now()));
        t.remove(called_off);
        CHECK(called_off.place == deadline_heap::nowhere);
        t.remove(called_off);   // what is not there may be removed
        CHECK(t.size() == 1);
    }
    wait_for(kept);
    CHECK(called_off.fired == 0);
}

TEST_CASE("timers: what does not live any more when its deadline passes is not fired") {
    timers& t = fresh_timers();
    std::deque<timed> gone(200);   // more than a batch of them
    timed kept;
    {
        busy_thread busy(t);
        for (timed& e : gone) {
            REQUIRE_FALSE(t.add(e, steady_now() - 1s));
            e.references = 0;
        }
        REQUIRE_FALSE(t.add(kept, steady_now()));
    }
    wait_for(kept);
    for (const timed& e : gone) CHECK(e.fired == 0);
    CHECK(t.size() == 0);
}

TEST_CASE("C6: an entry is fired with no lock held, it may add and remove others") {
    timers& t = fresh_timers();
    timed next, other, first;
    REQUIRE_FALSE(t.add(other, steady_now() + 24h));
    std::atomic<bool> added{false};
    first.then = [&] {
        added = !t.add(next, steady_now());
        t.remove(other);
    };
    REQUIRE_FALSE(t.add(first, steady_now()));
    wait_for(first);
    CHECK(added);
    wait_for(next);
    CHECK(t.size() == 0);
    CHECK(other.fired == 0);
}

TEST_CASE("timers: a thread that cannot be started is told, nothing is added, and the next call tries again") {
    timers& t = fresh_timers();
    timed e;
    lastly::detail::fail_thread_start(1);
    const std::error_code refused = t.add(e, steady_now());
    lastly::detail::fail_thread_start(0);
    CHECK(refused);
    CHECK(refused != std::errc::not_enough_memory);
    CHECK(e.place == deadline_heap::nowhere);
    CHECK(t.size() == 0);
    REQUIRE_FALSE(t.add(e, steady_now()));
    wait_for(e);
    CHECK(e.fired == 1);
}

TEST_CASE("timers: without memory nothing is added, and no thread is started") {
    timers& t = fresh_timers();
    timed e;
    lastly::detail::fail_slabs(1);
    lastly::detail::fail_thread_start(1);
    CHECK(t.add(e, steady_now()) == std::errc::not_enough_memory);
    lastly::detail::fail_slabs(0);
    CHECK(e.place == deadline_heap::nowhere);
    CHECK(t.size() == 0);
    CHECK(t.add(e, steady_now()));   // the start that must fail has not been used up
    lastly::detail::fail_thread_start(0);
    REQUIRE_FALSE(t.add(e, steady_now()));
    wait_for(e);
    CHECK(e.fired == 1);
}

TEST_CASE("timers: deadlines that pass race those that are called off, each is fired once or not at all") {
    timers& t = fresh_timers();
    constexpr int threads = 4, rounds = 2000;
    std::atomic<int> fired{0}, called_off{0}, wrong{0};
    std::vector<std::thread> crew;
    for (int n = 0; n < threads; ++n) {
        crew.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) {
                timed e;
                if (t.add(e, steady_now() + std::chrono::microseconds(i % 20))) wrong.fetch_add(1);
                if (i % 4 == 0) wait_for(e);
                t.remove(e);
                e.references.fetch_sub(1);
                await([&] { return e.references.load() == 0; });   // unless it is being fired: it is nobody's now
                (e.fired.load() != 0 ? fired : called_off).fetch_add(1);
                if (e.fired.load() > 1) wrong.fetch_add(1);
            }
        });
    }
    for (std::thread& c : crew) c.join();
    CHECK(fired + called_off == threads * rounds);
    CHECK(fired >= threads * rounds / 4);
    CHECK(wrong == 0);
    CHECK(t.size() == 0);
}
