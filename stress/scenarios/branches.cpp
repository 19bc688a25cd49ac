// Fork-join: trees of parallel_invoke and loops of parallel_for inside tasks, with finalizers in branches, exceptions, and stops between chunks.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

// A branch's own finalizers: two, of which the last one runs first. `left` outlives the branch. The task's cell counts them as well.
void defer_two(round& r, task_context& b, cell& c, unsigned& left) {
    left = 2;
    for (unsigned i = 0; i < 2; ++i) {
        c.add(event::registered);
        b.defer([&r, &left, i, capture = canary(c)] {
            r.check(left == i + 1, "B2, O2: a branch's finalizers run last registered first");
            left = i;
            capture.task().add(event::deferred);
        });
    }
}

struct failed_branch : std::runtime_error {
    explicit failed_branch(int n) : std::runtime_error("a branch failed"), number(n) {}
    int number;
};

// Counts its leaves.
void fork(round& r, pool& p, task_context& t, cell& c, unsigned depth, std::atomic<unsigned>& leaves) {
    if (depth == 0) {
        leaves.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    std::atomic<unsigned> below{0};
    parallel_invoke(p, [&](task_context& b) { fork(r, p, b, c, depth - 1, below); }, [&](task_context& b) { fork(r, p, b, c, depth - 1, below); });
    r.check(below.load(std::memory_order_relaxed) == 1u << depth, "B1: every branch has run, once, when the call returns");
    leaves.fetch_add(1u << depth, std::memory_order_relaxed);
    c.add(event::registered);
    t.defer([capture = canary(c)] { capture.task().add(event::deferred); });
}

void loop(round& r, pool& p, cell& c) {
    std::atomic<unsigned> visits[32]{};
    parallel_for(p, 0, 32, [&](int i, task_context& b) {
        visits[i].fetch_add(1, std::memory_order_relaxed);
        if (i % 8 == 0) {
            c.add(event::registered);
            b.defer([capture = canary(c)] { capture.task().add(event::deferred); });
        }
    }, 4);
    for (const auto& v : visits) r.check(v.load(std::memory_order_relaxed) == 1, "B3: every index is visited once");
}

// Four branches of which the second and the last throw: all run, and the second one's exception comes out.
void fail(round& r, pool& p, cell& c) {
    std::atomic<unsigned> ran{0};
    unsigned left[4]{};
    const auto branch = [&](int number) {
        return [&, number](task_context& b) {
            defer_two(r, b, c, left[number]);
            ran.fetch_add(1, std::memory_order_relaxed);
            if (number % 2 == 1) throw failed_branch(number);
        };
    };
    try {
        parallel_invoke(p, branch(0), branch(1), branch(2), branch(3));
        r.check(false, "B1: a branch's exception comes out of the call");
    } catch (const failed_branch& e) {
        r.check(e.number == 1, "B1: the exception of the lowest-numbered branch comes out");
        r.check(ran.load(std::memory_order_relaxed) == 4, "B1: every branch runs although others fail");
        for (const unsigned l : left) r.check(l == 0, "B2: a branch's finalizers have run when the call is over");
        throw;
    }
}

// A loop that one of its chunks ends, by `leave`: the thread on which it did starts no other chunk of that loop.
template <class Leave>
void end_loop_in_chunk(round& r, pool& p, int at, Leave leave) {
    std::atomic<std::thread::id> ended_on{};
    std::atomic<unsigned> visits{0};
    parallel_for(p, 0, 64, [&](int i) {
        const std::thread::id here = std::this_thread::get_id();
        r.check(ended_on.load(std::memory_order_relaxed) != here, "B3: after a chunk that throws, or a stop, no chunk is started");
        visits.fetch_add(1, std::memory_order_relaxed);
        if (i != at) return;
        ended_on.store(here, std::memory_order_relaxed);
        leave();
    }, 1);
    r.check(visits.load(std::memory_order_relaxed) == 64, "B3: a loop that returns has visited every index");
}

void fail_in_chunk(round& r, pool& p, int at) {
    try {
        end_loop_in_chunk(r, p, at, [at] { throw failed_branch(at); });
        r.check(false, "B3: a chunk's exception comes out of the loop");
    } catch (const failed_branch& e) {
        r.check(e.number == at, "B3: the exception that comes out of the loop is the one that the chunk threw");
    }
}

// A task that stops itself in the middle of a loop.
void send_stopped_loop(round& r, pool& p, int at) {
    const auto owner = std::make_shared<cancel_source>(with_cancel());
    const context attached = owner->context();
    send<1>(r.next(), {.ends = ends::cancelled, .must_begin = true}, into(p, attached), [&r, &p, at, owner] {
        end_loop_in_chunk(r, p, at, [&] { owner->cancel(); });
        // It returned: nothing was left to be started after the stop.
        this_task::throw_if_stopped();
    });
}

}   // namespace

void branches(round& r) {
    pool p(r.options());
    const watch shown(p);
    random_numbers random = r.random();
    std::uint64_t failures = 0;
    for (std::uint64_t i = 0; i < r.tasks(); ++i) {
        const auto kind = static_cast<unsigned>(random.below(10));
        const auto at = static_cast<int>(random.below(64));
        if (kind == 9) {
            send_stopped_loop(r, p, at);
            continue;
        }
        if (kind == 0) ++failures;
        send<1>(r.next(), {.ends = kind == 0 ? ends::failed : ends::succeeded, .must_begin = true}, into(p), [&r, &p, kind, at](task_context& t, cell& c) {
            std::atomic<unsigned> leaves{0};
            if (kind == 0) fail(r, p, c);
            else if (kind < 3) loop(r, p, c);
            else if (kind == 8) fail_in_chunk(r, p, at);
            else fork(r, p, t, c, kind - 2, leaves);
        });
    }
    r.close(p);
    r.check(r.reports(report_kind::failed) == 2 * failures, "B1: each exception of a branch that does not come out of the call is told to the sink, once");
}

}   // namespace lastly::stress::scenarios
