// Handles: waited for from outside and from workers, polled, dropped, detached, cancelled before and while they run.
#include "stress/scenarios/scenarios.hpp"

#include <optional>
#include <utility>

namespace lastly::stress::scenarios {

namespace {

enum class use { wait, get, poll, cancel_then_wait, drop, from_a_worker, count };

task_plan plan_for(use u) {
    const auto stopped = static_cast<std::uint8_t>(ends::succeeded | ends::cancelled);
    return {.waiters = static_cast<std::uint8_t>(u == use::drop ? 0 : 1), .ends = u == use::cancel_then_wait ? stopped : ends::succeeded, .must_begin = u != use::cancel_then_wait};
}

void use_handle(cell& c, task_handle<std::uint64_t> h, use u, round& r) {
    switch (u) {
        case use::wait: h.wait(); break;
        case use::cancel_then_wait:
            static_cast<void>(h.cancel());
            h.wait();
            r.check(h.outcome().started() == h.outcome().succeeded(), "E1, C1: a task that is cancelled has not begun, or its body returned and it succeeded");
            break;
        case use::poll:
            while (!h.wait_for(std::chrono::microseconds(50))) {}
            break;
        case use::get: {
            // `get` gives the value and leaves the handle: what became of the task is known by then.
            r.check(h.get() == 7, "E1: a handle gives the value that the body returned");
            c.tell(ends::succeeded);
            return;
        }
        case use::drop: return h.detach();
        case use::from_a_worker:
        case use::count: return;
    }
    tell(c, h);
}

// A task that submits three and waits for the first: it lies beneath the others in the worker's queue, and is claimed there.
void wait_for_the_oldest(round& r, pool& p, cell& outer_cell) {
    const auto h = send<1>(outer_cell, plan_for(use::wait), for_handle(p), [&r, &p](task_context& t, cell& c) {
        defer(t, c);
        cell& oldest = r.next();
        const auto wanted = send<1>(oldest, plan_for(use::wait), for_handle(p), [](task_context& inner, cell& own) { defer(inner, own); });
        for (unsigned i = 0; i < 2; ++i) send<1>(r.next(), plan_for(use::drop), into(p), [] {});
        wanted->wait();
        tell(oldest, *wanted);
    });
    h->wait();
    tell(outer_cell, *h);
}

// A task that submits another and waits for it: on one worker it has to run it itself.
void nest(round& r, pool& p, cell& outer_cell, unsigned depth) {
    const auto h = send<1>(outer_cell, plan_for(use::wait), for_handle(p), [&r, &p, depth](task_context& t, cell& c) {
        defer(t, c);
        if (depth > 0) nest(r, p, r.next(), depth - 1);
    });
    h->wait();
    tell(outer_cell, *h);
}

}   // namespace

void handles(round& r) {
    pool p(r.options());
    const watch shown(p);
    on_threads(2, [&](unsigned thread) {
        random_numbers random = r.random(thread);
        std::uint64_t left = share_of(r.tasks(), thread, 2);
        while (left >= 4) {
            const auto u = static_cast<use>(random.below(static_cast<std::uint64_t>(use::count)));
            if (u == use::from_a_worker) {
                if (random.one_in(2)) nest(r, p, r.next(), 3);
                else wait_for_the_oldest(r, p, r.next());
                left -= 4;
                continue;
            }
            cell& c = r.next();
            auto h = send<2>(c, plan_for(u), for_handle(p), [](task_context& t, cell& own) -> std::uint64_t {
                defer(t, own);
                return 7;
            });
            use_handle(c, std::move(*h), u, r);
            --left;
        }
    });
    r.close(p);
}

}   // namespace lastly::stress::scenarios
