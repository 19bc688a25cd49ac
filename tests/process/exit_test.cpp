// exit inside bodies, branches and finalizers: each part in a process of its own, judged by what it left in memory that it shares with this one.
// Rules P1, P2, P3, B4, G1, O2.
#include "core/process/exit.hpp"
#include "tests/process/exiting.hpp"
#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <utility>

#include <unistd.h>

using namespace exiting;
using namespace support;
using lastly::parallel_invoke;
namespace this_task = lastly::this_task;

namespace {

// Two levels of branches below a task. In one of 15 positions the process exits.
struct exit_tree {
    lastly::pool& pool;
    witness& w;
    unsigned special;

    void node(unsigned id) {
        w.ran |= 1u << id;
        this_task::defer([this, id] {
            if ((w.closed.fetch_or(1u << id) & 1u << id) != 0) ++w.twice;
        });
        if (id < 7) parallel_invoke(pool, [&] { node(2 * id + 1); }, [&] { node(2 * id + 2); });
        if (id == special) std::exit(6);
    }
};

void in_a_body(witness& w, const part_arguments& a) {
    lastly::pool_options o = options(a.workers);
    o.guard_quick_exit = a.special == 1;
    lastly::pool pool(o);
    pool.run([held = noted(w)] {});   // this one's capture is destroyed
    exit_in(pool, [&, held = noted(w)](task_context& t) {
        t.defer([&](const outcome& end) { w.told = is_end_of_started(end); w.say('1'); });
        t.defer([&] { w.say('2'); });
        defer_frame frame(t);
        frame.defer([&] { w.say('f'); });
        const noted local(w);
        if (a.special == 1) std::quick_exit(7);
        std::exit(7);
    }, finally([&] { w.say('a'); }), finally([&] { w.say('b'); }));
}

void with_a_waiter(witness& w, const part_arguments&) {
    judged = &w;
    std::atexit([] { await([] { return judged->told.load() != 0; }); });   // runs after the library's own, which is registered later
    lastly::pool pool(brief(2));   // one of its bodies never ends
    pool.detach([&] {
        std::latch begun(1);
        auto inner = pool.submit([&] {
            begun.count_down();
            std::exit(3);
        });
        begun.wait();
        try {
            inner.get();
        } catch (const lastly::task_cancelled& e) {
            w.told = e.code() == errc::process_exit ? 1 : 2;
        }
        for (;;) ::pause();
    });
    for (;;) ::pause();
}

void in_a_finalizer(witness& w, const part_arguments&) {
    tell_books(w);
    lastly::pool pool(options(1));
    judged_pool = &pool;
    exit_in(pool, [&](task_context& t) {
        t.defer([&] { w.say('1'); });
        t.defer([&] { w.say('2'); std::exit(4); });
        t.defer([&] { w.say('3'); });
    }, finally([&](const outcome& o) { w.told = o.succeeded(); w.say('a'); }));
}

void in_a_sink(witness& w, const part_arguments&) {
    lastly::pool_options o = options(1);
    o.error_sink = [&](const lastly::error_report&) {
        w.say('s');
        std::exit(8);
    };
    lastly::pool pool(o);
    pool.detach([] { throw 1; }, finally([&] { w.say('a'); }));
    for (;;) ::pause();
}

// A result that exits when nobody takes it: after its task was counted, in the middle of its publication.
struct exits_in_destructor {
    witness* w;
    explicit exits_in_destructor(witness& to) : w(&to) {}
    exits_in_destructor(exits_in_destructor&& o) noexcept : w(std::exchange(o.w, nullptr)) {}
    exits_in_destructor& operator=(exits_in_destructor&&) = delete;
    ~exits_in_destructor() {
        if (w == nullptr) return;
        w->say('d');
        std::exit(8);
    }
};

void in_a_result(witness& w, const part_arguments&) {
    tell_books(w);
    lastly::pool pool(brief(1, std::chrono::seconds(10)));
    judged_pool = &pool;
    std::latch go(1);
    auto handle = pool.submit([&] {
        go.wait();
        return exits_in_destructor(w);
    }, finally([&] { w.say('a'); }));
    for (int i = 0; i < 3; ++i) pool.detach([] {}, finally([&](const outcome& o) { w.say(o.cause() == errc::process_exit ? 'q' : '?'); }));
    { const auto dropped = std::move(handle); }
    go.count_down();
    for (;;) ::pause();
}

void above_others(witness& w, const part_arguments&) {
    lastly::pool pool(options(1));
    exit_in(pool, [&](task_context& t) {
        t.defer([&] { w.say('o'); });
        pool.run([&](task_context& inner) {
            inner.defer([&] { w.say('i'); });
            lastly::task_group group(pool);
            group.spawn([&] { std::exit(5); }, finally([&] { w.say('g'); }));
            group.wait();
        });
    }, finally([&] { w.say('x'); }));
}

void in_a_tree(witness& w, const part_arguments& a) {
    lastly::pool pool(options(a.workers));
    exit_in(pool, [&] { exit_tree{pool, w, a.special}.node(0); }, finally([&] { w.told.fetch_add(1); }));
}

void in_a_stolen_branch(witness& w, const part_arguments&) {
    lastly::pool pool(options(2));
    exit_in(pool, [&](task_context& t) {
        std::latch stolen(1);
        const auto owner = std::this_thread::get_id();
        t.defer([&, owner] { w.told = std::this_thread::get_id() == owner; });
        parallel_invoke(pool, [&] { stolen.wait(); }, [&] {
            this_task::defer([&](const outcome& o) { w.say(o.cause() == errc::process_exit ? 'b' : '?'); });
            this_task::defer([&] { w.say('c'); });
            stolen.count_down();
            std::exit(9);
        });
        w.say('!');
    }, finally([&] { w.say('a'); }));
}

// A body that cannot be moved into its task.
struct unmovable_body {
    unmovable_body() = default;
    unmovable_body(const unmovable_body&) { throw 1; }
    void operator()() const {}
};

void in_an_unbuilt(witness& w, const part_arguments& a) {
    lastly::pool pool(options(1));
    const auto exits = [&] {
        w.say('e');
        std::exit(2);
    };
    const unmovable_body body;
    if (a.special == 0) pool.detach(body, finally([&] { w.say('a'); }), finally(exits), finally([&] { w.say('b'); }));
    else exit_in(pool, [&] { pool.detach(body, finally([&] { w.say('a'); }), finally(exits), finally([&] { w.say('b'); })); }, finally([&] { w.say('t'); }));
}

// A finalizer leaves the thread that ends the process.
void and_leaves(witness& w, const part_arguments& a) {
    auto* const pool = new lastly::pool(brief(1, std::chrono::seconds(10)));
    const auto leave = [] { ::pthread_exit(nullptr); };
    std::latch running(1), submitted(1);
    auto body = [&](task_context& t) {
        t.defer([&] { w.say('1'); });
        if (a.special == 1) t.defer(leave);
        running.count_down();
        submitted.wait();
        if (a.special == 1) std::exit(2);
        while (!t.stop_requested()) std::this_thread::yield();
        await([&] { return w.ran == 10; });
    };
    pool->detach(body);
    running.wait();
    for (unsigned i = 0; i < 10; ++i) {
        pool->detach([] {}, finally([&, i] {
            ++w.ran;
            if (i == 4 && a.special == 0) leave();
        }));
    }
    submitted.count_down();
    if (a.special == 0) std::exit(2);
    for (;;) ::pause();
}

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"in_a_body", &in_a_body}, {"in_a_body_of_a_static_pool", &in_a_body_of_a_static_pool}, {"with_a_waiter", &with_a_waiter}, {"in_a_finalizer", &in_a_finalizer}, {"in_a_sink", &in_a_sink},
             {"above_others", &above_others}, {"in_a_tree", &in_a_tree}, {"in_a_stolen_branch", &in_a_stolen_branch}, {"in_a_result", &in_a_result}, {"in_an_unbuilt", &in_an_unbuilt}, {"and_leaves", &and_leaves}, {"before_a_group_is_left", &before_a_group_is_left},
             {"in_a_block_of_a_branch", &in_a_block_of_a_branch}, {"beneath_a_waiter_of_a_static_pool", &beneath_a_waiter_of_a_static_pool}, {"holding_what_a_callback_needs", &holding_what_a_callback_needs}};

constexpr const char* process_case = "exit: the process that the cases below judge";

class ended : public shared_process<witness> {
public:
    explicit ended(const char* part, part_arguments a = {}) : shared_process(process_case, part, a) {}
};

}   // namespace

TEST_CASE("exit: the process that the cases below judge" * doctest::skip()) { shared_process<witness>::run_part(parts); }

TEST_CASE("P2: exit inside a body runs its chain with outcome cancelled, and the process ends with that code") {
    with_workers([](unsigned workers) {
        const ended process("in_a_body", {workers, 0});
        CHECK(process.exit_code() == 7);
        CHECK(process->said() == "f21ba");
        CHECK(process->told == 1);
        CHECK(process->destroyed == 1);   // not the captures of the body that exits, nor its locals
    });
}

TEST_CASE("P3: quick_exit inside a body does as exit does, if a pool asked for it") {
    with_workers([](unsigned workers) {
        const ended process("in_a_body", {workers, 1});
        CHECK(process.exit_code() == 7);
        CHECK(process->said() == "f21ba");
        CHECK(process->told == 1);
        CHECK(process->destroyed == 1);
    });
}

TEST_CASE("P2: exit inside a body of a static pool: its chain runs, and that of each queued task, once") {
    with_workers([](unsigned workers) {
        const ended process("in_a_body_of_a_static_pool", {workers, 0});
        CHECK(process.exit_code() == 7);
        CHECK(process->said() == "21ba");
        CHECK(process->told == 1);
        CHECK(process->beside == workers - 1);
        for (const std::atomic<unsigned>& chain : process->chains) CHECK(chain == 1);
        CHECK(process->wrong == 0);
    });
}

TEST_CASE("P2: exit inside a body that a static pool's body waits for: the latter's chain runs, though its pool's own time is over by then") {
    const ended process("beneath_a_waiter_of_a_static_pool");
    CHECK(process.exit_code() == 3);
    CHECK(process->told == 1);
    CHECK(process->said() == "ywx");
    CHECK_FALSE(process.said_on_stderr("waited"));
}

TEST_CASE("P2: exit inside a body of a static pool that holds what a stop callback needs: its chain runs, and the process ends") {
    for (const unsigned lets_go : {1u, 0u}) {
        CAPTURE(lets_go);
        const ended process("holding_what_a_callback_needs", {1, lets_go});
        CHECK(process.exit_code() == 7);
        CHECK(process->said() == "da");
    }
}

TEST_CASE("P2: whoever waits for the task that exits is told") {
    const ended process("with_a_waiter");
    CHECK(process.exit_code() == 3);
    CHECK(process->told == 1);
}

TEST_CASE("P2: exit inside a finalizer counts it as run, and the rest of its chain follows") {
    const ended process("in_a_finalizer");
    CHECK(process.exit_code() == 4);
    CHECK(process->said() == "321a");
    CHECK(process->told == 1);
    CHECK(process->balanced);
    CHECK(process->finalizers == 4);
    CHECK(process->succeeded == 1);
}

TEST_CASE("P2: exit in a sink: the chain has run, and nothing is told twice") {
    const ended process("in_a_sink");
    CHECK(process.exit_code() == 8);
    CHECK(process->said() == "as");
}

TEST_CASE("P2: exit in the destructor of a result that nobody takes: that task was counted once, and the others' chains run") {
    const ended process("in_a_result");
    CHECK(process.exit_code() == 8);
    CHECK(process->said() == "adqqq");
    CHECK(process->balanced);
    CHECK(process->finalizers == 4);
    CHECK(process->succeeded == 1);
    CHECK(process->cancelled == 3);
}

TEST_CASE("P2: bodies below on the same stack follow, innermost first") {
    const ended process("above_others");
    CHECK(process.exit_code() == 5);
    CHECK(process->said() == "giox");
}

TEST_CASE("B4-tree: exit in every position of a tree of three levels: every chain that began runs once") {
    for (const unsigned workers : {1u, 2u, 4u}) {
        for (unsigned special = 0; special < 15; ++special) {
            CAPTURE(workers);
            CAPTURE(special);
            const ended process("in_a_tree", {workers, special});
            CHECK(process.exit_code() == 6);
            CHECK(process->twice == 0);
            CHECK(process->closed == process->ran);
            CHECK((process->ran & 1u << special) != 0);
            CHECK(process->told == 1);
            for (unsigned id = special; id != 0; id = (id - 1) / 2) CHECK((process->closed & 1u << id) != 0);
        }
    }
}

TEST_CASE("P2: exit leaves blocks and branches innermost first, wherever on the stack a block lies") {
    const ended process("in_a_block_of_a_branch");
    CHECK(process.exit_code() == 5);
    CHECK(process->said() == "ibota");
}

TEST_CASE("B4: exit in a stolen branch: its chain runs there, and its task's where the branch is waited for") {
    for (int round = 0; round < 5; ++round) {
        const ended process("in_a_stolen_branch");
        CHECK(process.exit_code() == 9);
        CHECK(process->said() == "cba");
        CHECK(process->told == 1);
    }
}

TEST_CASE("P2: exit in the chain of a task that cannot be built: the rest of it runs, and what runs beneath follows") {
    for (const unsigned inside : {0u, 1u}) {
        CAPTURE(inside);
        const ended process("in_an_unbuilt", {1, inside});
        CHECK(process.exit_code() == 2);
        CHECK(process->said() == (inside != 0 ? "beat" : "bea"));
    }
}

TEST_CASE("P2: whoever waits for a group is told when the thread that exits has dropped its last member") {
    for (int i = 0; i < 5; ++i) {
        const ended process("before_a_group_is_left");
        CHECK(process.exit_code() == 2);
        CHECK(process->ran == 1);
        CHECK(process->closed == 1);
        CHECK(process->go);
    }
}

TEST_CASE("P4: a finalizer leaves the thread that ends the process: all others run, and the process ends with its status") {
    for (const unsigned inside : {0u, 1u}) {
        CAPTURE(inside);
        const ended process("and_leaves", {1, inside});
        CHECK(process.exit_code() == 2);
        CHECK(process->ran == 10);
        CHECK(process->said() == "1");
    }
}
