// A signal ends the process through a signal_guard: the first one cancels or drains the pool, a second one cancels what is drained, other pools
// end as at exit, and the signal is raised again, unless the program asked to go on. Each in a process of its own, three at a time. Rule P5.
#include "stress/scenarios/process.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>

#include <unistd.h>

namespace lastly::stress::scenarios {

namespace {

enum class way { cancels, drains, second_signal, goes_on, count };
constexpr unsigned at_once = 3;
constexpr int status = 5;

struct ending {
    round& r;
    way how;
    int signal;
    unsigned queued;
};

// What a finalizer is shown of tasks that the signal stopped.
auto names_the_signal(const ending& e) {
    return [&r = e.r, expected = std::error_code(e.signal, signal_category())](const outcome& o) {
        r.check(!o.cancelled() || o.cause() == expected, "P5: the cause of what a signal stops names that signal");
    };
}

void occupy_until_signal(const ending& e, pool& p) {
    auto& running = *new std::atomic<unsigned>(0);
    for (unsigned i = 0; i < p.workers(); ++i) {
        send<2>(e.r.next(), {.ends = ends::cancelled, .must_begin = true, .unbooked = true}, into(p), [&running](task_context& t, cell& c) {
            defer(t, c);
            running.fetch_add(1, std::memory_order_relaxed);
            while (!t.stop_requested()) std::this_thread::yield();
            t.throw_if_stopped();
        }, names_the_signal(e));
    }
    while (running.load(std::memory_order_relaxed) < p.workers()) std::this_thread::yield();
}

// Asks with a task that is nobody's.
bool accepts(pool& p) {
    try {
        p.detach([] {});
        return true;
    } catch (const task_rejected&) {
        return false;
    }
}

void raise_it(const ending& e) { ::kill(::getpid(), e.signal); }

[[noreturn]] void live(const ending& e) {
    pool_options o = e.r.options();
    pool guarded(o), other(o);
    signal_options s;
    s.first = e.how == way::drains || e.how == way::second_signal ? on_destroy::drain : on_destroy::cancel;
    s.raise_again = e.how != way::goes_on;
    std::optional<signal_guard> guard(std::in_place, guarded, s);
    if (s.raise_again) {
        occupy(e.r, other, other.workers());
        queue(e.r, other, e.queued, waits_in_vain);
    }
    if (e.how == way::drains) {
        queue(e.r, guarded, e.queued, {.ends = ends::succeeded, .must_begin = true, .unbooked = true});
    } else {
        occupy_until_signal(e, guarded);
        for (unsigned i = 0; i < e.queued; ++i) {
            send<2>(e.r.next(), waits_in_vain, into(guarded), [](task_context& t, cell& c) { defer(t, c); }, names_the_signal(e));
        }
    }
    raise_it(e);
    if (e.how == way::second_signal) {
        while (accepts(guarded)) std::this_thread::yield();   // until the first one has come
        raise_it(e);
    }
    if (s.raise_again) stay();
    static_cast<void>(guarded.shutdown());
    guard.reset();
    queue(e.r, other, e.queued, {.ends = ends::succeeded, .must_begin = true});
    e.r.close(other);
    std::_Exit(status);
}

}   // namespace

void signals(round& r) {
    random_numbers random = r.random();
    for (std::uint64_t left = r.tasks(), number = r.index(); left > 0;) {
        std::vector<std::pair<process, int>> together;
        for (unsigned i = 0; i < at_once && left > 0; ++i, ++number) {
            const ending e{r, static_cast<way>(number % static_cast<unsigned>(way::count)), random.one_in(2) ? SIGTERM : SIGINT, static_cast<unsigned>(4 + random.below(28))};
            together.emplace_back(process(r, [&e] { live(e); }), e.how == way::goes_on ? status : process::by_signal + e.signal);
            r.count_one();
            left -= std::min<std::uint64_t>(left, 2 * (e.queued + r.workers()));
        }
        for (auto& [process, expected] : together) r.check(process.wait() == expected, "P5: a guarded process ends by the signal that came, or goes on if it asked for that");
    }
}

}   // namespace lastly::stress::scenarios
