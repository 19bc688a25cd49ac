// A signal ends the process through a signal_guard: the first one cancels or drains the pool, a second one cancels what is drained, a third ends the
// process at once; other pools end as at exit, and the signal is raised again, unless the program asked to go on. Each in a process of its own, three at
// a time. Rule P5.
#include "stress/scenarios/process.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>

#include <unistd.h>

namespace lastly::stress::scenarios {

namespace {

enum class way { cancels, drains, second_signal, third_signal, goes_on, count };
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
    return names_cause(e.r, std::error_code(e.signal, signal_category()), "P5: the cause of what a signal stops names that signal");
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

void wait_for_close(pool& p) {
    while (accepts(p)) std::this_thread::yield();
}

// On the way that each takes, until its signal has come as often as that wants.
void be_signalled(const ending& e, pool& p) {
    const auto raise_it = [&e] { ::kill(::getpid(), e.signal); };
    static std::atomic<bool> go{false};
    switch (e.how) {
        case way::drains: {
            constexpr task_plan drained{.ends = ends::succeeded, .must_begin = true, .unbooked = true};
            occupy_until(e.r, p, p.workers(), go, drained);
            queue(e.r, p, e.queued, drained);
            raise_it();
            wait_for_close(p);
            go = true;
            return;
        }
        case way::third_signal: {
            constexpr task_plan cut{.ends = ends::cancelled, .unbooked = true, .cut = true};
            occupy_until(e.r, p, p.workers(), go, cut);   // which never comes
            queue(e.r, p, e.queued, cut, names_the_signal(e));
            ::raise(e.signal);   // to this thread, lest two at once are one
            wait_for_close(p);
            ::raise(e.signal);
            ::raise(e.signal);
            return;
        }
        default:
            occupy(e.r, p, p.workers(), names_the_signal(e));
            queue(e.r, p, e.queued, waits_in_vain, names_the_signal(e));
            raise_it();
            if (e.how != way::second_signal) return;
            wait_for_close(p);
            raise_it();
    }
}

[[noreturn]] void live(const ending& e) {
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);   // a shell may have had it ignored
    pool_options o = e.r.options();
    pool guarded(o), other(o);
    signal_options s;
    s.first = e.how == way::cancels || e.how == way::goes_on ? on_destroy::cancel : on_destroy::drain;
    s.raise_again = e.how != way::goes_on;
    std::optional<signal_guard> guard(std::in_place, guarded, s);
    if (s.raise_again && e.how != way::third_signal) {
        occupy(e.r, other, other.workers(), names_exit(e.r));
        queue(e.r, other, e.queued, waits_in_vain, names_exit(e.r));
    }
    be_signalled(e, guarded);
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
            r.count_one(static_cast<unsigned>(e.how));
            left -= std::min<std::uint64_t>(left, 2 * (e.queued + r.workers()));
        }
        for (auto& [process, expected] : together) r.check(process.wait() == expected, "P5: a guarded process ends by the signal that came, or goes on if it asked for that");
    }
}

}   // namespace lastly::stress::scenarios
