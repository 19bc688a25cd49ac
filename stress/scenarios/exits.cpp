// The process ends: exit from outside and from inside bodies, finalizers and branches, one and several at once, quick_exit; with pools that are
// static, leaked, the default one, or just being destroyed. Each in a process of its own, three at a time. Rules P1 to P3, B4.
#include "stress/scenarios/process.hpp"

#include <algorithm>
#include <cstdlib>
#include <latch>

namespace lastly::stress::scenarios {

namespace {

enum class way {
    from_outside, on_another_thread, in_a_body, above_another, in_a_deferred, in_an_attached, in_a_branch, two_at_once, quickly, quickly_in_a_body,
    while_one_is_destroyed, with_a_static_pool, with_the_default_pool, count
};
constexpr unsigned status = 7, at_once = 3;

// What one process is told.
struct ending {
    round& r;
    way how;
    unsigned queued, nap_us;   // tasks in each queue; how long the exit waits for others to move on
    bool unlimited;            // the pools' budgets: who loses a wake then hangs

    [[noreturn]] void exit_now() const {
        std::this_thread::sleep_for(std::chrono::microseconds(nap_us));
        if (how == way::quickly || how == way::quickly_in_a_body) std::quick_exit(status);
        std::exit(status);
    }
    bool is_inside() const noexcept { return (how >= way::in_a_body && how <= way::two_at_once) || how == way::quickly_in_a_body; }
};

// Registers what a branch defers: it runs at the branch's end, which no other place knows.
void defer_in_branch(cell& c) {
    c.add(event::registered);
    this_task::defer([capture = canary(c)] { capture.task().add(event::deferred); });
}

// The task that ends the process, once `go` says that everything else is there.
void send_exiting(const ending& e, pool& p, std::latch& begun, std::latch& go) {
    static constexpr task_plan cancelled{.ends = ends::cancelled, .must_begin = true, .unbooked = true};
    static constexpr task_plan succeeded{.ends = ends::succeeded, .must_begin = true, .unbooked = true};
    cell& own = e.r.next();
    const auto wait = [&] {
        begun.count_down();
        go.wait();
    };
    switch (e.how) {
        case way::in_a_deferred:
            send<2>(own, succeeded, into(p), [&e, wait](task_context& t, cell& c) {
                defer(t, c);
                defer(t, c, [&e, &c] {
                    c.leave_finalizer_for_good();
                    e.exit_now();
                });
                defer(t, c);
                wait();
            });
            return;
        case way::in_an_attached:
            send<3>(own, succeeded, into(p), [wait](task_context& t, cell& c) {
                defer(t, c);
                wait();
            }, [&e, &own, left = e.r.random(1).below(3)](const outcome&) {
                if (own.attached_left != left) return;
                own.leave_finalizer_for_good();
                e.exit_now();
            });
            return;
        case way::in_a_branch:
            send<2>(own, cancelled, into(p), [&e, &p, wait](task_context& t, cell& c) {
                defer(t, c);
                wait();
                const auto other = [&c] { defer_in_branch(c); };
                parallel_invoke(p, other, other, [&] {
                    defer_in_branch(c);
                    c.leave_for_good();
                    e.exit_now();
                }, other);
            });
            return;
        case way::above_another:
            send<2>(own, cancelled, into(p), [&e, &p, wait](task_context& t, cell& c) {
                defer(t, c);
                auto inner = send<1>(e.r.next(), cancelled, for_handle(p), [&e, wait](task_context& in, cell& on_top) {
                    defer(in, on_top);
                    wait();
                    on_top.leave_for_good();
                    e.exit_now();
                });
                c.leave_for_good();
                inner->wait();
                c.come_back();   // it ran on another worker
                t.throw_if_stopped();
            });
            return;
        default:
            send<3>(own, cancelled, into(p), [&e, wait](task_context& t, cell& c) {
                defer(t, c);
                defer_frame block(t);
                wait();
                c.leave_for_good();
                e.exit_now();
            });
    }
}

[[noreturn]] void end_from_inside(const ending& e, pool& p) {
    const unsigned exiting = e.how == way::two_at_once ? std::min(2u, p.workers()) : 1;
    auto& begun = *new std::latch(exiting);
    auto& go = *new std::latch(1);
    for (unsigned i = 0; i < exiting; ++i) send_exiting(e, p, begun, go);
    const bool one_is_free = (e.how == way::above_another || e.how == way::in_a_branch) && p.workers() > 1;   // for the inner one, or the branches
    begun.wait();
    occupy(e.r, p, p.workers() - exiting - (one_is_free ? 1 : 0));
    queue(e.r, p, e.queued, e.how == way::above_another || e.how == way::in_a_branch ? task_plan{.ends = ends::succeeded | ends::cancelled, .unbooked = true} : waits_in_vain);
    go.count_down();
    stay();
}

// The life of one process. Pools on the stack are never destroyed: its thread exits, or stays.
[[noreturn]] void live(const ending& e) {
    pool_options o = e.r.options();
    o.guard_quick_exit = true;
    if (e.unlimited) o.exit_budget = std::chrono::nanoseconds::max();   // nothing is rescued when the time is over
    auto* const leaked = new pool(o);
    if (e.how == way::with_the_default_pool) {
        occupy(e.r, default_pool(), default_pool().workers());
        queue(e.r, default_pool(), e.queued, waits_in_vain);
    }
    if (e.how == way::with_a_static_pool) {
        static pool kept(o);
        occupy(e.r, kept, kept.workers());
        queue(e.r, kept, e.queued, waits_in_vain);
    }
    if (e.is_inside()) {
        pool outer(o);
        occupy(e.r, outer, outer.workers());
        queue(e.r, outer, e.queued, waits_in_vain);
        end_from_inside(e, *leaked);
    }
    occupy(e.r, *leaked, leaked->workers());
    queue(e.r, *leaked, e.queued, waits_in_vain);
    if (e.how == way::while_one_is_destroyed) {
        std::thread([leaked] { delete leaked; }).detach();
    }
    if (e.how == way::on_another_thread) {
        std::thread([&e] { e.exit_now(); }).detach();
        stay();
    }
    e.exit_now();
}

}   // namespace

void exits(round& r) {
    random_numbers random = r.random();
    for (std::uint64_t left = r.tasks(), number = r.index(); left > 0;) {
        std::vector<process> together;
        for (unsigned i = 0; i < at_once && left > 0; ++i, ++number) {
            const ending e{r, static_cast<way>(number % static_cast<unsigned>(way::count)), static_cast<unsigned>(4 + random.below(28)), static_cast<unsigned>(random.below(300)), random.one_in(2)};
            together.emplace_back(r, [&e] { live(e); });
            r.count_one();
            left -= std::min<std::uint64_t>(left, 2 * (e.queued + r.workers()));
        }
        for (process& p : together) r.check(p.wait() == status, "P1: a process that calls exit ends, within its budget and with the status that it gave");
    }
}

}   // namespace lastly::stress::scenarios
