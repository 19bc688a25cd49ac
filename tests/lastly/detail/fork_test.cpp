// What a fork costs in memory, where it may happen, and the scopes in which branches defer. Rules B1, B2.
#include <lastly/detail/fork.hpp>
#include <lastly/parallel.hpp>

#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>

using namespace support;
using lastly::parallel_invoke;
namespace this_task = lastly::this_task;
namespace detail = lastly::detail;

TEST_CASE("fork: a branch is offered in one cache line") {
    CHECK(sizeof(detail::branch) <= 64);
    CHECK(detail::branch::thief_shift > detail::branch::end_shift);
}

TEST_CASE("fork: a run can fork where its task's pool has a worker, and nowhere else") {
    lastly::pool pool(options(1)), other(options(1));
    CHECK_FALSE(detail::can_fork(detail::current_run(), detail::pool_access::core(pool)));
    CHECK_FALSE(detail::is_run_of(nullptr, detail::pool_access::core(pool)));
    CHECK(detail::workers_of(detail::pool_access::core(pool)) == 1);
    pool.run([&] {
        const auto* const r = detail::current_run();
        CHECK(detail::can_fork(r, detail::pool_access::core(pool)));
        CHECK_FALSE(detail::can_fork(r, detail::pool_access::core(other)));
        CHECK(detail::is_run_of(r, detail::pool_access::core(pool)));
        CHECK_FALSE(detail::is_run_of(r, detail::pool_access::core(other)));
    });
    check_end(pool);
    check_end(other);
}

TEST_CASE("fork: scopes nest, and leave nothing behind") {
    lastly::pool pool(options(1));
    pool.run([&] {
        detail::run_record& r = *detail::current_run();
        CHECK(r.scope == nullptr);
        lastly::parallel_invoke(pool, [&] {
            detail::branch_scope* const outer = r.scope;
            REQUIRE(outer != nullptr);
            CHECK(outer->outer == nullptr);
            CHECK_THROWS(lastly::parallel_invoke(pool, [&] {
                CHECK(r.scope->outer == outer);
                throw 1;
            }));
            CHECK(r.scope == outer);
        });
        CHECK(r.scope == nullptr);
        CHECK(r.forks->size() == 0);
    });
    check_end(pool);
}

TEST_CASE("B2: branches within branches, each with its chain") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        std::atomic<int> open{0}, ran{0};
        std::function<void(int)> tree = [&](int depth) {
            ++open;
            this_task::defer([&] { --open; ++ran; });
            const int mine = ran;
            if (depth != 0) parallel_invoke(pool, [&] { tree(depth - 1); }, [&] { tree(depth - 1); });
            if (depth != 0) CHECK(ran >= mine + 2);   // the branches' chains are over, ours is not
        };
        pool.run([&] { tree(7); });
        CHECK(open == 0);
        CHECK(ran == 255);
        CHECK(pool.ledger().finalizers_run == 255);
        CHECK(pool.ledger().finalizers_attached == 255);
        check_end(pool);
    });
}

TEST_CASE("B2: a branch's finalizers are told what became of the branch") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        std::atomic<int> succeeded{0}, failed{0};
        const auto watch = [&] {
            this_task::defer([&](const lastly::outcome& o) {
                CHECK(o.started());
                if (o.succeeded()) ++succeeded;
                if (o.failed()) ++failed;
            });
        };
        pool.run([&] {
            parallel_invoke(pool, watch, [&] { watch(); });
            CHECK_THROWS_WITH(parallel_invoke(pool, watch, [&] { watch(); throw std::runtime_error("no"); }), "no");
        });
        CHECK(succeeded == 3);
        CHECK(failed == 1);
        CHECK(log.entries().empty());
        check_end(pool);
    });
}

TEST_CASE("B2: a loop of branches that defer does not pile up memory") {
    lastly::pool pool(options(1));
    pool.run([&] {
        const std::byte* spare = nullptr;
        for (int i = 0; i < 1000; ++i) {
            parallel_invoke(pool, [&] { this_task::defer([] {}); });
            const std::byte* const now = lastly::detail::current_run()->chain->spare;
            if (spare != nullptr) REQUIRE(now == spare);
            spare = now;
        }
    });
    CHECK(pool.ledger().finalizers_run == 1000);
    check_end(pool);
}

TEST_CASE("G3: after a branch with a block and a chain, the header shows that the body runs and nothing is pending") {
    lastly::pool pool(options(1));
    pool.run([&] {
        detail::run_record& r = *detail::current_run();
        const auto shows = [&r](detail::phase p, unsigned pending) {
            const std::uint64_t now = r.shown->progress.load(detail::relaxed);
            return detail::phase_of(now) == p && detail::pending_of(now) == pending;
        };
        REQUIRE(shows(detail::phase::running, 0));
        for (int i = 0; i < 3; ++i) {
            parallel_invoke(pool, [&](lastly::task_context& here) {
                lastly::defer_frame block(here);
                block.defer([] {});
                this_task::defer([&] { CHECK(shows(detail::phase::finalizing, 0)); });   // while one of the block is pending
                CHECK(shows(detail::phase::running, 2));
            });
            CHECK(shows(detail::phase::running, 0));
            parallel_invoke(pool, [&](lastly::task_context& here) {
                lastly::defer_frame block(here);
                block.defer([&] {
                    this_task::defer([] {});   // within a finalizer
                    CHECK(shows(detail::phase::finalizing, 1));
                });
            });
            CHECK(shows(detail::phase::running, 0));
        }
        this_task::defer([] {});
        CHECK(shows(detail::phase::running, 1));
    });
    check_end(pool);
}

TEST_CASE("G3: a stolen branch that a finalizer has forked is shown as a finalizer, within a block too") {
    lastly::pool pool(options(2));
    const auto is_shown = [] { return detail::phase_of(detail::current_run()->shown->progress.load(detail::relaxed)) == detail::phase::finalizing; };
    std::atomic<int> seen{0};
    pool.run([] {}, lastly::finally([&] {
        std::atomic<bool> is_over{false};
        parallel_invoke(pool, [&] { await([&] { return is_over.load(); }); }, [&](lastly::task_context& here) {
            seen += is_shown() ? 1 : 0;
            lastly::defer_frame block(here);
            block.defer([] {});
            seen += is_shown() ? 1 : 0;
            is_over = true;
        });
    }));
    CHECK(seen == 2);
    check_end(pool);
}

TEST_CASE("B2: what the end of a stolen branch's error defers runs before the fork is over") {
    lastly::pool pool(options(2));
    std::atomic<int> late{0};
    struct error : std::exception {
        std::shared_ptr<void> end;
    };
    pool.run([&] {
        std::atomic<bool> begun{false};
        parallel_invoke(pool, [&] { await([&] { return begun.load(); }); }, [&] {
            begun = true;
            try {
                parallel_invoke(pool, [&] {
                    this_task::defer([&] {
                        error e;
                        e.end = std::shared_ptr<void>(nullptr, [&](void*) { this_task::defer([&] { ++late; }); });
                        throw e;
                    });
                });
            } catch (const error&) {
            }
        });
        CHECK(late == 1);
    });
    CHECK(pool.ledger().finalizers_run == 2);
    check_end(pool);
}

namespace {

// Cannot be stored, so that it runs at its defer; what it throws defers when it is gone.
struct throws_what_defers {
    struct error {
        std::shared_ptr<int> end;
    };
    std::atomic<int>* ran;
    explicit throws_what_defers(std::atomic<int>& r) : ran(&r) {}
    throws_what_defers(const throws_what_defers&) { throw std::runtime_error("copy"); }
    void operator()() const {
        throw error{std::shared_ptr<int>(nullptr, [r = ran](int*) { lastly::this_task::defer([r] { ++*r; }); })};
    }
};

}   // namespace

TEST_CASE("B2: what an error defers that came early, out of the sink that is told of another one, runs at the branch's end") {
    for (const bool is_stolen : {false, true}) {
        CAPTURE(is_stolen);
        std::atomic<int> ran{0}, told{0};
        lastly::pool_options o = support::options(is_stolen ? 2 : 1);
        o.error_sink = [&](const lastly::error_report&) {
            if (told++ != 0) return;
            const throws_what_defers f(ran);
            CHECK_THROWS_WITH(lastly::this_task::defer(f), "copy");
        };
        lastly::pool pool(o);
        int ran_in_branch = 0;
        pool.run([&] {
            std::atomic<bool> begun{!is_stolen};
            try {
                lastly::parallel_invoke(pool, [&] { support::await([&] { return begun.load(); }); }, [&](lastly::task_context& t) {
                    begun = true;
                    t.defer([] { throw 1; });
                });
            } catch (int) {
                ran_in_branch = ran;
            }
        });
        CHECK(ran_in_branch == 1);
        support::check_end(pool);
    }
}
