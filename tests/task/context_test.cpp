// The nodes of the cancellation tree, without pools: who stops with whom, what runs where, and what is freed when.
#include "core/task/context.hpp"

#include "core/base/clock.hpp"
#include "core/base/thread.hpp"
#include "tests/support/pools.hpp"
#include "tests/task/node_tree.hpp"

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>

using lastly::errc;
using lastly::detail::context_node;
using lastly::detail::deadlines_waiting;
using lastly::detail::fail_context_nodes;
using lastly::detail::steady_now;
using support::await;
using support::make;
using support::node;
using support::stop_counter;
using namespace std::chrono_literals;

namespace {

const std::error_code why(77, std::generic_category());

}   // namespace

TEST_CASE("C3: cancelling a node cancels everything below, with the cause, and nothing else") {
    const node root = make({});
    const node top = make({root}), beside = make({root});
    std::vector<node> below;
    for (int i = 0; i < 200; ++i) below.push_back(make({i % 3 == 0 || i < 4 ? top : below[static_cast<std::size_t>(i / 2)]}));
    for (const node& n : below) CHECK_FALSE(n->stopped());
    CHECK(top->cancel(why));
    CHECK(top->stopped());
    for (const node& n : below) {
        CHECK(n->stopped());
        CHECK(n->cause() == why);
    }
    for (const node* const n : {&root, &beside}) {
        CHECK_FALSE((*n)->stopped());
        CHECK_FALSE((*n)->cause());
    }
    CHECK_FALSE(below.back()->cancel(errc::cancelled));
    CHECK(root->cancel(errc::pool_shutdown));
    CHECK(beside->cause() == errc::pool_shutdown);
    CHECK(top->cause() == why);            // E2
    CHECK(below.back()->cause() == why);
}

TEST_CASE("C3: a node stops with the first of its four parents") {
    for (std::size_t first = 0; first < 4; ++first) {
        CAPTURE(first);
        const node parents[] = {make({}), make({}), make({}), make({})};
        const node child = make({parents[0], parents[1], parents[2], parents[3]});
        CHECK_FALSE(child->stopped());
        CHECK(parents[first]->cancel(why));
        CHECK(child->stopped());
        CHECK(child->cause() == why);
        CHECK(parents[(first + 1) % 4]->cancel(errc::sibling_failed));
        CHECK(child->cause() == why);
    }
}

TEST_CASE("context: null, background and duplicate parents count as none, a fifth one is refused") {
    const node a = make({}), b = make({}), c = make({}), d = make({}), e = make({});
    context_node* const many[] = {a.get(), nullptr, a.get(), &context_node::background(), b.get(), a.get(), c.get(), b.get(), d.get()};
    const node child = node(context_node::make(many));
    int stops = 0;
    const std::stop_callback count(child->stop_token(), [&] { ++stops; });
    context_node* const five[] = {a.get(), b.get(), c.get(), d.get(), e.get()};
    CHECK_THROWS_AS(context_node::make(five), std::invalid_argument);
    CHECK(a->cancel(why));
    CHECK(child->cause() == why);
    CHECK(stops == 1);
    for (const node& n : {b, c, d}) CHECK(n->cancel(why));
    CHECK(stops == 1);
    CHECK(lastly::detail::context_node_bytes(4) - lastly::detail::context_node_bytes(0) == 4 * 4 * sizeof(void*));
}

TEST_CASE("C3: a child's deadline never lies after its parents'") {
    const auto now = steady_now();
    const node none = make({}), early = make({}, now + 1h), late = make({}, now + 2h);
    CHECK(none->deadline() == context_node::time_point::max());
    CHECK(make({none})->deadline() == context_node::time_point::max());
    CHECK(make({early}, now + 3h)->deadline() == now + 1h);
    CHECK(make({early}, now + 1min)->deadline() == now + 1min);
    CHECK(make({late, none, early})->deadline() == now + 1h);
    CHECK(make({make({late})}, now + 3h)->deadline() == now + 2h);
}

TEST_CASE("C3: a node below one that has stopped has stopped from the start, with its cause") {
    const node stopped = make({}), running = make({}, steady_now() + 1h);
    CHECK(stopped->cancel(why));
    const std::size_t waiting = deadlines_waiting();
    const node child = make({running, stopped}, steady_now() + 1min);
    CHECK(child->stopped());
    CHECK(child->cause() == why);
    CHECK_FALSE(child->cancel(errc::cancelled));
    CHECK(deadlines_waiting() == waiting);   // no timer
    const node late = make({running}, steady_now() - 1s);
    CHECK(late->cause() == errc::deadline_exceeded);
    CHECK(deadlines_waiting() == waiting);
}

TEST_CASE("C5: a deadline that passes stops the node and everything below it") {
    const auto deadline = steady_now() + 2ms;
    const node timed = make({}, deadline), beside = make({});
    const node child = make({timed}), grandchild = make({child}, deadline + 1h);
    CHECK_FALSE(grandchild->sleep_until(context_node::time_point::max()));
    CHECK(steady_now() >= deadline);
    for (const node& n : {timed, child, grandchild}) CHECK(n->cause() == errc::deadline_exceeded);
    CHECK_FALSE(beside->stopped());
}

TEST_CASE("C5: a parent that nobody holds any more still stops what is below it, when its deadline passes") {
    std::optional<node> parent = make({}, steady_now() + 2ms);
    const node child = make({*parent});
    parent.reset();
    CHECK_FALSE(child->sleep_until(context_node::time_point::max()));
    CHECK(child->cause() == errc::deadline_exceeded);
}

TEST_CASE("context: only deadlines that are earlier than the parents' wait, and a stop or the end calls them off") {
    const std::size_t before = deadlines_waiting();
    const auto later = steady_now() + 1h;
    std::optional<node> parent = make({}, later);
    CHECK(deadlines_waiting() == before + 1);
    const node same = make({*parent}, later), none = make({*parent}), after = make({*parent}, later + 1h);
    CHECK(deadlines_waiting() == before + 1);
    const node earlier = make({*parent}, later - 1min);
    CHECK(deadlines_waiting() == before + 2);
    { const node brief = make({*parent}, later - 2min); }
    CHECK(deadlines_waiting() == before + 2);
    CHECK(earlier->cancel(why));
    CHECK(deadlines_waiting() == before + 1);
    const node again = make({*parent}, later - 1min);
    CHECK((*parent)->cancel(why));   // that of a child is called off with it
    CHECK(deadlines_waiting() == before);
}

TEST_CASE("C1: a token that is asked for after the stop has stopped, and its callbacks run at once") {
    const node n = make({});
    const std::stop_token before = n->stop_token();
    CHECK(n->cancel(why));
    std::atomic<int> stops{0};
    { const stop_counter late(n, stops); }
    CHECK(stops == 1);
    CHECK(n->stop_token().stop_requested());
    CHECK_FALSE(n->stop_token() == before);   // no callback of others runs on the thread that asks (C6)
    const node child = make({n});
    { const stop_counter late(child, stops); }
    CHECK(stops == 2);
}

TEST_CASE("E2: of many cancellers of a context exactly one wins, and its cause stays") {
    for (int round = 0; round < 50; ++round) {
        const node parent = make({}), child = make({parent}, steady_now() + std::chrono::microseconds(100 * (round % 3)));
        constexpr int cancellers = 8;
        std::atomic<int> winners{0}, winner{-1}, wrong{0};
        std::latch together(cancellers);
        std::vector<std::thread> crew;
        for (int i = 0; i < cancellers; ++i) {
            crew.emplace_back([&, i] {
                together.arrive_and_wait();
                const std::error_code mine(i + 1, std::generic_category());
                const bool won = child->cancel(mine);
                if (!child->stopped()) wrong.fetch_add(1);
                if (won != (child->cause() == mine)) wrong.fetch_add(1);
                if (!won) return;
                winners.fetch_add(1);
                winner.store(i + 1);
            });
        }
        for (std::thread& t : crew) t.join();
        CHECK(wrong == 0);
        if (child->cause() == errc::deadline_exceeded) CHECK(winners == 0);
        else CHECK(winners == 1);
        if (winners == 1) CHECK(child->cause() == std::error_code(winner, std::generic_category()));
        const std::error_code first = child->cause();
        CHECK(parent->cancel(why));
        CHECK(child->cause() == first);
    }
}

TEST_CASE("context: the background never stops, and no count is kept of it") {
    context_node& b = context_node::background();
    CHECK_FALSE(b.cancel(why));
    CHECK_FALSE(b.stopped());
    CHECK_FALSE(b.cause());
    CHECK(b.deadline() == context_node::time_point::max());
    CHECK_FALSE(b.stop_token().stop_possible());
    for (int i = 0; i < 3; ++i) b.release();
    const node child = make({});
    CHECK(child->cancel({}));
    CHECK(child->cause() == errc::cancelled);   // an empty cause is none
    CHECK_FALSE(b.stopped());
}

TEST_CASE("context: a sleep ends at its moment or by a stop, and tells which") {
    const node n = make({});
    const auto moment = steady_now() + 2ms;
    CHECK(n->sleep_until(moment));
    CHECK(steady_now() >= moment);
    CHECK(n->sleep_until(steady_now() - 1s));
    CHECK(n->sleep_until(context_node::time_point::min()));
    std::vector<std::thread> sleepers;
    std::atomic<int> woken{0};
    std::latch asleep(4);
    for (int i = 0; i < 4; ++i) {
        sleepers.emplace_back([&] {
            asleep.count_down();
            if (!n->sleep_until(context_node::time_point::max()) && n->cause() == why) woken.fetch_add(1);
        });
    }
    asleep.wait();
    CHECK(n->cancel(why));
    for (std::thread& t : sleepers) t.join();
    CHECK(woken == 4);
    CHECK_FALSE(n->sleep_until(steady_now() + 24h));
}

TEST_CASE("context: a node without memory is not made, and its parents do not know it") {
    const node parent = make({}, steady_now() + 1h);
    const std::size_t waiting = deadlines_waiting();
    fail_context_nodes(1);
    CHECK_THROWS_AS(make({parent}, steady_now() + 1min), std::bad_alloc);
    fail_context_nodes(2);
    const node first = make({parent});
    CHECK_THROWS_AS(make({parent}), std::bad_alloc);
    CHECK_NOTHROW(make({parent}));   // one failure was asked for
    fail_context_nodes(1);
    fail_context_nodes(0);
    CHECK_NOTHROW(make({parent}));
    CHECK(deadlines_waiting() == waiting);
    CHECK(parent->cancel(why));
    CHECK(first->cause() == why);
}

TEST_CASE("context: a timeout in a process that can start no timer thread is an error, and the next one tries again") {
    // In a process of its own: in this one the timer's thread may have been started.
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    const std::string call = "'" + program + "' --no-skip --test-case='context: the first timeout of a process*' >/dev/null";
    CHECK(std::system(call.c_str()) == 0);
}

TEST_CASE("context: the first timeout of a process finds no thread" * doctest::skip()) {
    const node parent = make({});
    lastly::detail::fail_thread_start(1);
    CHECK_THROWS_AS(make({parent}, steady_now() + 1ms), std::system_error);
    CHECK(deadlines_waiting() == 0);
    const node plain = make({parent});   // needs none
    const node timed = make({parent}, steady_now() + 1ms);
    CHECK_FALSE(timed->sleep_until(context_node::time_point::max()));
    CHECK(timed->cause() == errc::deadline_exceeded);
    CHECK_FALSE(plain->stopped());
    CHECK(parent->cancel(why));
    CHECK(plain->cause() == why);
}

TEST_CASE("context: registration races cancellation, every child is stopped once, with the cause") {
    constexpr int makers = 3, rounds = 60;
    for (int round = 0; round < rounds; ++round) {
        const node top = make({}), middle = make({top}), other = make({});
        std::atomic<int> wrong{0}, stops{0}, made{0}, ready{0};
        std::atomic<bool> over{false};
        std::vector<std::thread> crew;
        for (int i = 0; i < makers; ++i) {
            crew.emplace_back([&, i] {
                std::deque<node> children;
                std::deque<stop_counter> counters;
                for (int n = 0; n < 1000 && (!over.load() || n == 0); ++n) {
                    children.push_back(n % 2 == 0 ? make({middle}) : make({other, children.back(), top}));
                    counters.emplace_back(children.back(), stops);
                    if (n == i * 10) ready.fetch_add(1);
                }
                await([&] { return over.load(); });
                for (const node& c : children) wrong.fetch_add(c->stopped() && c->cause() == why ? 0 : 1);
                made.fetch_add(static_cast<int>(children.size()));
            });
        }
        await([&] { return ready.load() == makers; });
        CHECK(top->cancel(why));
        over = true;   // the canceller's callbacks have run
        for (std::thread& t : crew) t.join();
        CHECK(wrong == 0);
        CHECK(stops == made);
        CHECK_FALSE(other->stopped());
    }
}

TEST_CASE("context: children that are freed race a cancel, and their deadlines") {
    constexpr int makers = 3, rounds = 40;
    const std::size_t waiting = deadlines_waiting();
    for (int round = 0; round < rounds; ++round) {
        const node top = make({}), second = make({});
        std::atomic<int> wrong{0}, ready{0};
        std::atomic<bool> over{false};
        std::vector<std::thread> crew;
        for (int i = 0; i < makers; ++i) {
            crew.emplace_back([&, i] {
                node last = make({top});
                for (int n = 0; !over.load(); ++n) {
                    const node twice = make({top, second}, steady_now() + std::chrono::microseconds(n % 50));
                    const node below = make({twice, last});
                    last = n % 8 == 0 ? make({second, top}) : below;
                    if (n == i * 10) ready.fetch_add(1);
                }
                if (!last->stopped()) wrong.fetch_add(1);
                if (last->cause() != why && last->cause() != errc::deadline_exceeded) wrong.fetch_add(1);
            });
        }
        std::thread beside([&] {
            await([&] { return ready.load() == makers; });
            second->cancel(why);
        });
        await([&] { return ready.load() == makers; });
        CHECK(top->cancel(why));
        beside.join();
        over = true;
        for (std::thread& t : crew) t.join();
        CHECK(wrong == 0);
    }
    CHECK(deadlines_waiting() == waiting);
}

TEST_CASE("context: two trees that share children are cancelled at once, each child once") {
    for (int round = 0; round < 100; ++round) {
        const node a = make({}), b = make({});
        std::deque<node> shared;
        std::deque<stop_counter> counters;
        std::atomic<int> stops{0};
        for (int i = 0; i < 100; ++i) {
            shared.push_back(i % 10 == 0 ? make({a, b}) : make({i % 2 == 0 ? a : b, shared.back()}));
            counters.emplace_back(shared.back(), stops);
        }
        std::latch together(2);
        const auto cancel = [&together](const node& n, std::error_code cause) {
            together.arrive_and_wait();
            n->cancel(cause);
        };
        std::thread other([&] { cancel(a, why); });
        cancel(b, errc::sibling_failed);
        for (const node& n : shared) CHECK(n->stopped());   // of a part that the other thread cancels, the stop shows, too
        other.join();
        CHECK(stops == 100);
        for (const node& n : shared) CHECK((n->cause() == why || n->cause() == errc::sibling_failed));
    }
}

TEST_CASE("context: a chain of 50,000 nodes is freed and cancelled on a small stack") {
    constexpr int depth = 50'000;
    for (const bool cancels : {true, false}) {
        CAPTURE(cancels);
        const std::size_t waiting = deadlines_waiting();
        std::optional<node> top = make({}, steady_now() + 24h), end = *top;
        for (int i = 1; i < depth; ++i) end = make({*end}, steady_now() + 23h - std::chrono::seconds(i % 100));
        CHECK(deadlines_waiting() > waiting);
        node watched = *end;
        std::atomic<int> stops{0};
        std::optional<stop_counter> count(std::in_place, watched, stops);
        CHECK(support::on_small_stack([&] {
            if (cancels) (*top)->cancel(why);
            top.reset();
        }));
        CHECK(watched->stopped() == cancels);
        CHECK(stops == (cancels ? 1 : 0));
        count.reset();
        end.reset();
        CHECK(support::on_small_stack([&] { watched = make({}); }));   // the whole chain goes
        CHECK(deadlines_waiting() == waiting);
    }
}

TEST_CASE("context: a node's size is what is documented") {
    if (sizeof(void*) != 8) return;
    CHECK(lastly::detail::context_node_bytes(0) <= 120);
    CHECK(lastly::detail::context_node_bytes(1) == lastly::detail::context_node_bytes(0) + 32);
}
