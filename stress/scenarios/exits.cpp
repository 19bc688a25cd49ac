// The process ends: exit from outside and from inside bodies, finalizers and branches, one and several at once, quick_exit; with pools that are
// static, leaked, the default one, or just being destroyed, while another thread submits. Each in a process of its own, three at a time. Rules P1 to P3, B4.
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
    bool is_static;            // the pool from which exit is called

    [[noreturn]] void exit_now() const {
        std::this_thread::sleep_for(std::chrono::microseconds(nap_us));
        if (how == way::quickly || how == way::quickly_in_a_body) std::quick_exit(status);
        std::exit(status);
    }
    // A worker is left for an inner task, or for branches.
    bool leaves_one_free() const noexcept { return how == way::above_another || how == way::in_a_branch; }
    bool is_inside() const noexcept { return (how >= way::in_a_body && how <= way::two_at_once) || how == way::quickly_in_a_body; }
};

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
                c.come_back();   // it ran on another worker, whose exit stops this one next
                while (!t.stop_requested()) std::this_thread::yield();
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

// Submits until the process has ended all pools: what was accepted ends like everything else, and the rest is refused.
class submitter {
public:
    // Before the first pool: what is registered then runs after the library's own.
    submitter() {
        std::atexit(&end);
        std::at_quick_exit(&end);
    }
    void start(const ending& e, pool& p) {
        if (e.is_static || e.how == way::two_at_once) return;   // exit destroys that pool; a second exit does not wait for what the first one does last
        static constexpr unsigned most = 16;
        thread = std::thread([&e, &p] {
            task_plan plan = waits_in_vain;
            plan.ends = ends::cancelled | ends::rejected;
            if (e.leaves_one_free()) plan = {.unbooked = true};
            for (unsigned i = 0; i < most && !is_over; ++i) {
                queue(e.r, p, 1, plan, names_exit(e.r));
                std::this_thread::sleep_for(std::chrono::microseconds(20));
            }
        });
    }

private:
    static void end() noexcept {
        is_over = true;
        if (thread.joinable()) thread.join();
    }
    static inline std::thread& thread = *new std::thread;   // outlives static objects
    static inline std::atomic<bool> is_over{false};
};

[[noreturn]] void end_from_inside(const ending& e, pool& p, submitter& other) {
    const unsigned exiting = e.how == way::two_at_once ? std::min(2u, p.workers()) : 1;
    auto& begun = *new std::latch(exiting);
    auto& go = *new std::latch(1);
    for (unsigned i = 0; i < exiting; ++i) send_exiting(e, p, begun, go);
    const bool one_is_free = e.leaves_one_free() && p.workers() > 1;
    begun.wait();
    occupy(e.r, p, p.workers() - exiting - (one_is_free ? 1 : 0));
    queue(e.r, p, e.queued, e.leaves_one_free() ? task_plan{.ends = ends::succeeded | ends::cancelled, .unbooked = true} : waits_in_vain, names_exit(e.r));
    other.start(e, p);
    go.count_down();
    if (e.how == way::two_at_once && exiting == 1) e.exit_now();
    stay();
}

void fill(const ending& e, pool& p) {
    occupy(e.r, p, p.workers());
    queue(e.r, p, e.queued, waits_in_vain, names_exit(e.r));
}

pool& static_pool(const pool_options& o) {
    static pool kept(o);
    return kept;
}

// The life of one process. Pools on the stack are never destroyed: its thread exits, or stays.
[[noreturn]] void live(const ending& e) {
    submitter other;
    pool_options o = e.r.options();
    o.guard_quick_exit = true;
    if (e.unlimited) o.exit_budget = std::chrono::nanoseconds::max();   // nothing is rescued when the time is over
    if (e.how == way::while_one_is_destroyed) {
        auto* const leaked = new pool(o);
        occupy(e.r, *leaked, leaked->workers());
        queue(e.r, *leaked, e.queued, waits_in_vain);   // stopped by what comes first
        std::thread([leaked] { delete leaked; }).detach();
        e.exit_now();
    }
    pool& p = e.is_static ? static_pool(o) : *new pool(o);
    if (e.how == way::with_the_default_pool) fill(e, default_pool());
    if (e.how == way::with_a_static_pool) fill(e, e.is_static ? *new pool(o) : static_pool(o));
    if (e.is_inside()) {
        pool outer(o);
        fill(e, outer);
        end_from_inside(e, p, other);
    }
    fill(e, p);
    other.start(e, p);
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
            const ending e{r, static_cast<way>(number % static_cast<unsigned>(way::count)), static_cast<unsigned>(4 + random.below(28)), static_cast<unsigned>(random.below(300)), random.one_in(2), random.one_in(3)};
            together.emplace_back(r, [&e] { live(e); });
            r.count_one(static_cast<unsigned>(e.how));
            left -= std::min<std::uint64_t>(left, 2 * (e.queued + r.workers()));
        }
        for (process& p : together) r.check(p.wait() == status, "P1: a process that calls exit ends, within its budget and with the status that it gave");
    }
}

}   // namespace lastly::stress::scenarios
