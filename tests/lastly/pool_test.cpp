// The pool's public members: the ways in, the ways out, and what each of them refuses.
#include <lastly/pool.hpp>

#include "check_pool.hpp"
#include "core/structures/slab.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using lastly::finally;
using lastly::outcome;
using lastly::pool;
using lastly::task_rejected;
namespace this_task = lastly::this_task;
using namespace std::chrono_literals;

namespace {

static_assert(!std::is_copy_constructible_v<pool> && !std::is_move_constructible_v<pool> && !std::is_move_assignable_v<pool>);
static_assert(!std::is_convertible_v<lastly::pool_options, pool> && std::is_default_constructible_v<pool>);
struct not_a_body { void operator()(int); };
template <class B> concept submits = requires(pool& p, B b) { p.submit(std::move(b)); };
template <class B> concept detaches = requires(pool& p, B b) { p.detach(std::move(b)); };
template <class B> concept runs = requires(pool& p, B b) { p.run(std::move(b)); };
static_assert(submits<void (*)()> && detaches<std::function<int()>> && runs<std::unique_ptr<int> (*)()>);
static_assert(!submits<not_a_body> && !detaches<not_a_body> && !runs<not_a_body> && !submits<int>);
static_assert(std::is_same_v<decltype(std::declval<pool&>().run(std::declval<int& (*)()>())), int&>);
static_assert(std::is_same_v<decltype(std::declval<pool&>().submit([] { return 'c'; })), lastly::task_handle<char>>);

struct alignas(128) wide {
    unsigned char bytes[128];
    explicit wide(unsigned char b) { bytes[0] = bytes[127] = b; }
};
int free_function() { return 17; }
int& reference_to_static() {
    static int object = 0;
    return object;
}

}   // namespace

TEST_CASE("pool: bodies of every shape run, and their results come back") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool p(workers);
        CHECK(p->workers() == workers);
        CHECK(p->run(free_function) == 17);
        CHECK(p->run(&free_function) == 17);
        CHECK(p->run(std::function<int()>([] { return 18; })) == 18);
        CHECK(&p->run(reference_to_static) == &reference_to_static());
        CHECK(*p->run([owner = std::make_unique<int>(19)]() mutable { return std::move(owner); }) == 19);
        CHECK(p->run([] { return std::string(1'000, 'x'); }).size() == 1'000);
        const wide w(0xe7);
        CHECK(p->run([w] {
            return w.bytes[0] == 0xe7 && w.bytes[127] == 0xe7 && reinterpret_cast<std::uintptr_t>(&w) % 128 == 0;
        }));
        CHECK(p->run([w] { return wide(static_cast<unsigned char>(w.bytes[127] + 1)); }).bytes[127] == 0xe8);
        std::array<unsigned char, 20 << 10> large{};
        large.front() = 1;
        large.back() = 2;
        CHECK(p->run([large] { return large.front() + large.back(); }) == 3);
        int called = 0;
        auto lvalue = [&called] { return ++called; };
        CHECK(p->run(lvalue) == 1);
        CHECK(p->run(std::ref(lvalue)) == 2);
    }
}

TEST_CASE("pool: a failure comes back to who ran it, or goes to the sink") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool p(workers);
        CHECK(message_of<std::runtime_error>([&] { p->run([] { throw std::runtime_error("mine"); }); }) == "mine");
        CHECK(p.reports().empty());
        const std::uint32_t line = __LINE__ + 1;
        p->detach([] { throw std::runtime_error("nobody's"); });
        p->wait_idle();
        REQUIRE(p.reports().size() == 1);
        CHECK(p.reports()[0].kind == lastly::report_kind::failed);
        CHECK(p.reports()[0].what == "nobody's");
        CHECK(p.reports()[0].line == line);
    }
}

TEST_CASE("pool: the creation site of every way in is the caller's line") {
    checked_pool p(1);
    const auto fails = [] { throw std::runtime_error("x"); };
    const auto throwing = finally([] { throw std::runtime_error("y"); });
    const std::uint32_t first = __LINE__ + 1;
    (void)p->submit(fails);
    p->wait_idle();
    p->detach(fails, finally([] {}), lastly::named("n"));
    p->wait_idle();
    p->run([fails] {
        (void)this_task::submit(fails);
    });
    p->wait_idle();
    CHECK_THROWS(p->run([] {}, throwing));
    std::vector<std::uint32_t> lines;
    for (const noted_report& r : p.reports()) lines.push_back(r.line - first);
    CHECK(lines == std::vector<std::uint32_t>{0, 2, 5, 8});
}

TEST_CASE("pool: after close it rejects what comes from outside, once its chain has run") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool p(workers);
        p->close();
        p->close();
        std::string order;
        bool body = false;
        std::thread::id thread;
        const auto note = [&](char c) {
            return finally([&, c](const outcome& o) {
                order += o.rejected() && o.cause() == lastly::errc::pool_closed && !o.started() ? c : '?';
                thread = std::this_thread::get_id();
            });
        };
        const auto code_of = [](auto call) {
            try {
                call();
            } catch (const task_rejected& e) {
                return e.code();
            }
            return std::error_code();
        };
        const auto run = [&] { body = true; };
        CHECK(code_of([&] { (void)p->submit(run, note('1'), note('2')); }) == lastly::errc::pool_closed);
        CHECK(code_of([&] { p->detach(run, note('3'), note('4')); }) == lastly::errc::pool_closed);
        CHECK(code_of([&] { p->run(run, note('5')); }) == lastly::errc::pool_closed);
        CHECK(code_of([&] { (void)p->submit(lastly::make_task(run, note('6'))); }) == lastly::errc::pool_closed);
        CHECK(code_of([&] { p->detach(lastly::make_task(run, note('7'))); }) == lastly::errc::pool_closed);
        CHECK(order == "2143567");
        CHECK_FALSE(body);
        CHECK(thread == std::this_thread::get_id());
        CHECK(p->ledger().rejected == 5);
    }
}

TEST_CASE("pool: without memory for a frame the chain runs, rejected") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool p(workers);
        std::array<char, 20 << 10> large{};
        std::string told;
        const auto body = [large, &told] { told += large[0] == 0 ? "body " : "? "; };
        const auto note = finally([&](const outcome& o) {
            told += o.rejected() && o.cause() == std::errc::not_enough_memory ? "told " : "? ";
            told += this_task::name();
        });
        const auto refused = [&](auto call) {
            lastly::detail::fail_slabs(1);
            try {
                call();
            } catch (const task_rejected& e) {
                told += e.code() == std::errc::not_enough_memory ? " thrown" : " ?";
            }
            lastly::detail::fail_slabs(0);
            return std::exchange(told, "");
        };
        CHECK(refused([&] { (void)p->submit(body, note, lastly::named("big")); }) == "told big thrown");
        CHECK(refused([&] { p->detach(body, lastly::named("big"), note); }) == "told big thrown");
        CHECK(refused([&] { p->run(body, note); }) == "told  thrown");
        CHECK(p->ledger().rejected == 3);
        CHECK(refused([&] { (void)lastly::make_task(body, note); }) == "told  thrown");   // no pool's business
        CHECK(p->ledger().rejected == 3);
        CHECK(p->ledger().finalizers_run == 3);
        p->run(body, note);
        CHECK(contains(told, "body"));
    }
}

TEST_CASE("try_submit: an accepted task is handed over, with or without a handle") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool p(workers);
        auto t = lastly::make_task([] { return 5; });
        lastly::task_handle<int> h;
        CHECK_FALSE(p->try_submit(std::move(t), &h));
        CHECK_FALSE(t.valid());
        CHECK(h.get() == 5);
        std::atomic<int> ran{0};
        auto detached = lastly::make_task([&] { ++ran; });
        CHECK_FALSE(p->try_submit(std::move(detached)));
        CHECK_FALSE(detached.valid());
        p->wait_idle();
        CHECK(ran.load() == 1);
    }
}

TEST_CASE("try_submit: a closed pool leaves the task intact for another one") {
    checked_pool closed(1), open(1);
    closed->close();
    int finalized = 0;
    auto t = lastly::make_task([] { return 6; }, finally([&] { ++finalized; }));
    lastly::task_handle<int> h;
    CHECK(closed->try_submit(std::move(t), &h) == lastly::errc::pool_closed);
    CHECK(t.valid());
    CHECK_FALSE(h.valid());
    CHECK(finalized == 0);
    CHECK(closed->ledger().rejected == 1);
    CHECK(closed->ledger().finalizers_attached == 0);
    CHECK(open->submit(std::move(t)).get() == 6);
    CHECK(finalized == 1);
}

TEST_CASE("try_submit: a full pool never blocks and never runs it, whatever the policy") {
    for (const auto policy : {lastly::overflow::reject, lastly::overflow::block, lastly::overflow::caller_runs}) {
        CAPTURE(static_cast<int>(policy));
        lastly::pool_options o;
        o.capacity = 2;
        o.overflow = policy;
        checked_pool p(2, o);
        occupied_workers busy(*p);   // both places
        bool ran = false;
        auto t = lastly::make_task([&] { ran = true; });
        CHECK(p->try_submit(std::move(t)) == lastly::errc::pool_full);
        CHECK(t.valid());
        CHECK_FALSE(ran);
        busy.release();
        p->wait_idle();
        CHECK_FALSE(p->try_submit(std::move(t)));
        p->wait_idle();
        CHECK(ran);
    }
}

TEST_CASE("pool: a full one rejects, or lets the caller run the task, as its policy says") {
    lastly::pool_options o;
    o.capacity = 1;
    std::string order;
    const auto note = finally([&](const outcome& r) { order += r.rejected() ? 'r' : 's'; });
    {
        checked_pool p(1, o);
        const occupied_workers busy(*p);
        CHECK_THROWS_AS(p->detach([&] { order += 'b'; }, note), task_rejected);
        CHECK(order == "r");
    }
    o.overflow = lastly::overflow::caller_runs;
    checked_pool p(1, o);
    const occupied_workers busy(*p);
    std::thread::id ran_on;
    auto h = p->submit([&] { ran_on = std::this_thread::get_id(); }, note);
    CHECK(h.ready());
    CHECK(ran_on == std::this_thread::get_id());
    CHECK(order == "rs");
}

TEST_CASE("wait_idle: it returns when nothing is unfinished, and refuses inside a task") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool p(workers);
        p->wait_idle();   // nothing yet
        std::atomic<int> done{0};
        for (int i = 0; i < 50; ++i) p->detach([&] { (void)this_task::submit([&] { ++done; }); });
        p->wait_idle();
        CHECK(done.load() == 50);
        CHECK(p->run([&] {
            try {
                p->wait_idle();
            } catch (const std::system_error& e) {
                return e.code() == std::errc::resource_deadlock_would_occur;
            }
            return false;
        }));
    }
}

TEST_CASE("shutdown: the orderly one runs everything, the abrupt one cancels what has not started") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        for (const bool abrupt : {false, true}) {
            CAPTURE(abrupt);
            checked_pool p(workers);
            occupied_workers busy(*p);
            std::atomic<int> bodies{0}, cancelled{0};
            for (int i = 0; i < 20; ++i) {
                p->detach([&] { ++bodies; }, lastly::on_cancelled([&](const outcome& o) {
                              cancelled += o.cause() == lastly::errc::pool_shutdown ? 1 : 100;
                          }));
            }
            const auto first = abrupt ? p->shutdown_now(1ms) : p->shutdown(1ms);
            CHECK_FALSE(first.complete);
            busy.release();
            const auto second = abrupt ? p->shutdown_now() : p->shutdown();
            CHECK(second.complete);
            CHECK(second.ledger.balanced());
            CHECK(bodies.load() == (abrupt ? 0 : 20));
            CHECK(cancelled.load() == (abrupt ? 20 : 0));
            CHECK(p->shutdown_now().complete);   // again
            CHECK(p->shutdown().complete);
            CHECK(p.reports().empty());
        }
    }
}

TEST_CASE("shutdown: inside a task of the pool it closes and returns at once") {
    checked_pool p(2);
    CHECK_FALSE(p->run([&] { return p->shutdown().complete; }));
    CHECK_THROWS_AS(p->detach([] {}), task_rejected);
}

TEST_CASE("pool: its destructor runs what has not started, unless it is told to cancel it") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        for (const auto end : {lastly::on_destroy::drain, lastly::on_destroy::cancel}) {
            std::atomic<int> bodies{0}, chains{0};
            std::atomic<bool> queued{false};
            lastly::pool_options o;
            o.workers = workers;
            o.on_destroy = end;
            {
                pool p(o);
                std::latch busy(static_cast<std::ptrdiff_t>(workers));
                for (unsigned i = 0; i < workers; ++i) {   // until the destructor asks them to stop, or all is queued
                    p.detach([&] {
                        busy.count_down();
                        while (!(end == lastly::on_destroy::cancel ? this_task::stop_requested() : queued.load())) std::this_thread::yield();
                    });
                }
                busy.wait();
                for (int i = 0; i < 10; ++i) p.detach([&] { ++bodies; }, finally([&] { ++chains; }));
                queued = true;
            }
            CHECK(bodies.load() == (end == lastly::on_destroy::drain ? 10 : 0));
            CHECK(chains.load() == 10);
        }
    }
}
