// fork: the parent keeps every task, the child owes nothing. Each part in a process of its own that forks; both tell what they saw. Rule P6.
#include "core/process/fork.hpp"
#include "tests/process/forking.hpp"
#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

using namespace forking;
using namespace support;

namespace {

void under_load(witness& w, const part_arguments& a) {
    std::atomic<bool> go{false};
    std::optional<lastly::pool> pool(std::in_place, options(a.workers));
    fill(*pool, w, go);
    lastly::cancel_source source = lastly::with_timeout(lastly::context::background(), 1h);
    std::optional<lastly::task_group> group(std::in_place, *pool);
    group->spawn([&go] {
        while (!go) std::this_thread::yield();
    });
    auto handle = pool->submit([] { return 1; });
    const pid_t child = fork_bounded();
    if (child == 0) {
        ++w.child_began;
        w.right += is_refused_as_forked([&] { pool->detach([] {}, finally([&w](const outcome& o) { w.right += o.rejected() && o.cause() == errc::forked ? 1u : 0u; })); }) ? 1u : 0u;
        w.right += is_refused_as_forked([&] { pool->wait_idle(); }) ? 1u : 0u;
        w.right += is_refused_as_forked([&] { static_cast<void>(pool->shutdown()); }) ? 1u : 0u;
        w.right += is_refused_as_forked([&] { handle.wait(); }) ? 1u : 0u;
        w.right += is_refused_as_forked([&] { group->wait(); }) ? 1u : 0u;
        const auto below = lastly::with_cancel(source.context());
        w.right += below.context().deadline() && !below.context().stop_requested() ? 1u : 0u;
        {
            lastly::pool own(options(2));
            w.right += own.run([] { return 5; }) == 5 ? 1u : 0u;
            const auto soon = lastly::with_timeout(source.context(), 1ms);
            w.right += own.run([&](task_context&) { return !soon.context().sleep_for(1h); }) ? 1u : 0u;
        }
        w.right += lastly::default_pool().run([] { return 6; }) == 6 ? 1u : 0u;
        group.reset();
        { auto dropped = std::move(handle); }
        pool.reset();
        std::exit(3);
    }
    w.wait_for(child);
    go = true;
    group->wait();
    w.right += handle.get() == 1 ? 1u : 0u;
    pool->shutdown();
}

// With a pool of its own made before, the child has another one by default.
void default_pools(witness& w, const part_arguments&) {
    lastly::pool& mine = lastly::default_pool();
    w.right += mine.run([] { return 1u; });
    const pid_t child = fork_bounded();
    if (child == 0) {
        lastly::pool& own = lastly::default_pool();
        w.right += &own != &mine ? 1u : 0u;
        w.right += own.run([] { return 1u; });
        std::exit(0);
    }
    w.wait_for(child);
    w.right += mine.run([] { return 1u; });
}

// Many tasks queued: the child ends in no time.
void many_queued(witness& w, const part_arguments&) {
    std::atomic<bool> go{false};
    auto* const pool = new lastly::pool(options(1));
    fill(*pool, w, go, 100'000);
    const pid_t child = fork_bounded();
    if (child == 0) std::exit(0);
    const auto begin = std::chrono::steady_clock::now();
    w.wait_for(child);
    w.milliseconds = static_cast<int>((std::chrono::steady_clock::now() - begin) / 1ms);
    go = true;
    pool->shutdown();
}

enum where : unsigned { in_a_body, in_a_body_that_defers_nothing, in_a_deferred, in_an_attached, in_a_block, in_a_branch, after_a_throw, in_a_hook, and_exits, where_count };

// A task forks, and comes back in the child, unless it exits there.
void in_a_task(witness& w, const part_arguments& a) {
    w.parent = ::getpid();
    lastly::pool_options o = options(a.workers);
    const auto split = [&w] {
        const pid_t child = fork_bounded();
        if (child == 0) ++w.child_began;
        else w.wait_for(child);
        return child == 0;
    };
    std::atomic<bool> once{false};
    if (a.special == in_a_hook) {
        o.on_worker_start = [&](unsigned) {
            if (!once.exchange(true)) split();
        };
    }
    lastly::pool pool(o);
    pool.run([&](task_context& t) {
        if (a.special != in_a_body_that_defers_nothing) t.defer([&w] { w.chain(); });
        if (a.special == in_a_deferred) t.defer(split);
        if (a.special == in_a_block) {
            lastly::defer_frame block(t);
            block.defer([&w] { w.chain(); });
            split();
        }
        if (a.special == in_a_body || a.special == in_a_body_that_defers_nothing) split();
        if (a.special == in_a_branch) lastly::parallel_invoke(pool, [] {}, [&] { split(); }, [] {});
        if (a.special == after_a_throw && split()) throw 1;
        if (a.special == and_exits && split()) std::exit(9);
    }, finally([&w] { w.chain(); }), finally([&] {
        if (a.special == in_an_attached) split();
    }));
    pool.shutdown();
}

// A task that has not been submitted is the process's that made it.
void unsubmitted(witness& w, const part_arguments& a) {
    w.parent = ::getpid();
    std::optional<lastly::pool> pool;
    if (a.special == 0) pool.emplace(options(1));   // else there has never been one when the process forks
    std::optional dropped(lastly::make_task([] {}, finally([&w] { w.chain(); })));
    auto kept = lastly::make_task([] {}, finally([&w] { w.chain(); }));
    const pid_t child = fork_bounded();
    if (child == 0) {
        dropped.reset();
        lastly::pool own(options(1));
        w.right += is_refused_as_forked([&] { static_cast<void>(own.submit(std::move(kept))); }) ? 1u : 0u;
        w.right += own.try_submit(std::move(kept)) == errc::forked && kept.valid() ? 1u : 0u;
        w.right += own.run([] { return 1u; });
        { auto gone = std::move(kept); }
        { auto mine = lastly::make_task([] {}, finally([&w] { ++w.right; })); }
        std::exit(0);
    }
    w.wait_for(child);
    dropped.reset();
    if (!pool) pool.emplace(options(1));
    pool->submit(std::move(kept)).wait();
}

// The sink forks, on the watchdog's thread; a stop callback forks, on the timers' thread. Both come back in the child.
void on_other_threads(witness& w, const part_arguments& a) {
    w.parent = ::getpid();
    std::atomic<bool> over{false};
    const auto split = [&] {
        const pid_t child = fork_bounded();
        if (child == 0) {
            ++w.child_began;
            return;
        }
        w.wait_for(child);
        over = true;
    };
    lastly::pool_options o = options(1);
    o.finalizer_budget = 1ms;
    o.error_sink = [&](const lastly::error_report& r) {
        if (r.kind == lastly::report_kind::finalizer_overdue && !over) split();
    };
    lastly::pool pool(o);
    if (a.special == 0) {
        pool.run([] {}, finally([&] {
            await([&] { return over.load(); });
            w.chain();
        }));
    } else {
        at_a_deadline(split);
    }
}

// A stop callback on the thread that closes the pool forks, and comes back in the child. `special`: it is destroyed, else shut down.
void on_the_closing_thread(witness& w, const part_arguments& a) {
    std::atomic<bool> go{false};
    lastly::pool_options o = options(a.workers);
    o.on_destroy = lastly::on_destroy::cancel;
    std::optional<lastly::pool> pool(std::in_place, o);
    fill(*pool, w, go);
    const std::stop_callback forks(pool->context().stop_token(), [&] {
        const pid_t child = fork_bounded();
        if (child == 0) return;
        w.wait_for(child);
        go = true;
    });
    bool is_complete = a.special == 1;
    const bool is_refused = is_refused_as_forked([&] {
        if (a.special == 0) is_complete = pool->shutdown_now().complete;
    });
    pool.reset();
    if (::getpid() != w.parent) {
        w.right += is_refused == (a.special == 0) ? 1u : 0u;
        std::exit(3);
    }
    w.right += is_complete && !is_refused ? 1u : 0u;
}

// A pool with static storage is destroyed at the child's exit, too.
void in_static_storage(witness& w, const part_arguments& a) {
    static std::atomic<bool> go{false};
    static lastly::pool pool(options(a.workers));
    fill(pool, w, go);
    const pid_t child = fork_bounded();
    if (child == 0) std::exit(4);
    w.wait_for(child);
    go = true;
    pool.wait_idle();
}

// A guard is the parent's: in the child its signal does what it did before, and there may be another guard.
void with_a_guard(witness& w, const part_arguments&) {
    judged = &w;
    std::signal(SIGTERM, [](int) { ++judged->received; });
    const auto is_received = [&w](unsigned times) {
        ::kill(::getpid(), SIGTERM);
        return w.received == times ? 1u : 0u;
    };
    lastly::pool pool(options(1));
    std::optional<lastly::signal_guard> guard(std::in_place, pool, lastly::signal_options{.raise_again = false});
    const pid_t child = fork_bounded();
    if (child == 0) {
        w.right += is_received(1);
        w.right += is_refused_as_forked([&] { const lastly::signal_guard of_parents_pool(pool); }) ? 1u : 0u;
        {
            lastly::pool own(options(1));
            const lastly::signal_guard mine(own, {.raise_again = false});
            w.right += is_received(1);   // not there
            await([&own] { return own.context().stop_requested(); });
        }
        w.right += is_received(2);
        guard.reset();
        w.right += is_received(3);
        std::exit(3);
    }
    w.wait_for(child);
    w.right += pool.context().stop_requested() ? 0u : 1u;
    w.right += is_received(3);
    await([&pool] { return pool.context().stop_requested(); });
}

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"under_load", &under_load}, {"default_pools", &default_pools}, {"many_queued", &many_queued}, {"in_a_task", &in_a_task},
             {"unsubmitted", &unsubmitted}, {"on_other_threads", &on_other_threads}, {"in_static_storage", &in_static_storage}, {"with_a_guard", &with_a_guard},
             {"on_the_closing_thread", &on_the_closing_thread}};

class ended : public shared_process<witness> {
public:
    explicit ended(const char* part, part_arguments a = {}) : shared_process("fork: the process that the cases below judge", part, a) {}
};

}   // namespace

TEST_CASE("fork: the process that the cases below judge" * doctest::skip()) { shared_process<witness>::run_part(parts); }

TEST_CASE("P6: fork under load: the parent keeps every task, the child refuses them, and may make its own" * not_in_gcc_sanitizers) {
    with_workers([](unsigned workers) {
        const ended process("under_load", {workers, 0});
        CHECK(process.exit_code() == 0);
        CHECK(process->child_status == 3);
        CHECK(process->right == 11);
        CHECK(process->chains_in_child == 0);
        CHECK(process->chains_in_parent == workers + queued);
    });
}

TEST_CASE("P6: the default pool of a child is another one" * not_in_gcc_sanitizers) {
    const ended process("default_pools");
    CHECK(process.exit_code() == 0);
    CHECK(process->child_status == 0);
    CHECK(process->right == 4);
}

TEST_CASE("P6: a child of a process with a hundred thousand queued tasks runs none of their chains" * not_in_gcc_sanitizers) {
    const ended process("many_queued");
    CHECK(process.exit_code() == 0);
    CHECK(process->child_status == 0);
    CHECK(process->chains_in_child == 0);
    CHECK(process->chains_in_parent == 100'001);
    MESSAGE("the child was there for ", process->milliseconds.load(), " ms");
}

TEST_CASE("P6: what forked and comes back in the child ends the child, and no inherited finalizer runs there" * not_in_gcc_sanitizers) {
    for (unsigned special = 0; special < where_count; ++special) {
        for (const unsigned workers : {1u, 2u}) {
            CAPTURE(special);
            CAPTURE(workers);
            const ended process("in_a_task", {workers, special});
            CHECK(process.exit_code() == 0);
            CHECK(process->child_began == 1);
            CHECK(process->child_status == (special == and_exits ? 9 : 1));
            CHECK(process->chains_in_child == 0);
            CHECK(process->chains_in_parent == (special == in_a_block ? 3 : special == in_a_body_that_defers_nothing ? 1 : 2));
            CHECK(process.lines_with("fork") == (special != and_exits ? 1 : 0));
        }
    }
}

TEST_CASE("P6: a task that was not submitted stays its maker's: in the child its chain does not run" * not_in_gcc_sanitizers) {
    for (const unsigned before_any_pool : {0u, 1u}) {
        CAPTURE(before_any_pool);
        const ended process("unsubmitted", {1, before_any_pool});
        CHECK(process.exit_code() == 0);
        CHECK(process->child_status == 0);
        CHECK(process->right == 4);
        CHECK(process->chains_in_child == 0);
        CHECK(process->chains_in_parent == 2);
    }
}

TEST_CASE("P6: a sink or a stop callback that forked and comes back on lastly's own thread ends the child" * not_in_gcc_sanitizers) {
    for (const unsigned special : {0u, 1u}) {
        CAPTURE(special);
        const ended process("on_other_threads", {1, special});
        CHECK(process.exit_code() == 0);
        CHECK(process->child_began == 1);
        CHECK(process->child_status == 1);
        CHECK(process->chains_in_child == 0);
        CHECK(process.lines_with("fork") == 1);
    }
}

TEST_CASE("P6: a stop callback forks and comes back on the thread that closes the pool: in the child shutdown_now throws, and the destructor returns" * not_in_gcc_sanitizers) {
    for (const unsigned destroys : {0u, 1u}) {
        with_workers([destroys](unsigned workers) {
            CAPTURE(destroys);
            const ended process("on_the_closing_thread", {workers, destroys});
            CHECK(process.exit_code() == 0);
            CHECK(process->child_status == 3);
            CHECK(process->right == 2);
            CHECK(process->chains_in_child == 0);
            CHECK(process->chains_in_parent == workers + queued);
        });
    }
}

TEST_CASE("P6: an inherited pool with static storage is destroyed at the child's exit, and no chain runs there" * not_in_gcc_sanitizers) {
    with_workers([](unsigned workers) {
        const ended process("in_static_storage", {workers, 0});
        CHECK(process.exit_code() == 0);
        CHECK(process->child_status == 4);
        CHECK(process->chains_in_child == 0);
        CHECK(process->chains_in_parent == workers + queued);
    });
}

TEST_CASE("P6: a signal_guard stays the parent's: the child has the signal as it was before, and may make a guard for a pool of its own" * not_in_gcc_sanitizers) {
    const ended process("with_a_guard");
    CHECK(process.exit_code() == 0);
    CHECK(process->child_status == 3);
    CHECK(process->right == 7);
    CHECK(process->received == 3);
}
