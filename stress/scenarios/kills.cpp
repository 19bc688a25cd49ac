// The process ends where nothing in it can run: SIGKILL at a random moment, SIGTERM without a guard, _Exit, exec, abort and a fatal signal in a body, with
// tasks running and queued. Then the witness shows what has happened so far, each of it once and in order, and nothing more; on_crash callables run
// once where they can. Rule P7.
#include "stress/scenarios/process.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>

#include <unistd.h>

namespace lastly::stress::scenarios {

namespace {

enum class way { killed, terminated, leaves_at_once, execs, aborts, faults, throws, count };
constexpr unsigned at_once = 3, tasks_left = 16;   // at the moment
constexpr int status = 4;
constexpr task_plan may_be_cut{.ends = ends::succeeded, .unbooked = true, .cut = true};   // nothing is cancelled, or failed, for that

struct ending {
    round& r;
    way how;
    unsigned tasks;
    unsigned moment;                    // how many bodies have begun when the process ends
    std::atomic<unsigned>& callables;   // how many were called
    std::atomic<unsigned>& begun;
};

[[noreturn]] void end_badly(way how) {
    switch (how) {
        case way::terminated: ::kill(::getpid(), SIGTERM); break;   // no guard is there
        case way::leaves_at_once: std::_Exit(status);
        case way::execs: ::execl("/bin/true", "true", static_cast<char*>(nullptr)); break;
        case way::aborts: std::abort();
        case way::faults: ::raise(SIGSEGV); break;
        default: break;
    }
    stay();
}

[[noreturn]] void live(const ending& e) {
    static std::atomic<unsigned>* called = nullptr;
    called = &e.callables;
    for (const int s : {SIGABRT, SIGSEGV, SIGTERM}) std::signal(s, SIG_DFL);   // a sanitizer's own would report it, a shell may have had it ignored
    std::set_terminate([] { std::abort(); });   // as ever, but without a word
    for (int i = 0; i < 3; ++i) e.r.check(on_crash([](void* to) { static_cast<std::atomic<unsigned>*>(to)->fetch_add(1, std::memory_order_relaxed); }, called), "P7: there is room for a callable");
    pool p(e.r.options());
    for (unsigned i = 0; i < e.tasks; ++i) {
        send<3>(e.r.next(), may_be_cut, into(p), [&e](task_context& t, cell& c) {
            defer(t, c);
            defer(t, c);
            const unsigned before = e.begun.fetch_add(1, std::memory_order_relaxed);
            if (before < e.moment) return;
            if (before == e.moment && e.how == way::throws) std::thread([] { throw thrown_by_body(); }).join();
            if (before == e.moment && e.how != way::killed) end_badly(e.how);
            stay();   // so that tasks are left when the signal comes
        });
    }
    stay();
}

int expected(way how) {
    switch (how) {
        case way::killed: return process::by_signal + SIGKILL;
        case way::terminated: return process::by_signal + SIGTERM;
        case way::leaves_at_once: return status;
        case way::execs: return 0;
        case way::faults: return process::by_signal + SIGSEGV;
        default: return process::by_signal + SIGABRT;
    }
}

}   // namespace

void kills(round& r) {
    struct victim {
        process itself;
        way how;
        unsigned moment;
        bool is_sent = false;
    };
    random_numbers random = r.random();
    shared_counts called, begun;
    for (std::uint64_t left = r.tasks(), number = r.index(); left > 0;) {
        std::vector<victim> together;
        for (unsigned i = 0; i < at_once; ++i, ++number) {
            const auto how = static_cast<way>(number % static_cast<unsigned>(way::count));
            called[i].store(0, std::memory_order_relaxed);
            begun[i].store(0, std::memory_order_relaxed);
            const auto tasks = static_cast<unsigned>(32 + random.below(96));
            const auto moment = static_cast<unsigned>(random.below(tasks - tasks_left));
            const ending e{r, how, tasks, moment, called[i], begun[i]};
            together.push_back({process(r, [&e] { live(e); }), how, moment});
            r.count_one(static_cast<unsigned>(how));
            left -= std::min<std::uint64_t>(left, tasks);
        }
        for (unsigned waiting = at_once; waiting > 0; std::this_thread::yield()) {
            waiting = 0;
            for (unsigned i = 0; i < at_once; ++i) {
                victim& v = together[i];
                if (v.how != way::killed || v.is_sent) continue;
                v.is_sent = begun[i].load(std::memory_order_relaxed) >= v.moment;
                if (v.is_sent) v.itself.send(SIGKILL);
                else ++waiting;
            }
        }
        for (unsigned i = 0; i < at_once; ++i) {
            victim& v = together[i];
            r.check(v.itself.wait() == expected(v.how), "P7: the process ends in the way that was asked for");
            const bool crashed = v.how == way::aborts || v.how == way::faults || v.how == way::throws;
            r.check(called[i].load(std::memory_order_relaxed) == (crashed ? 3 : 0), "P7: each callable of on_crash runs once at a crash, and never otherwise");
        }
    }
}

}   // namespace lastly::stress::scenarios
