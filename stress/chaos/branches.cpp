// Situations of fork-join, inside a task and from outside. See situations.hpp.
#include "stress/chaos/situations.hpp"

namespace lastly::stress::chaos {

namespace {

// A branch's finalizer counts in its task's cell.
void defer_in_branch(task_context& b, cell& c) {
    c.add(event::registered);
    b.defer([capture = canary(c)] { capture.task().add(event::deferred); });
}

void fork(desk& d, cell& c, unsigned depth) {
    if (depth == 0) return;
    const auto branch = [&d, &c, depth](task_context& b) {
        fork(d, c, depth - 1);
        try {
            for (int i = 0; i < 4; ++i) defer_in_branch(b, c);
        } catch (const std::bad_alloc&) {
            d.check_no_memory();
        }
    };
    parallel_invoke(d.p(), branch, branch);
}

void invoke_in_a_task(desk& d) {
    d.send<1>(d.next(), d.plan(), into(d.p()), [&d](task_context&, cell& c) { fork(d, c, 3); });
}

void loop_in_a_task(desk& d) {
    d.send<1>(d.next(), d.plan(), into(d.p()), [&d](task_context&, cell& c) {
        std::atomic<int> visits{0};
        parallel_for(d.p(), 0, 24, [&](int i, task_context& b) {
            visits.fetch_add(1, std::memory_order_relaxed);
            if (i % 4 != 0) return;
            try {
                defer_in_branch(b, c);
            } catch (const std::bad_alloc&) {
                d.check_no_memory();
            }
        }, 3);
        d.check(visits.load(std::memory_order_relaxed) == 24, "B3: every index is visited once");
    });
}

void loop_that_is_stopped(desk& d) {
    cell& outer = d.next();
    auto h = d.send<1>(outer, d.waited(d.fragile(ends::cancelled)), for_handle(d.p()), [&d] {
        parallel_for(d.p(), 0, 1000, [](int, task_context& b) {
            while (!b.stop_requested()) std::this_thread::yield();
        }, 1);
    });
    if (h) h->cancel();
    d.wait(outer, h);
}

// A branch whose finalizer cannot be stored throws: the others run, and that is the task's exception.
void failing_branches(desk& d) {
    d.send<1>(d.next(), d.plan(ends::failed), into(d.p()), [&d](task_context&, cell& c) {
        std::atomic<int> ran{0};
        const auto good = [&](task_context& b) {
            ran.fetch_add(1, std::memory_order_relaxed);
            for (int i = 0; i < 8; ++i) defer_in_branch(b, c);
        };
        const auto bad = [&] {
            ran.fetch_add(1, std::memory_order_relaxed);
            throw failed_on_purpose();
        };
        const struct look {
            desk& d;
            std::atomic<int>& ran;
            ~look() { d.check(ran.load(std::memory_order_relaxed) == 4, "B1: every branch runs although others fail"); }
        } at_end{d, ran};
        parallel_invoke(d.p(), good, bad, good, bad);
    });
}

// From outside the call is a task of its own, without finalizers: accounted for here.
template <class Call>
void from_outside(desk& d, Call call) {
    cell& c = d.next();
    task_plan plan = d.waited();
    plan.attached = 0;
    c.submit(plan);
    try {
        call(c);
        return c.tell(ends::succeeded);
    } catch (const task_rejected& e) {
        d.check_refusal(e.code());
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
    }
    c.refuse();
    c.tell(ends::rejected);
}

void invoke_from_outside(desk& d) {
    from_outside(d, [&d](cell& c) {
        std::atomic<int> ran{0};
        const auto other = [&ran] { ran.fetch_add(1, std::memory_order_relaxed); };
        parallel_invoke(d.p(), [&c] {
            c.begin();
            c.end();
        }, other, other, other);
        d.check(ran.load(std::memory_order_relaxed) == 3, "B1: every branch has run when the call returns");
    });
}

void loop_from_outside(desk& d) {
    from_outside(d, [&d](cell& c) {
        std::atomic<int> visits{0};
        parallel_for(d.p(), 0, 24, [&](int i) {
            visits.fetch_add(1, std::memory_order_relaxed);
            if (i != 0) return;
            c.begin();
            c.end();
        }, 3);
        d.check(visits.load(std::memory_order_relaxed) == 24, "B3: every index is visited once");
    });
}

// Branches that wait for tasks, of which the last one is needed by another pool's: a worker in a branch is stood in for.
void waits_in_branches(desk& d) {
    cell& outer = d.next();
    d.wait(outer, d.send<1>(outer, d.waited(), for_handle(d.p()), [&d] {
        const auto branch = [&d] {
            cell& c = d.next();
            d.wait(c, d.send<1>(c, d.waited(), for_handle(d.p()), [] {}));
        };
        parallel_invoke(d.p(), branch, branch, branch);
    }));
}

constexpr situation all[] = {
    {"parallel_invoke in a task", &invoke_in_a_task},
    {"parallel_for in a task", &loop_in_a_task},
    {"a loop that is stopped", &loop_that_is_stopped},
    {"branches that fail", &failing_branches},
    {"parallel_invoke from outside", &invoke_from_outside},
    {"parallel_for from outside", &loop_from_outside},
    {"waits in branches", &waits_in_branches},
};

}   // namespace

std::span<const situation> branch_situations() noexcept { return all; }

}   // namespace lastly::stress::chaos
