// Finalizers of tasks that are stopped see no stop: attached and deferred ones, those of blocks (defer_frame), of branches, and branches that a
// finalizer forks. Blocks nest, stand in loops, are left by exceptions, and hold finalizers that throw or register more.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

// Tasks below one owner, which one of them stops.
struct family {
    cancel_source owner = with_cancel();
};

// Counts what throws in a block; for the sink.
struct tally {
    std::atomic<std::uint64_t> thrown{0};
};

// One task's own notes: they outlive its body, and each finalizer that looks at them.
struct notes {
    round& r;
    pool& p;
    cell& c;
    tally& all;
    bool stopped = false;        // the body saw the stop
    unsigned open = 0;           // finalizers of blocks that have yet to run
    std::thread::id body{};
    context before{};            // the task's own, obtained in the body
};
using shared_notes = std::shared_ptr<notes>;

// Within a finalizer, with the task_context at hand or without.
void look(const notes& n, const task_context* t) {
    n.r.check(this_task::finalizing(), "C4: a finalizer is told that it is one");
    n.r.check(!this_task::stop_requested() && (t == nullptr || !t->stop_requested()), "C4: inside a finalizer no stop is requested");
    n.r.check(!this_task::context().stop_requested() && (t == nullptr || !t->context().stop_requested()), "C4: the context that a finalizer asks for shows no stop");
    try {
        this_task::throw_if_stopped();
        if (t != nullptr) t->throw_if_stopped();
    } catch (const task_cancelled&) {
        n.r.check(false, "C4: inside a finalizer throw_if_stopped does not throw");
    }
    n.r.check(!n.stopped || n.before.stop_requested(), "C4: a context that was obtained before tells a finalizer the truth");
}

// Counted in the task's cell, wherever and on whatever thread it runs.
template <class Where, class Action>
void defer_counted(Where& where, cell& c, Action action) {
    c.add(event::registered);
    where.defer([capture = canary(c), act = std::move(action)]() mutable {
        capture.task().add(event::deferred);
        act();
    });
}

struct attached_look {
    shared_notes n;
    void operator()() const { look(*n, nullptr); }
};

// A block's finalizer: its place is the number of those that were to come when it was registered.
void defer_in_block(defer_frame& f, task_context& t, const shared_notes& n, bool throws, unsigned more) {
    const unsigned place = n->open++;
    if (throws) n->all.thrown.fetch_add(1, std::memory_order_relaxed);
    defer_counted(f, n->c, [&f, &t, n, place, throws, more] {
        n->r.check(n->open == place + 1, "O6: finalizers of blocks run last registered first, the inner block's before the outer one's");
        n->r.check(std::this_thread::get_id() == n->body, "O6: a block's finalizers run on the body's thread");
        n->open = place;
        look(*n, &t);
        if (more > 0) defer_in_block(f, t, n, false, more - 1);
        if (!throws) return;
        n->c.add(event::thrown);
        throw thrown_by_finalizer();
    });
}

void run_block(task_context& t, const shared_notes& n, random_numbers& random, unsigned depth, bool leaves) {
    const unsigned outer = n->open;
    try {
        defer_frame f(t);
        for (unsigned i = 0; i < 3; ++i) {
            defer_in_block(f, t, n, random.one_in(8), i == 2 ? 2 : 0);
            if (i == 1 && depth > 0) run_block(t, n, random, depth - 1, random.one_in(4));
        }
        n->r.check(n->open == outer + 3, "O6: nothing of a block runs before its end");
        if (leaves) throw thrown_by_body();
    } catch (const thrown_by_body&) {
        n->r.check(leaves, "O6: an exception of a block's finalizer does not leave the block");
    }
    n->r.check(n->open == outer, "O6: a block's finalizers have run when it ends, also by an exception");
    n->r.check(!n->stopped || t.stop_requested(), "O6: after a block the body sees the stop again");
    n->r.check(!this_task::finalizing(), "O6: after a block the body goes on");
}

// Branches that look for a while whether another thread takes one of them: `begun` counts them.
void linger(std::atomic<unsigned>& begun) {
    begun.fetch_add(1, std::memory_order_relaxed);
    for (unsigned i = 0; i < 30 && begun.load(std::memory_order_relaxed) < 2; ++i) std::this_thread::yield();
}

// From the body: branches see the stop, their finalizers do not, whichever of the contexts at hand they ask.
void fork_in_body(task_context& t, const shared_notes& n) {
    std::atomic<unsigned> begun{0};
    const auto branch = [&](task_context& b) {
        n->r.check(b.stop_requested() == n->stopped && t.stop_requested() == n->stopped, "C4: a branch sees the stop of its task");
        defer_counted(b, n->c, [&t, n] { look(*n, &t); });
        defer_counted(b, n->c, [&b, n] { look(*n, &b); });
        linger(begun);
    };
    parallel_invoke(n->p, branch, branch, branch);
}

// From a finalizer: what it forks is shielded as it is.
void fork_in_finalizer(task_context& t, const shared_notes& n) {
    std::atomic<unsigned> begun{0};
    const auto branch = [&](task_context& b) {
        look(*n, &b);
        look(*n, &t);
        linger(begun);
    };
    parallel_invoke(n->p, branch, branch, branch);
}

enum class stop { by_itself, by_another, by_its_handle, count };

// The body of every task here. It has been stopped when it registers its finalizers, or may be at any time.
struct body {
    shared_notes n;
    std::shared_ptr<family> relatives;
    stop how;
    random_numbers random;

    void operator()(task_context& t, cell& c) {
        n->body = std::this_thread::get_id();
        n->before = t.context();
        if (how == stop::by_itself && relatives->owner.cancel()) n->r.check(t.stop_requested(), "C3: when a cancel returns, everything below has stopped");
        n->stopped = how != stop::by_another;
        while (n->stopped && !t.stop_requested()) std::this_thread::yield();   // whoever came second with the cancel: the first one is under way
        for (unsigned loops = 1 + static_cast<unsigned>(random.below(2)); loops > 0; --loops) run_block(t, n, random, static_cast<unsigned>(random.below(3)), random.one_in(4));
        if (n->stopped && random.one_in(2)) fork_in_body(t, n);
        defer(t, c, [&t, kept = n] { look(*kept, &t); });
        if (random.one_in(2)) defer(t, c, [&t, kept = n] { fork_in_finalizer(t, kept); });
        if (random.one_in(8)) throw thrown_by_body();
        if (random.one_in(2)) t.throw_if_stopped();
    }
};

void submit_family(round& r, pool& p, tally& all, random_numbers& random, std::uint64_t members) {
    const auto relatives = std::make_shared<family>();
    const context observed = relatives->owner.context();
    std::vector<std::pair<cell*, task_handle<void>>> held;
    for (std::uint64_t i = 0; i < members; ++i) {
        cell& c = r.next();
        const auto how = i == members / 2 ? stop::by_itself : static_cast<stop>(random.below(static_cast<std::uint64_t>(stop::count)));
        const auto n = std::make_shared<notes>(notes{.r = r, .p = p, .c = c, .all = all});
        body b{n, relatives, how, r.random(random())};
        const task_plan plan{.ends = ends::succeeded | ends::cancelled | ends::failed};
        if (how != stop::by_its_handle) {
            send<2>(c, plan, into(p, observed), std::move(b), attached_look{n});
            continue;
        }
        task_plan waited_for = plan;
        waited_for.waiters = 1;
        auto h = send<2>(c, waited_for, for_handle(p, observed), std::move(b), attached_look{n});
        if (random.one_in(2)) std::this_thread::yield();
        h->cancel();
        held.emplace_back(&c, std::move(*h));
    }
    for (auto& [c, h] : held) {
        h.wait();
        tell(*c, h);
    }
}

// A finalizer that outlasts the budget is reported by its task's name until it returns: it waits for the second report.
void outlast_the_budget(round& r) {
    std::atomic<unsigned> told{0};
    pool_options o = r.options();
    o.workers = 1;
    o.finalizer_budget = std::chrono::milliseconds(1);
    o.error_sink = [&told](const error_report& report) {
        if (report.kind == report_kind::finalizer_overdue && std::strcmp(report.name, "overdue") == 0) told.fetch_add(1, std::memory_order_relaxed);
    };
    pool p(o);
    const watch shown(p);
    send<1>(r.next(), succeeds, into(p, named("overdue")), [] {}, [&told] {
        while (told.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
    });
    r.close(p);
}

}   // namespace

void shielded(round& r) {
    tally all;
    {
        pool p(r.options());
        const watch shown(p);
        on_threads(2, [&](unsigned thread) {
            random_numbers random = r.random(thread);
            for (std::uint64_t left = share_of(r.tasks() - std::min<std::uint64_t>(r.tasks(), 1), thread, 2); left > 0;) {
                const std::uint64_t members = std::min<std::uint64_t>(left, 4 + random.below(12));
                submit_family(r, p, all, random, members);
                left -= members;
            }
        });
        r.close(p);
    }
    r.check(r.reports(report_kind::finalizer_failed) == all.thrown.load(std::memory_order_relaxed), "O6, E4: each exception of a block's finalizer is told to the sink, once");
    outlast_the_budget(r);
}

}   // namespace lastly::stress::scenarios
