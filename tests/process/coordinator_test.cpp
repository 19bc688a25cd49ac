// The process's end with pools about: return from main, exit from outside, static pools, pools that are just being destroyed, budgets.
// Each part in a process of its own, judged by what it left in memory that it shares with this one. Rules P1 to P3.
#include "core/process/coordinator.hpp"
#include "tests/process/ending.hpp"
#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>

#include <unistd.h>

using namespace ending;
using namespace support;

namespace {

void on_the_heap(witness& w, const part_arguments& a) {
    leave_alone(options(a.workers), w);
    std::exit(3);
}

void by_return(witness& w, const part_arguments& a) { leave_alone(options(a.workers), w); }   // the test program returns from main

// Its destructor drains, for ever, while the process ends.
void while_destroyed(witness& w, const part_arguments& a) {
    static witness* seen = nullptr;
    seen = &w;
    std::atexit([] { await([] { return seen->destroyed.load(); }); });   // runs after the library's own, which is registered later
    auto* const pool = new std::optional<lastly::pool>(std::in_place, options(a.workers));
    fill(**pool, w);
    std::thread([pool, &w] {
        w.late = true;
        pool->reset();
        w.destroyed = true;
    }).detach();
    while (!w.late) std::this_thread::yield();
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();   // most likely it waits by now
    std::exit(3);
}

struct destroyed_after_main {
    std::optional<lastly::pool> pool;
    witness* w = nullptr;
    ~destroyed_after_main() {
        if (w == nullptr) return;
        pool.reset();
        w->destroyed = w->chains == queued && w->of_running == 2;
    }
};

void in_static_storage(witness& w, const part_arguments&) {
    const lastly::pool first(options(1));   // what is made after the library's handler was registered is destroyed before it runs
    static destroyed_after_main here;
    here.w = &w;
    here.pool.emplace(options(2));
    fill(*here.pool, w);
    std::exit(3);
}

// A static pool that is destroyed early is no process exit: another one goes on.
void static_pool_early(witness& w, const part_arguments&) {
    static std::optional<lastly::pool> first;
    first.emplace(options(2));
    lastly::pool second(options(2));
    fill(*first, w);
    first.reset();
    if (second.run([] { return 5; }) != 5 || w.chains != queued) ++w.wrong;
    w.destroyed = true;
    std::exit(3);
}

// Ordinary ends of threads, with thread_local pools, are none either.
void thread_ends(witness& w, const part_arguments&) {
    lastly::pool second(options(2));
    std::thread([&] {
        thread_local std::optional<lastly::pool> own;
        own.emplace(options(1));
        own->detach([&w] { ++w.begun; }, finally([&w](const outcome& o) { w.chains += o.succeeded() ? 1u : 0u; }));
    }).join();
    if (second.run([] { return 5; }) != 5) ++w.wrong;
    std::exit(3);
}

void made_too_late(witness& w, const part_arguments&) {
    static witness* seen = nullptr;
    seen = &w;
    std::atexit([] {   // runs after the library's own
        lastly::pool late(options(1));
        try {
            late.detach([] { ++seen->wrong; }, finally([](const outcome& o) { seen->chains += o.rejected() ? 1u : 0u; }));
        } catch (const lastly::task_rejected& e) {
            seen->rejected = e.code() == errc::pool_closed ? 1 : 0;
        }
        seen->late = true;
    });
    lastly::pool first(options(1));
    std::exit(3);
}

// Several threads call exit at once, some inside bodies: each of these bodies' chains runs, once. Submissions come before that, and meanwhile.
void from_many_threads(witness& w, const part_arguments& a) {
    auto* const pool = new lastly::pool(brief(4, 10'000ms));
    for (unsigned i = 0; i < 4; ++i) {
        pool->detach([&w] {
            ++w.begun;
            await([&w] { return w.late.load(); });
            std::exit(3);
        }, finally([&w](const outcome& o) { w.of_running += o.cancelled() && o.cause() == errc::process_exit ? 1u : 0u; }));
    }
    await([&w] { return w.begun == 4; });
    for (unsigned i = 0; i < queued; ++i) {
        if (i == queued / 2) w.late = true;
        try {
            pool->detach([&w] { ++w.wrong; }, finally([&w](const outcome& o) { w.chains += o.rejected() ? 0u : 1u; }));
            ++w.accepted;
        } catch (const lastly::task_rejected&) {
        }
    }
    if (a.special == 1) std::exit(3);
    for (;;) ::pause();
}

// A finalizer that the exiting thread runs, of its own task or of one that it helps with, calls exit itself: nothing is lost.
void exit_in_exit(witness& w, const part_arguments& a) {
    auto* const pool = new lastly::pool(brief(1, 10'000ms));
    std::atomic<bool>& go = w.late;
    pool->detach([&go, &w](task_context& t) {
        t.defer([&w] { ++w.of_running; });
        t.defer([] { std::exit(5); });
        ++w.begun;
        while (!go) std::this_thread::yield();
        std::exit(4);
    }, finally([&w] { ++w.of_running; }));
    while (w.begun == 0) std::this_thread::yield();
    for (unsigned i = 0; i < queued; ++i) {
        pool->detach([] {}, finally([&w, i, helped = a.special == 1] {
            ++w.chains;
            if (helped && i == 3) std::exit(5);
        }));
    }
    go = true;
    for (;;) ::pause();
}

// exit in the chain of a refused submission: the others' run, and nobody waits for it.
void in_a_refused_chain(witness& w, const part_arguments&) {
    lastly::pool_options o = brief(1, 5000ms);
    o.capacity = queued + 1;
    auto* const pool = new lastly::pool(o);
    fill(*pool, w);
    pool->detach([] {}, finally([&w] { ++w.rejected; }), finally([] { std::exit(3); }));
}

// Two pools; a bit of `special` says of each whether it asked for that.
void quickly(witness& w, const part_arguments& a) {
    for (unsigned i = 0; i < 2; ++i) {
        lastly::pool_options o = options(a.workers);
        o.guard_quick_exit = (a.special >> i & 1u) != 0;
        leave_alone(o, w);
    }
    std::quick_exit(3);
}

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"on_the_heap", &on_the_heap}, {"by_return", &by_return}, {"while_destroyed", &while_destroyed}, {"in_static_storage", &in_static_storage},
             {"static_pool_early", &static_pool_early}, {"thread_ends", &thread_ends}, {"made_too_late", &made_too_late}, {"a_body_hangs", &a_body_hangs},
             {"a_body_hangs_by_default", &a_body_hangs_by_default}, {"two_budgets", &two_budgets}, {"destroyed_afterwards", &destroyed_afterwards},
             {"own_chain_hangs", &own_chain_hangs}, {"helped_chain_hangs", &helped_chain_hangs}, {"from_many_threads", &from_many_threads},
             {"exit_in_exit", &exit_in_exit}, {"two_chains_hang", &two_chains_hang}, {"in_a_refused_chain", &in_a_refused_chain}, {"quickly", &quickly},
             {"beside_a_blocked_caller", &beside_a_blocked_caller}, {"idle_in_static_storage", &idle_in_static_storage}};

constexpr const char* process_case = "coordinator: the process that the cases below judge";

class ended : public shared_process<witness> {
public:
    explicit ended(const char* part, part_arguments a = {}) : shared_process(process_case, part, a) {}
};

}   // namespace

TEST_CASE("coordinator: the process that the cases below judge" * doctest::skip()) { shared_process<witness>::run_part(parts); }

TEST_CASE("P1: exit closes a pool that nobody destroys: every chain runs, with process_exit") {
    with_workers([](unsigned workers) {
        const ended process("on_the_heap", {workers, 0});
        CHECK(process.exit_code() == 3);
        CHECK(process->chains == queued);
        CHECK(process->of_running == workers);
        CHECK(process->wrong == 0);
    });
}

TEST_CASE("P1: so does return from main") {
    const ended process("by_return", {2, 0});
    CHECK(process.exit_code() == 0);
    CHECK(process->chains == queued);
    CHECK(process->of_running == 2);
    CHECK(process->wrong == 0);
}

TEST_CASE("P1: a pool that is being destroyed at that moment is closed too") {
    with_workers([](unsigned workers) {
        const ended process("while_destroyed", {workers, 0});
        CHECK(process.exit_code() == 3);
        CHECK(process->chains == queued);
        CHECK(process->of_running == workers);
        CHECK(process->destroyed);
        CHECK(process->wrong == 0);
    });
}

TEST_CASE("P1: a pool with static storage closes abruptly in its destructor") {
    const ended process("in_static_storage");
    CHECK(process.exit_code() == 3);
    CHECK(process->destroyed);
    CHECK(process->wrong == 0);
}

TEST_CASE("P1: a static pool that has nothing to do ends without a word, whatever its budget, and no thread of its is left") {
    with_workers([](unsigned workers) {
        const ended process("idle_in_static_storage", {workers, 0});
        CHECK(process.exit_code() == 3);
        CHECK(process->begun == 1);
        CHECK(process->destroyed);
        CHECK(process.lines_with("") == 0);
    });
}

TEST_CASE("P1: the chain of a caller that was waiting for room runs in full before the process ends") {
    for (unsigned special = 0; special < 4; ++special) {
        CAPTURE(special);
        const ended process("beside_a_blocked_caller", {1, special});
        CHECK(process.exit_code() == 3);
        CHECK(process->rejected == 2);
        CHECK(process->chains == queued);
        CHECK(process->wrong == 0);
        CHECK_FALSE(process.said_on_stderr("waited"));
    }
}

TEST_CASE("P1: the destructor of a static pool, and a thread's end, are no process exit") {
    const ended early("static_pool_early");
    CHECK(early.exit_code() == 3);
    CHECK(early->destroyed);
    CHECK(early->wrong == 0);

    const ended thread("thread_ends");
    CHECK(thread.exit_code() == 3);
    CHECK(thread->begun == 1);
    CHECK(thread->chains == 1);
    CHECK(thread->wrong == 0);
}

TEST_CASE("P1: a pool that is made while the process ends rejects everything") {
    const ended process("made_too_late");
    CHECK(process.exit_code() == 3);
    CHECK(process->late);
    CHECK(process->rejected == 1);
    CHECK(process->chains == 1);
    CHECK(process->wrong == 0);
}

TEST_CASE("P1: a body that hangs keeps the process for the budget only, and stderr names it") {
    const ended process("a_body_hangs");
    CHECK(process.exit_code() == 3);
    CHECK(process->chains == queued);
    CHECK(process.said_on_stderr("hanging body"));
    CHECK(process.said_on_stderr("ending.hpp"));
}

TEST_CASE("P1: by default a body that hangs keeps the process for the budget that the options state") {
    const ended process("a_body_hangs_by_default");
    const auto kept = steady::now().time_since_epoch() - steady::duration(process->exits_at.load());
    CHECK(process.exit_code() == 3);
    CHECK(kept >= lastly::pool_options().exit_budget);
    CHECK(process.lines_with("hanging body") == 1);
}

TEST_CASE("P1: the largest budget of all pools counts, whichever was made first") {
    for (const unsigned first : {0u, 1u}) {
        CAPTURE(first);
        const ended process("two_budgets", {1, first});
        CHECK(process.exit_code() == 3);
        CHECK(process->chains == 1);
        CHECK_FALSE(process.said_on_stderr("waited"));
    }
}

TEST_CASE("P1: when the process's end is over no destructor of a pool waits, whatever hangs") {
    const ended process("destroyed_afterwards");
    CHECK(process.exit_code() == 3);
    CHECK(process->destroyed);
    CHECK(process.lines_with("hanging body") == 2);   // each is named once
}

TEST_CASE("P1: a finalizer that hangs on the exiting thread is named, the other chains run, and the process ends with its status") {
    for (const unsigned exits_again : {0u, 1u}) {
        CAPTURE(exits_again);
        const ended own("own_chain_hangs", {1, exits_again});
        CHECK(own.exit_code() == (exits_again != 0 ? 7 : 3));   // the later status is the process's
        CHECK(own->chains == queued);
        CHECK(own.said_on_stderr("exiting"));
        CHECK(own.said_on_stderr("finalizing"));
    }

    const ended helped("helped_chain_hangs");
    CHECK(helped.exit_code() == 3);
    CHECK(helped->chains == queued);
    CHECK(helped.said_on_stderr("hanging chain"));
}

TEST_CASE("P2: several threads that call exit: the chain of each body runs, once") {
    for (unsigned round = 0; round < 10; ++round) {
        CAPTURE(round);
        const ended process("from_many_threads", {1, round % 2});
        CHECK(process.exit_code() == 3);
        CHECK(process->of_running == 4);
        CHECK(process->wrong == 0);
        CHECK(process->accepted >= queued / 2);
        CHECK(process->chains >= process->accepted);   // the end may have come between a submission and its count here
    }
}

TEST_CASE("P2: exit in a finalizer that the exiting thread runs: the rest follows, once") {
    for (const unsigned helped : {0u, 1u}) {
        CAPTURE(helped);
        const ended process("exit_in_exit", {1, helped});
        CHECK(process.exit_code() == 5);
        CHECK(process->of_running == 2);
        CHECK(process->chains == queued);
    }
}

TEST_CASE("P1: two chains that hang keep nothing: the process ends, and both are named") {
    const ended process("two_chains_hang");
    CHECK(process.exit_code() == 3);
    CHECK(process.lines_with("hanging chain") == 2);
}

TEST_CASE("P2: exit in the chain of a refused submission") {
    const ended process("in_a_refused_chain");
    CHECK(process.exit_code() == 3);
    CHECK(process->rejected == 1);
    CHECK(process->chains == queued);
    CHECK_FALSE(process.said_on_stderr("waited"));
}

TEST_CASE("P3: quick_exit closes the pools if one of them asked for it") {
    for (const unsigned guarded : {1u, 2u}) {
        CAPTURE(guarded);
        const ended process("quickly", {2, guarded});
        CHECK(process.exit_code() == 3);
        CHECK(process->chains == 2 * queued);
        CHECK(process->of_running == 4);
        CHECK(process->wrong == 0);
    }

    const ended unguarded("quickly", {2, 0});
    CHECK(unguarded.exit_code() == 3);
    CHECK(unguarded->chains == 0);
    CHECK(unguarded->of_running == 0);
}
