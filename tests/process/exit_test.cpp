// exit inside bodies, branches and finalizers: each part in a process of its own, judged by what it left in memory that it shares with this one.
// Rules P2, B4, G1, O2.
#include "core/process/exit.hpp"
#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include <unistd.h>

using namespace support;
using lastly::defer_frame;
using lastly::errc;
using lastly::finally;
using lastly::outcome;
using lastly::parallel_invoke;
using lastly::task_context;
namespace this_task = lastly::this_task;

namespace {

// What the process that ends says to the one that judges.
struct witness {
    std::atomic<int> next{0};
    std::atomic<char> order[64]{};
    std::atomic<unsigned> ran{0}, closed{0}, twice{0};
    std::atomic<int> told{0};

    void say(char c) { order[next.fetch_add(1)] = c; }
    std::string said() const {
        std::string s;
        for (int i = 0; i < next.load(); ++i) s += order[i].load();
        return s;
    }
};

// A task that ends the process. Whoever is told of that stays: ending its pool meanwhile is not what is tested here.
template <class Body, class... Attached>
[[noreturn]] void exit_in(lastly::pool& pool, Body body, Attached... attached) {
    try {
        pool.run(std::move(body), std::move(attached)...);
    } catch (const lastly::task_cancelled&) {
    }
    for (;;) ::pause();
}

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
    lastly::pool pool(options(a.workers));
    exit_in(pool, [&](task_context& t) {
        t.defer([&](const outcome& o) { w.told = o.cancelled() && o.started() && o.cause() == errc::process_exit; w.say('1'); });
        t.defer([&] { w.say('2'); });
        defer_frame frame(t);
        frame.defer([&] { w.say('f'); });
        std::exit(7);
    }, finally([&] { w.say('a'); }), finally([&] { w.say('b'); }));
}

witness* judged = nullptr;

void with_a_waiter(witness& w, const part_arguments&) {
    judged = &w;
    std::atexit([] { await([] { return judged->told.load() != 0; }); });   // runs after the library's own, which is registered later
    lastly::pool pool(options(2));
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
    lastly::pool pool(options(1));
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

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"in_a_body", &in_a_body}, {"with_a_waiter", &with_a_waiter}, {"in_a_finalizer", &in_a_finalizer}, {"in_a_sink", &in_a_sink},
             {"above_others", &above_others}, {"in_a_tree", &in_a_tree}, {"in_a_stolen_branch", &in_a_stolen_branch}};

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
    });
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
}

TEST_CASE("P2: exit in a sink: the chain has run, and nothing is told twice") {
    const ended process("in_a_sink");
    CHECK(process.exit_code() == 8);
    CHECK(process->said() == "as");
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
            CHECK((process->ran & 1u << special) != 0);
            CHECK(process->told == 1);
            for (unsigned id = special; id != 0; id = (id - 1) / 2) CHECK((process->closed & 1u << id) != 0);
        }
    }
}

TEST_CASE("B4: exit in a stolen branch: its chain runs there, and its task's where the branch is waited for") {
    for (int round = 0; round < 5; ++round) {
        const ended process("in_a_stolen_branch");
        CHECK(process.exit_code() == 9);
        CHECK(process->said() == "cba");
        CHECK(process->told == 1);
    }
}
