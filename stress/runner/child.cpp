// See child.hpp.
#include "stress/runner/child.hpp"

#include "core/base/test_point.hpp"
#include "stress/witness/arena.hpp"
#include "stress/witness/watched.hpp"

#include <lastly/detail/fault.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <system_error>
#include <thread>

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace lastly::stress::detail {

namespace {

bool say(int socket, char word) { return ::write(socket, &word, 1) == 1; }
bool hear(int socket, char wanted) {
    char word = 0;
    return ::read(socket, &word, 1) == 1 && word == wanted;
}

// While it lives, this thread, and threads that it makes, have one CPU.
class on_one_cpu {
public:
    explicit on_one_cpu(bool really) {
        if (::sched_getaffinity(0, sizeof before_, &before_) != 0) return;   // more CPUs than fit: all of them then
        const int here = ::sched_getcpu();
        if (!really || here < 0) return;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<unsigned>(here), &one);
        is_set_ = ::sched_setaffinity(0, sizeof one, &one) == 0;
    }
    ~on_one_cpu() {
        if (is_set_) ::sched_setaffinity(0, sizeof before_, &before_);
    }
    on_one_cpu(const on_one_cpu&) = delete;
    on_one_cpu& operator=(const on_one_cpu&) = delete;

private:
    cpu_set_t before_{};
    bool is_set_ = false;
};

void run_round(const scenario& s, arena& memory) {
    lastly::detail::set_chaos(memory.header().chaos);
    const on_one_cpu narrowed(memory.header().one_cpu);
    round r(memory.header(), memory.cells());
    try {
        s.run(r);
    } catch (const std::system_error& e) {
        if (e.code() == std::errc::not_supported) memory.header().is_unsupported.store(true, std::memory_order_relaxed);
        r.check(false, e.what());
    } catch (const std::exception& e) {
        char rule[300];
        std::snprintf(rule, sizeof rule, "the scenario: it was left by an exception: %s", e.what());
        r.check(false, rule);
    } catch (...) {
        r.check(false, "the scenario: it was left by an exception that is no std::exception");
    }
    memory.header().held_up.store(lastly::detail::held_up(), std::memory_order_relaxed);
}

}   // namespace

int run_child(const char* told, std::span<const scenario> scenarios) {
    int judge = 0, file = -1, socket = -1, questions = -1;
    char name[128]{};
    if (std::sscanf(told, "%d %d %d %d %127s", &judge, &file, &socket, &questions, name) != 5) {
        std::fprintf(stderr, "lastly-stress: %s is set, and not by this program: \"%s\"; unset it\n", child_variable, told);
        return 2;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);   // nobody judges it any more
    if (::getppid() != judge) return 2;   // already
    const scenario* wanted = nullptr;
    for (const scenario& s : scenarios) {
        if (std::string_view(s.name) == name) wanted = &s;
    }
    if (wanted == nullptr) return 2;
    if (const char* const fault = std::getenv("LASTLY_FAULT")) lastly::detail::activate_fault(fault);   // run_suite has seen that there are faults
    arena memory = arena::open(file);
    std::thread answers;
    if (!wanted->forks) {
        answers = std::thread([questions] {
            while (hear(questions, words::question)) show_watched_pools();
        });
        static_cast<void>(with_timeout(context::background(), std::chrono::hours(1)));   // the process's timer thread, which stays, counts as there before
    }
    bool goes_on = say(socket, words::ready);
    while (goes_on && hear(socket, words::run)) {
        run_round(*wanted, memory);
        goes_on = say(socket, words::done);
    }
    if (answers.joinable()) answers.join();   // the judge has closed both
    return 0;
}

}   // namespace lastly::stress::detail
