// The process ends where nothing in it can run: SIGKILL at a random moment, _Exit, abort and a fatal signal in a body. Then the witness shows what
// has happened so far, each of it once and in order, and nothing more; on_crash callables run once where they can. Rule P7.
#include "stress/scenarios/process.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>

#include <unistd.h>

namespace lastly::stress::scenarios {

namespace {

enum class way { killed, leaves_at_once, aborts, faults, throws, count };
constexpr unsigned at_once = 3;
constexpr int status = 4;
constexpr task_plan may_be_cut{.unbooked = true, .cut = true};

struct ending {
    round& r;
    way how;
    unsigned tasks;
    std::atomic<unsigned>& callables;   // how many were called
};

[[noreturn]] void end_badly(way how) {
    switch (how) {
        case way::leaves_at_once: std::_Exit(status);
        case way::aborts: std::abort();
        case way::faults: ::raise(SIGSEGV); break;
        default: break;
    }
    stay();
}

[[noreturn]] void live(const ending& e) {
    static std::atomic<unsigned>* called = nullptr;
    called = &e.callables;
    for (const int s : {SIGABRT, SIGSEGV}) std::signal(s, SIG_DFL);   // a sanitizer's own would report it
    std::set_terminate([] { std::abort(); });   // as ever, but without a word
    for (int i = 0; i < 3; ++i) e.r.check(on_crash([](void* to) { static_cast<std::atomic<unsigned>*>(to)->fetch_add(1, std::memory_order_relaxed); }, called), "P7: there is room for a callable");
    pool p(e.r.options());
    for (unsigned i = 0; i < e.tasks; ++i) {
        const bool last = i == e.tasks / 2;
        send<3>(e.r.next(), may_be_cut, into(p), [&e, last](task_context& t, cell& c) {
            defer(t, c);
            defer(t, c);
            if (last && e.how == way::throws) std::thread([] { throw thrown_by_body(); }).join();
            if (last && e.how != way::killed) end_badly(e.how);
        });
    }
    stay();
}

int expected(way how) {
    switch (how) {
        case way::killed: return process::by_signal + SIGKILL;
        case way::leaves_at_once: return status;
        case way::faults: return process::by_signal + SIGSEGV;
        default: return process::by_signal + SIGABRT;
    }
}

}   // namespace

void kills(round& r) {
    random_numbers random = r.random();
    shared_counts called;
    for (std::uint64_t left = r.tasks(), number = r.index(); left > 0;) {
        std::vector<std::pair<process, way>> together;
        for (unsigned i = 0; i < at_once; ++i, ++number) {
            const auto how = static_cast<way>(number % static_cast<unsigned>(way::count));
            called[i].store(0, std::memory_order_relaxed);
            const ending e{r, how, static_cast<unsigned>(32 + random.below(96)), called[i]};
            together.emplace_back(process(r, [&e] { live(e); }), how);
            r.count_one();
            left -= std::min<std::uint64_t>(left, e.tasks);
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random.below(4000)));
        for (unsigned i = 0; i < together.size(); ++i) {
            auto& [process, how] = together[i];
            if (how == way::killed) process.send(SIGKILL);
            r.check(process.wait() == expected(how), "P7: the process ends in the way that was asked for");
            const bool crashed = how == way::aborts || how == way::faults || how == way::throws;
            r.check(called[i].load(std::memory_order_relaxed) == (crashed ? 3 : 0), "P7: each callable of on_crash runs once at a crash, and never otherwise");
        }
    }
}

}   // namespace lastly::stress::scenarios
