// Registering finalizers from inside a body: order, arguments, memory, and what cannot be stored.
#include <lastly/detail/defer.hpp>

#include "../check_pool.hpp"
#include "core/structures/frame_store.hpp"
#include "core/structures/slab.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <pthread.h>

using lastly::outcome;
using lastly::task_context;
namespace this_task = lastly::this_task;
namespace detail = lastly::detail;

namespace {

struct throws_when_copied {
    throws_when_copied() = default;
    throws_when_copied(const throws_when_copied&) { throw std::runtime_error("copy"); }
};

// Where its copy in the chain lay when it was called.
struct tells_its_place {
    const void** place;
    void operator()() const { *place = this; }
};

bool lies_in(const void* place, const detail::frame* f, std::size_t usable) {
    const auto at = reinterpret_cast<std::uintptr_t>(place), from = reinterpret_cast<std::uintptr_t>(f);
    return at >= from && at < from + usable;
}

}   // namespace

TEST_CASE("defer: the last registered runs first, before the attached ones") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string order;
        pool->run(
            [&](task_context& t) {
                for (const char c : {'1', '2', '3'}) t.defer([&order, c] { order += c; });
                this_task::defer([&] { order += '4'; });
                order += 'b';
            },
            lastly::finally([&] { order += 'a'; }));
        CHECK(order == "b4321a");
    }
}

TEST_CASE("defer: one registered by a running finalizer runs next") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string order;
        pool->run(
            [&] {
                this_task::defer([&] { order += '1'; });
                this_task::defer([&] {
                    order += '2';
                    this_task::defer([&] { order += "n"; });
                    this_task::defer([&] { order += "m"; });
                });
            },
            lastly::finally([&] { order += 'a'; }), lastly::finally([&] {
                order += 'b';
                this_task::defer([&] { order += 'k'; });
            }));
        CHECK(order == "2mn1bka");
    }
}

TEST_CASE("defer: one registered by a destructor of the body's captures runs, too") {
    struct defers_when_destroyed {
        std::string* order;
        explicit defers_when_destroyed(std::string* o) : order(o) {}
        defers_when_destroyed(defers_when_destroyed&& other) noexcept : order(std::exchange(other.order, nullptr)) {}
        ~defers_when_destroyed() {
            if (order == nullptr) return;
            *order += 'd';
            this_task::defer([o = order] { *o += 'n'; });
        }
    };
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string order;
        pool->run([last = defers_when_destroyed(&order)] {}, lastly::finally([&] { order += 'a'; }));
        CHECK(order == "adn");
        pool->wait_idle();
        CHECK(pool->ledger().finalizers_run == 2);
    }
}

TEST_CASE("defer: arguments are copied at the call, std::ref asks for a reference") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string text = "then", told;
        int number = 1, seen_by_ref = 0;
        pool->run([&](task_context& t) {
            t.defer([&told](const std::string& s, int n) { told = s + std::to_string(n); }, text, number);
            t.defer([&seen_by_ref](int& n) { seen_by_ref = n++; }, std::ref(number));
            text = "now";
            number = 5;
        });
        CHECK(told == "then1");
        CHECK(seen_by_ref == 5);
        CHECK(number == 6);
    }
}

TEST_CASE("defer: move-only callables and arguments are moved in, and moved on to the call") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        int sum = 0;
        pool->run([&](task_context& t) {
            t.defer([&sum](std::unique_ptr<int> p) { sum += *p; }, std::make_unique<int>(1));
            t.defer([&sum](std::unique_ptr<int>& p) { sum += *p; }, std::make_unique<int>(10));   // as an lvalue
            t.defer([&sum, own = std::make_unique<int>(100)](const std::unique_ptr<int>& p) { sum += *own + *p; },
                    std::make_unique<int>(1'000));
        });
        CHECK(sum == 1'111);
    }
}

TEST_CASE("defer: the outcome comes first where the arguments alone do not fit") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string told;
        struct either {
            std::string* told;
            void operator()(int) const { *told += "args "; }
            void operator()(const outcome&, int) const { *told += "outcome "; }
        };
        auto h = pool->submit([&](task_context& t) {
            t.defer([&](const outcome& o) { told += o.failed() && o.started() ? "failed " : "? "; });
            t.defer([&](const outcome& o, std::unique_ptr<int> p) { told += o.failed() ? std::to_string(*p) + " " : "? "; },
                    std::make_unique<int>(3));
            t.defer(either{&told}, 1);
            throw std::runtime_error("x");
        });
        CHECK_THROWS_AS(h.get(), std::runtime_error);
        CHECK(told == "args 3 failed ");
    }
}

TEST_CASE("defer: functions, member pointers and lvalue callables are taken") {
    checked_pool pool(1);
    static int calls;
    calls = 0;
    struct counts { void hit() { ++calls; } };
    pool->run([](task_context& t) {
        static counts object;
        const auto lvalue = [] { ++calls; };
        t.defer(+[](int n) { calls += n; }, 10);
        t.defer(&counts::hit, &object);
        t.defer(lvalue);
        t.defer(std::function<void()>(lvalue));
    });
    CHECK(calls == 13);
}

TEST_CASE("defer: a node takes the frame's spare room first, then a block of the store") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        const void* places[4] = {};
        const detail::frame* frame = nullptr;
        std::size_t usable = 0, spare = 0;
        pool->run([&, padding = std::array<char, 32>{}](task_context& t) {
            (void)padding;
            frame = detail::current_run()->task;
            usable = frame->type().size.usable;
            spare = usable - static_cast<std::size_t>(detail::current_run()->body_chain.spare - reinterpret_cast<const std::byte*>(frame));
            for (const void*& place : places) t.defer(tells_its_place{&place});
        });
        const std::size_t fitting = spare / (sizeof(detail::chain_node) + sizeof(tells_its_place));
        REQUIRE(fitting >= 1);
        REQUIRE(fitting < 4);
        for (std::size_t i = 0; i < 4; ++i) {
            CAPTURE(i);
            CHECK(places[i] != nullptr);
            CHECK(lies_in(places[i], frame, usable) == (i < fitting));
        }
    }
}

TEST_CASE("defer: a long chain of every size runs in order") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        int next = 600, wrong = 0;
        pool->run([&](task_context& t) {
            for (int i = 1; i <= 600; ++i) {
                if (i % 3 == 0) t.defer([&, i, padding = std::array<char, 300>{}] { wrong += padding[0] == 0 && next-- == i ? 0 : 1; });
                else t.defer([&](int n, const std::string& text) { wrong += next-- == n && text == std::to_string(n) ? 0 : 1; }, i, std::to_string(i));
            }
        });
        CHECK(wrong == 0);
        CHECK(next == 0);
        pool->wait_idle();
        CHECK(pool->ledger().finalizers_run == 600);
    }
}

TEST_CASE("defer: without memory the callable runs at once, cancelled and started, and the call throws") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string told;
        pool->run([&](task_context& t) {
            const std::array<char, 20 << 10> large{};
            t.defer([&] { told += " later"; });
            detail::fail_slabs(1);
            CHECK_THROWS_AS(t.defer([&told, large](const outcome& o) {
                                told += o.cancelled() && o.started() && o.cause() == std::errc::not_enough_memory ? "now" : "?";
                                told += large[0] == 0 ? "" : "?";
                            }),
                            std::bad_alloc);
            detail::fail_slabs(0);
            told += " body";
        });
        CHECK(told == "now body later");
        pool->wait_idle();
        CHECK(pool->ledger().finalizers_attached == 2);
        CHECK(pool->ledger().finalizers_returned == 2);
    }
}

TEST_CASE("defer: where a copy throws the callable runs at once, and that exception comes out") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        std::string told;
        const throws_when_copied argument;
        pool->run([&](task_context& t) {
            CHECK(message_of<std::runtime_error>([&] {
                      t.defer([&](const outcome& o, const throws_when_copied&) {
                          told += o.cancelled() && o.started() && o.cause() == lastly::errc::construction_failed ? "now" : "?";
                      }, argument);
                  }) == "copy");
            t.defer([&] { told += " later"; });   // the chain is sound
        });
        CHECK(told == "now later");
    }
}

TEST_CASE("defer: what it stored is destroyed with the body, before anybody sees the outcome") {
    for (const unsigned workers : worker_counts) {
        CAPTURE(workers);
        checked_pool pool(workers);
        auto kept = std::make_shared<int>(1);
        const std::weak_ptr<int> watch = kept;
        bool alive_in_attached = false;
        auto h = pool->submit([&, p = std::move(kept)](task_context& t) mutable { t.defer([](const std::shared_ptr<int>&) {}, std::move(p)); },
                              lastly::finally([&] { alive_in_attached = !watch.expired(); }));
        h.wait();
        CHECK(alive_in_attached);
        CHECK(watch.expired());
    }
}

TEST_CASE("defer: a nested task's finalizers are its own, the outer context reaches the outer task") {
    checked_pool pool(1);
    std::string order;
    pool->run([&](task_context& outer) {
        auto inner = this_task::submit([&](task_context&) {
            this_task::defer([&] { order += "inner "; });
            outer.defer([&] { order += "outer"; });   // claimed by the waiter: on the outer task's thread
        });
        inner.wait();
        order += "waited ";
    });
    CHECK(order == "inner waited outer");
}

TEST_CASE("P4: what runs at once, since a copy throws, leaves the thread: the chain runs, also if the call lies within a catch") {
    for (const unsigned workers : worker_counts) {
        for (const bool within_a_catch : {false, true}) {
            CAPTURE(workers);
            CAPTURE(within_a_catch);
            checked_pool pool(workers);
            std::string order;
            const throws_when_copied argument;
            const auto body = [&](task_context& t) {
                t.defer([&] { order += '1'; });
                const auto leave = [&] {
                    t.defer([&](const throws_when_copied&) {
                        order += '2';
                        ::pthread_exit(nullptr);
                    }, argument);
                };
                if (!within_a_catch) leave();
                try {
                    throw 1;
                } catch (...) {
                    leave();
                }
                order += '!';
            };
            CHECK(support::is_thread_exited([&] { pool->run(body, lastly::finally([&] { order += 'a'; })); }));
            CHECK(order == "21a");
            CHECK(pool->run([] { return 5; }) == 5);
            CHECK(pool->ledger().finalizers_run == 3);
            CHECK(pool->ledger().finalizers_thrown == 1);
        }
    }
}
