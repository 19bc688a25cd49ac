// The deque of branches: what its owner pops, what thieves get, and how much of it is public. Rules B1, W1.
#include "lastly/detail/fork.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace detail = lastly::detail;

namespace {

// A deque whose offers are the test's, and branches that never run.
struct fixture {
    static void offer(detail::branch_deque& d) {
        if (automatic != 0) d.offer(automatic);
    }
    static inline std::int64_t automatic = 0;   // how many are offered when the deque asks

    explicit fixture(std::int64_t offered) { automatic = offered; }
    detail::branch& make() { return *made.emplace_back(std::make_unique<detail::branch>(nullptr, scope)); }
    detail::branch* push() {
        detail::branch& b = make();
        REQUIRE(d.has_room(1));
        d.push(b);
        return &b;
    }
    detail::branch* steal() {
        bool contended = false;
        detail::branch* const b = d.steal(contended);
        CHECK_FALSE(contended);   // nobody else is here
        return b;
    }

    detail::run_record record;
    detail::branch_scope scope{record};
    detail::atomic<std::uint64_t> idle{0};
    detail::branch_deque d{nullptr, 1, detail::branch_deque::capacity, idle, &offer};
    std::vector<std::unique_ptr<detail::branch>> made;
};

}   // namespace

TEST_CASE("branch_deque: the owner pops what it pushed last, thieves get the oldest") {
    fixture f(detail::branch_deque::capacity);
    detail::branch* const a = f.push();
    detail::branch* const b = f.push();
    f.push();
    CHECK_FALSE(f.d.offer(detail::branch_deque::capacity));   // the first push was told how many, the others saw to it
    CHECK(f.d.size() == 3);
    CHECK(f.d.pop());
    CHECK(f.steal() == a);
    CHECK(f.steal() == b);
    CHECK(f.steal() == nullptr);
    CHECK_FALSE(f.d.pop());
    CHECK_FALSE(f.d.pop());
    CHECK(f.d.size() == 0);
}

TEST_CASE("branch_deque: what is not offered is the owner's alone") {
    fixture f(1);
    detail::branch* const a = f.push();   // nothing was public: it asked, and one was offered
    f.push();
    f.push();
    CHECK(f.d.size() == 1);
    CHECK(f.steal() == a);
    CHECK(f.steal() == nullptr);
    CHECK(f.d.pop());
    CHECK(f.d.pop());
    CHECK_FALSE(f.d.pop());
}

TEST_CASE("branch_deque: a pop does not ask while as many are public as can run at once, however many workers are idle") {
    fixture f(0);
    static int asked;
    asked = 0;
    detail::branch_deque d(nullptr, 1, 4, f.idle, [](detail::branch_deque&) { ++asked; });
    CHECK(d.wanted_for(0) == 1);
    CHECK(d.wanted_for(2) == 3);
    CHECK(d.wanted_for(62) == 4);
    for (int i = 0; i < 8; ++i) d.push(f.make());
    f.idle.store(62, detail::relaxed);
    d.offer(4);
    asked = 0;
    CHECK(d.pop());
    CHECK(asked == 0);
    bool contended = false;
    CHECK(d.steal(contended) == f.made[0].get());
    CHECK(d.pop());
    CHECK(asked == 1);
}

TEST_CASE("branch_deque: a push asks when fewer are public than the last offer said, a pop when a worker is idle") {
    fixture f(0);
    static int asked;
    static std::int64_t count;
    asked = 0;
    count = 1;
    detail::branch_deque d(nullptr, 1, 4, f.idle, [](detail::branch_deque& self) {
        ++asked;
        self.offer(count);
    });
    for (int i = 0; i < 6; ++i) d.push(f.make());
    CHECK(asked == 1);
    CHECK(d.size() == 1);
    CHECK(d.pop());
    CHECK(asked == 1);
    f.idle.store(1, detail::relaxed);   // a sleeper
    d.push(f.make());
    CHECK(asked == 1);
    count = 2;
    CHECK(d.pop());
    CHECK(asked == 2);
    CHECK(d.size() == 2);
    d.push(f.make());
    CHECK(asked == 2);
    bool contended = false;
    CHECK(d.steal(contended) == f.made[0].get());
    d.push(f.make());
    CHECK(asked == 3);
    CHECK(d.size() == 2);
    f.idle.store(std::uint64_t{1} << 16, detail::relaxed);   // a searcher
    CHECK(d.pop());
    CHECK(asked == 4);
    f.idle.store(std::uint64_t{1} << 32, detail::relaxed);   // somebody who watches for quiescence is not idle
    CHECK(d.pop());
    CHECK(asked == 4);
    CHECK(d.offer(3));
    CHECK(d.size() == 3);
    CHECK_FALSE(d.offer(2));   // what is public stays so
    CHECK(d.size() == 3);
    f.idle.store(1, detail::relaxed);
    CHECK(d.pop());   // nothing is left that could be offered
    CHECK(asked == 4);
}

TEST_CASE("branch_deque: it holds as many as it says, and finds room again when thieves were there") {
    fixture f(0);
    for (std::int64_t i = 0; i < detail::branch_deque::capacity; ++i) f.push();
    CHECK_FALSE(f.d.has_room(1));
    CHECK(f.d.offer(3));
    CHECK(f.steal() == f.made[0].get());
    CHECK(f.d.has_room(1));
    CHECK_FALSE(f.d.has_room(2));
    f.push();
    CHECK_FALSE(f.d.has_room(1));
    CHECK(f.steal() == f.made[1].get());   // the slot that was used again is not this one's
    std::int64_t popped = 0;
    while (f.d.pop()) ++popped;
    CHECK(popped == detail::branch_deque::capacity - 1);
}

TEST_CASE("branch_deque: a model agrees after each of many random steps") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        fixture f(static_cast<std::int64_t>(seed % 3));
        std::deque<detail::branch*> model;
        std::size_t open = 0;   // of the model's, from the front
        std::size_t wanted = 1;
        for (int step = 0; step < 20'000; ++step) {
            switch (random() % 5) {
            case 0: case 1:
                if (model.size() < 1000) {
                    const bool asks = open < wanted;
                    model.push_back(f.push());
                    if (asks && fixture::automatic != 0) {
                        wanted = static_cast<std::size_t>(fixture::automatic);
                        open = std::max(open, std::min(model.size(), wanted));
                    }
                }
                break;
            case 2: case 3:
                REQUIRE(f.d.pop() == !model.empty());
                if (!model.empty()) model.pop_back();
                open = std::min(open, model.size());
                break;
            default:
                if (random() % 4 == 0) {
                    const auto count = static_cast<std::int64_t>(random() % 4);
                    f.d.offer(count);
                    wanted = static_cast<std::size_t>(count);
                    open = std::max(open, std::min(model.size(), wanted));
                }
                detail::branch* const got = f.steal();
                REQUIRE(got == (open != 0 ? model.front() : nullptr));
                if (open != 0) {
                    model.pop_front();
                    --open;
                }
            }
            REQUIRE(f.d.size() == open);
        }
    }
}

TEST_CASE("W1: a waiter gets parts of the branch that it waits for, not what lies below") {
    fixture f(detail::branch_deque::capacity);
    detail::branch* const below = f.push();   // of something that the thief does besides
    detail::branch& awaited = f.make();
    awaited.base = f.d.end();
    awaited.state.store(detail::branch::running, detail::release);
    CHECK(f.d.steal_part_of(awaited) == nullptr);
    detail::branch* const part = f.push();
    f.d.offer(detail::branch_deque::capacity);
    CHECK(f.d.steal_part_of(awaited) == nullptr);   // the oldest is not one
    CHECK(f.steal() == below);
    CHECK(f.d.steal_part_of(awaited) == part);
    CHECK(f.d.steal_part_of(awaited) == nullptr);
    f.push();
    f.d.offer(detail::branch_deque::capacity);
    awaited.state.store(detail::branch::over, detail::release);
    CHECK(f.d.steal_part_of(awaited) == nullptr);   // it may be of what came after
}

namespace {

// An owner that forks as a tree does, and thieves: each branch comes out once.
void race(std::int64_t offered, unsigned thieves, int rounds) {
    fixture f(offered);
    constexpr int depth = 12;
    for (int i = 0; i < depth; ++i) f.make();
    std::vector<std::atomic<int>> out(depth);
    std::atomic<bool> over{false};
    std::barrier start(static_cast<std::ptrdiff_t>(thieves) + 1);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < thieves; ++t) {
        threads.emplace_back([&] {
            start.arrive_and_wait();
            for (unsigned looks = 1; !over.load(); ++looks) {
                bool contended = false;
                detail::branch* const b = f.d.steal(contended);
                if (looks % 1024 == 0) std::this_thread::yield();   // there may be one CPU for all
                if (b == nullptr) continue;
                for (std::size_t i = 0; i < depth; ++i) {
                    if (f.made[i].get() == b) out[i].fetch_add(1);
                }
            }
        });
    }
    start.arrive_and_wait();
    std::mt19937 random(offered == 1 ? 1u : 2u);
    int wrong = 0, stolen = 0;
    for (int round = 0; round < rounds || stolen < 500; ++round) {   // thieves may be late
        const std::size_t pushed = 1 + random() % depth;
        for (std::size_t i = 0; i < pushed; ++i) f.d.push(*f.made[i]);
        if (round % 16 == 0) std::this_thread::yield();   // on one CPU: now there is something to steal
        for (std::size_t i = pushed; i-- != 0;) {
            if (f.d.pop()) {
                if (out[i].load() != 0) ++wrong;   // a thief has it, too
                if (wrong > 100) break;
            } else {
                ++stolen;
                while (out[i].load() == 0) std::this_thread::yield();   // its thief will say so
                if (out[i].exchange(0) != 1) ++wrong;
            }
        }
        if (!f.d.has_room(depth)) ++wrong;
        if (wrong > 100) break;
    }
    over.store(true);
    for (std::thread& t : threads) t.join();
    CHECK(wrong == 0);
}

}   // namespace

TEST_CASE("branch_deque: one on offer and thieves: each branch goes to one of them") { race(1, 2, 20'000); }
TEST_CASE("branch_deque: all on offer and thieves: each branch goes to one of them") { race(detail::branch_deque::capacity, 3, 20'000); }
