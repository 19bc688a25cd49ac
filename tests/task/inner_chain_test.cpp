// Blocks inside a body: when their finalizers run, shielding, failures, counts. Rules O6, C4, E4, G1, L3.
#include "core/task/chain.hpp"
#include "tests/support/pools.hpp"

#include "core/structures/slab.hpp"
#include "lastly/detail/frame.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>

#include <pthread.h>

using namespace support;
using lastly::defer_frame;
using lastly::task_context;
namespace this_task = lastly::this_task;

namespace {

unsigned shown_pending() { return lastly::detail::pending_of(lastly::detail::current_run()->task->progress.load(lastly::detail::relaxed)); }
lastly::detail::phase shown_phase() { return lastly::detail::phase_of(lastly::detail::current_run()->task->progress.load(lastly::detail::relaxed)); }

}   // namespace

TEST_CASE("O6: finalizers of a defer_frame run at the end of its block, on the body's thread") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::string order;
        bool same_thread = true;
        pool.run([&](task_context& t) {
            const auto thread = std::this_thread::get_id();
            for (int i = 0; i < 3; ++i) {
                defer_frame frame(t);
                frame.defer([&, i] {
                    same_thread = same_thread && std::this_thread::get_id() == thread;
                    order += std::to_string(i);
                });
                order += 'b';
            }
            order += 'e';
        });
        CHECK(order == "b0b1b2e");
        CHECK(same_thread);
        CHECK(pool.ledger().finalizers_run == 3);
        check_end(pool);
    });
}

TEST_CASE("O6-order: the last registered runs first, and one registered by a running finalizer runs next") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::string order;
        pool.run([&](task_context& t) {
            defer_frame outer(t);
            outer.defer([&] { order += 'o'; });
            {
                defer_frame frame(t);
                for (const char c : {'1', '2', '3', '4', '5'}) frame.defer([&order, c] { order += c; });
                frame.defer([&] {
                    order += '6';
                    frame.defer([&] { order += 'n'; });
                    outer.defer([&] { order += 'p'; });
                });
            }
            order += '|';
        });
        CHECK(order == "6n54321|po");
        check_end(pool);
    });
}

TEST_CASE("O6: defer of the task inside a block, and inside its finalizers and their destructors, goes to the task") {
    struct defers_when_destroyed {
        std::string* order;
        explicit defers_when_destroyed(std::string* o) : order(o) {}
        defers_when_destroyed(defers_when_destroyed&& other) noexcept : order(std::exchange(other.order, nullptr)) {}
        ~defers_when_destroyed() {
            if (order == nullptr) return;
            *order += 'x';
            this_task::defer([o = order] { *o += 'd'; });
        }
    };
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::string order;
        pool.run([&](task_context& t) {
            {
                defer_frame frame(t);
                t.defer([&] { order += 't'; });
                this_task::defer([&] { order += 'u'; });
                frame.defer([&] {
                    order += 'f';
                    this_task::defer([&] { order += 'v'; });
                });
                frame.defer([last = defers_when_destroyed(&order)] {});
            }
            order += '|';
        });
        CHECK(order == "fx|dvut");
        CHECK(pool.ledger().finalizers_run == 6);
        check_end(pool);
    });
}

TEST_CASE("O6: a destructor may register with its own block or one around it, before these end") {
    struct at_end {
        std::function<void()> f;
        at_end(std::function<void()> call) : f(std::move(call)) {}
        at_end(at_end&& other) noexcept : f(std::exchange(other.f, nullptr)) {}
        ~at_end() { if (f) f(); }
    };
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::string order;
        pool.run([&](task_context& t) {
            defer_frame outer(t);
            {
                defer_frame frame(t);
                frame.defer([last = at_end([&] {
                    frame.defer([&] { order += 'o'; });
                    outer.defer([&] { order += 'p'; });
                })] {});
            }
            order += '|';
        });
        CHECK(order == "o|p");
        check_end(pool);
    });
}

TEST_CASE("O6: a block's finalizers are shielded, and the body is not any more afterwards") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        gate waiting;
        int shielded = 0, unshielded = 0;
        auto h = pool.submit([&](task_context& t) {
            {
                defer_frame frame(t);
                frame.defer([&] {
                    t.throw_if_stopped();
                    this_task::throw_if_stopped();
                    shielded += !t.stop_requested() && !this_task::stop_requested() && this_task::finalizing() ? 1 : 0;
                    shielded += shown_phase() == lastly::detail::phase::finalizing ? 1 : 0;
                });
                waiting.pass();
            }
            unshielded += t.stop_requested() && !this_task::finalizing() && shown_phase() == lastly::detail::phase::running ? 1 : 0;
            t.throw_if_stopped();
        });
        waiting.wait_for_arrivals(1);
        h.cancel();
        waiting.open();
        CHECK_THROWS_AS(h.get(), lastly::task_cancelled);
        CHECK(shielded == 2);
        CHECK(unshielded == 1);
        CHECK(pool.ledger().finalizers_thrown == 0);
        check_end(pool);
    });
}

TEST_CASE("O6: an exception of a block's finalizer is told and counted, and the body goes on") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        std::string order;
        auto h = pool.submit([&](task_context& t) {
            {
                defer_frame frame(t);
                frame.defer([&] { order += '1'; });
                frame.defer([] { throw std::runtime_error("from the block"); });
                frame.defer([&] { order += '2'; });
            }
            order += 'b';
            return 5;
        }, lastly::named("blocks"), lastly::finally([&](const lastly::outcome& o) { order += o.succeeded() ? 's' : 'f'; }));
        const std::uint32_t line = __LINE__ - 1;
        CHECK(h.get() == 5);
        CHECK(order == "21bs");
        REQUIRE(log.entries().size() == 1);
        CHECK(log.entries()[0].kind == lastly::report_kind::finalizer_failed);
        CHECK(log.entries()[0].name == "blocks");
        CHECK(log.entries()[0].what == "from the block");
        CHECK(log.entries()[0].line <= line);
        CHECK(log.entries()[0].line + 12 > line);
        CHECK(pool.ledger().finalizers_attached == 4);
        CHECK(pool.ledger().finalizers_thrown == 1);
        CHECK(pool.ledger().succeeded == 1);
        check_end(pool);
    });
}

TEST_CASE("O6: an exception that leaves the body runs the open blocks, innermost first") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        std::string order;
        auto h = pool.submit([&](task_context& t) {
            t.defer([&](const lastly::outcome& o) { order += o.failed() ? 'T' : '?'; });
            defer_frame outer(t);
            outer.defer([&] { order += 'o'; });
            defer_frame inner(t);
            inner.defer([&] { order += 'i'; });
            inner.defer([&] {
                order += 'x';
                throw std::logic_error("within the unwinding");
            });
            throw std::runtime_error("body");
        });
        CHECK_THROWS_WITH(h.get(), "body");
        CHECK(order == "xioT");
        CHECK(log.count(lastly::report_kind::finalizer_failed) == 1);
        check_end(pool);
    });
}

TEST_CASE("O6: a block within a finalizer ends with its own block and leaves the finalizer shielded") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::string order;
        pool.run([&](task_context& t) {
            t.defer([&] {
                for (const char c : {'1', '2'}) {
                    defer_frame frame(t);
                    frame.defer([&, c] {
                        order += c;
                        defer_frame nested(t);
                        nested.defer([&] { order += 'n'; });
                    });
                }
                order += this_task::finalizing() ? 'f' : '?';
            });
            order += 'b';
        });
        CHECK(order == "b1n2nf");
        CHECK(pool.ledger().finalizers_run == 5);
        check_end(pool);
    });
}

TEST_CASE("L3: a block's pending finalizers are shown with the task's, and counted where they happen") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        pool.run([&](task_context& t) {
            const unsigned attached = shown_pending();
            CHECK(attached == 1);
            t.defer([] {});
            {
                defer_frame frame(t);
                frame.defer([&] { CHECK(shown_pending() == attached + 1); });
                frame.defer([&] { CHECK(shown_pending() == attached + 2); });
                CHECK(shown_pending() == attached + 3);
                {
                    defer_frame inner(t);
                    inner.defer([] {});
                    CHECK(shown_pending() == attached + 4);
                }
                CHECK(shown_pending() == attached + 3);
            }
            CHECK(shown_pending() == attached + 1);
        }, lastly::finally([] {}));
        const auto books = pool.ledger();
        CHECK(books.finalizers_attached == 5);
        CHECK(books.finalizers_run == 5);
        CHECK(books.finalizers_returned == 5);
        check_end(pool);
    });
}

TEST_CASE("defer_frame: a chain longer than the warning's limit is reported once a site, a loop of blocks is not") {
    with_workers([](unsigned workers) {
        sink_log log;
        auto o = options(workers, &log);
        o.chain_warning = 16;
        lastly::pool pool(o);
        pool.run([](task_context& t) {
            for (int i = 0; i < 100; ++i) {
                defer_frame frame(t);
                for (int k = 0; k < 16; ++k) frame.defer([] {});
            }
        });
        CHECK(log.entries().empty());
        for (int i = 0; i < 2; ++i) {
            pool.run([](task_context& t) {
                defer_frame frame(t);
                for (int k = 0; k < 17; ++k) frame.defer([] {});
            });
        }
        CHECK(log.count(lastly::report_kind::chain_long) == 1);
        check_end(pool);
    });
}

TEST_CASE("defer_frame: misuse is a logic_error, and nothing is registered") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        bool ran = false;
        pool.run([&](task_context& t) {
            defer_frame frame(t);
            std::thread([&] {
                CHECK_THROWS_AS(defer_frame{t}, std::logic_error);
                CHECK_THROWS_AS(frame.defer([&] { ran = true; }), std::logic_error);
            }).join();
            auto nested = this_task::submit([&] { CHECK_THROWS_AS(defer_frame{t}, std::logic_error); });   // not the innermost, or not this thread's
            nested.wait();
        });
        CHECK_FALSE(ran);
        CHECK(pool.ledger().finalizers_attached == 0);
        check_end(pool);
    });
}

TEST_CASE("defer_frame: blocks that do not end in order lose nothing") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::string order;
        pool.run([&](task_context& t) {
            std::optional<defer_frame> a, b;
            a.emplace(t);
            b.emplace(t);
            a->defer([&] { order += 'a'; });
            b->defer([&] { order += 'b'; });
            a.reset();
            order += '|';
            b.reset();
            CHECK(lastly::detail::current_run()->inner == nullptr);
        });
        CHECK(order == "a|b");
        check_end(pool);
    });
}

TEST_CASE("O6: blocks of many tasks at once keep to their own tasks") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> sum{0};
        for (int i = 0; i < 200; ++i) {
            pool.detach([&](task_context& t) {
                int open = 0;
                for (int k = 0; k < 10; ++k) {
                    defer_frame frame(t);
                    frame.defer([&] { --open; });
                    frame.defer([&, pad = std::array<char, 100>{}] { sum += pad[0] == 0 && open == 2 ? 1 : 100; --open; });
                    open += 2;
                }
            });
        }
        pool.wait_idle();
        CHECK(sum == 2000);
        CHECK(pool.ledger().finalizers_run == 4000);
        check_end(pool);
    });
}

TEST_CASE("P4: a finalizer of a block leaves the thread: the rest of the block runs, then the task's chain") {
    with_workers([](unsigned workers) {
        for (unsigned which = 0; which < 3; ++which) {
            CAPTURE(which);
            sink_log log;
            lastly::pool pool(options(workers, &log));
            std::string order;
            bool goes_on = false;
            auto task = pool.submit([&](task_context& t) {
                t.defer([&] { order += 't'; });
                {
                    defer_frame outer(t);
                    outer.defer([&] { order += 'o'; });
                    defer_frame block(t);
                    for (unsigned i = 0; i < 3; ++i) {
                        block.defer([&, i] {
                            order += std::to_string(i);
                            if (i == which) ::pthread_exit(nullptr);
                        });
                    }
                }
                goes_on = true;
            }, lastly::finally([&] { order += 'a'; }));
            CHECK(is_thread_exited([&] { task.get(); }));
            CHECK(order == "210ota");
            CHECK_FALSE(goes_on);
            CHECK(log.count(lastly::report_kind::finalizer_failed) == 1);
            CHECK(pool.run([] { return 1; }) == 1);
            const auto end = pool.shutdown();
            CHECK(end.ledger.balanced());
            CHECK(end.ledger.finalizers_run == 6);
            CHECK(end.ledger.finalizers_thrown == 1);
        }
    });
}
