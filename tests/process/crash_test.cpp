// Callables at abort and at faults, in processes of their own. Rule P7.
#include "core/process/crash.hpp"
#include "lastly/signal_guard.hpp"
#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace support;

namespace {

constexpr int queued = 100;

struct witness : diary {
    std::atomic<int> user{0}, finalizers{0}, queued{0}, refused{0}, parent{0}, child{0};
    std::atomic<bool> go{false}, second_comes{false};
};

witness* judged = nullptr;

// A callable that says this character.
template <char C>
bool add(witness& w) {
    return lastly::on_crash([](void* to) { static_cast<witness*>(to)->say(C); }, &w);
}

void add_two(witness& w) {
    judged = &w;
    if (!add<'1'>(w) || !add<'2'>(w)) std::_Exit(99);
}

void aborted(witness& w, const part_arguments&) {
    add_two(w);
    std::abort();
}

// A body on the only worker, and tasks behind it.
void terminated(witness& w, const part_arguments&) {
    add_two(w);
    auto* const pool = new lastly::pool(options(1));
    pool->detach([&w] {
        await([&w] { return w.go.load(); });
        std::thread([] { throw 1; }).join();
    }, lastly::finally([&w] { ++w.finalizers; }));
    for (int i = 0; i < queued; ++i) {
        pool->detach([] {}, lastly::finally([&w] { ++w.finalizers; }));
        ++w.queued;
    }
    w.go = true;
    for (;;) ::pause();
}

// `special`: the signal that the thread sends itself; 0: a fault of its own.
void faulted(witness& w, const part_arguments& a) {
    add_two(w);
    if (a.special == 0) {
        void* const page = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *static_cast<volatile char*>(page) = 1;
    }
    std::raise(static_cast<int>(a.special));
    std::_Exit(98);
}

void with_a_handler(witness& w, const part_arguments&) {
    std::signal(SIGABRT, [](int) { ++judged->user; });
    add_two(w);
    std::abort();
}

void crashes_while_crashing(witness& w, const part_arguments&) {
    if (!add<'1'>(w) || !lastly::on_crash([](void*) { std::abort(); }, nullptr) || !add<'3'>(w)) std::_Exit(99);
    std::raise(SIGSEGV);
}

// The second thread crashes while the first one's callables run.
void two_at_once(witness& w, const part_arguments&) {
    const bool is_added = lastly::on_crash([](void* to) {
        auto& seen = *static_cast<witness*>(to);
        seen.say('1');
        seen.go = true;
        await([&seen] { return seen.second_comes.load(); });
        for (int i = 0; i < 1000; ++i) std::this_thread::yield();   // most likely it is in its handler by now
    }, &w);
    if (!is_added || !add<'2'>(w) || !add<'3'>(w)) std::_Exit(99);
    std::thread([&w] {
        await([&w] { return w.go.load(); });
        w.second_comes = true;
        std::raise(SIGBUS);
        w.say('!');   // not while the process lives
    }).detach();
    std::raise(SIGSEGV);
    std::_Exit(98);
}

void full(witness& w, const part_arguments&) {
    for (int i = 0; i < 40; ++i) w.refused += add<'1'>(w) ? 0 : 1;
    std::abort();
}

// It adds one of its own.
void in_a_child(witness& w, const part_arguments&) {
    add_two(w);
    const pid_t child = fork_bounded();
    if (child == 0) {
        if (!add<'3'>(w)) std::_Exit(99);
        std::abort();
    }
    int status = 0;
    if (::waitpid(child, &status, 0) == child && WIFSIGNALED(status)) w.child = WTERMSIG(status);
}

// This thread forks while another one of the parent's is within the callables, and stays there until the child has ended.
void forked_meanwhile(witness& w, const part_arguments&) {
    w.parent = ::getpid();
    const bool is_added = lastly::on_crash([](void* to) {
        auto& seen = *static_cast<witness*>(to);
        const bool in_child = ::getpid() != seen.parent;
        seen.say(in_child ? 'c' : 'p');
        seen.go = true;
        await([&seen, in_child] { return in_child || seen.child != 0; });
    }, &w);
    if (!is_added || !add<'2'>(w)) std::_Exit(99);
    std::thread([] { std::raise(SIGBUS); }).detach();
    await([&w] { return w.go.load(); });
    const pid_t child = fork_bounded();
    if (child == 0) std::abort();
    int status = 0;
    w.child = ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? WTERMSIG(status) : -1;
    for (;;) ::pause();
}

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"aborted", &aborted}, {"terminated", &terminated}, {"faulted", &faulted}, {"with_a_handler", &with_a_handler}, {"crashes_while_crashing", &crashes_while_crashing},
             {"two_at_once", &two_at_once}, {"full", &full}, {"in_a_child", &in_a_child}, {"forked_meanwhile", &forked_meanwhile}};

class ended : public shared_process<witness> {
public:
    explicit ended(const char* part, part_arguments a = {}) : shared_process("crash: the process that the cases below judge", part, a) {}
};

}   // namespace

TEST_CASE("crash: the process that the cases below judge" * doctest::skip()) { shared_process<witness>::run_part(parts); }

TEST_CASE("P7: callables run once at abort, and the process ends by the signal") {
    const ended process("aborted");
    CHECK(process.exit_code() == -1 - SIGABRT);
    CHECK(process->said() == "12");   // as they were registered
}

TEST_CASE("P7: at an uncaught exception they run, and finalizers do not") {
    const ended process("terminated");
    CHECK(process.exit_code() == -1 - SIGABRT);
    CHECK(process->said() == "12");
    CHECK(process->queued == queued);
    CHECK(process->finalizers == 0);
}

TEST_CASE("P7: at a fatal signal they run, and what was installed before goes on") {
    for (const int signal : {0, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
        CAPTURE(signal);
        const ended fault("faulted", {1, static_cast<unsigned>(signal)});
        CHECK(fault.exit_code() == -1 - (signal != 0 ? signal : SIGSEGV));
        CHECK(fault->said() == "12");
    }

    const ended handled("with_a_handler");
    CHECK(handled.exit_code() == -1 - SIGABRT);
    CHECK(handled->said() == "12");
    CHECK(handled->user == 1);
}

TEST_CASE("P7: a callable that crashes ends the process, and none runs twice") {
    const ended process("crashes_while_crashing");
    CHECK(process.exit_code() == -1 - SIGABRT);
    CHECK(process->said() == "1");
}

TEST_CASE("P7: of two threads that crash at once the first has the callables run and its signal end the process") {
    const ended process("two_at_once");
    CHECK(process.exit_code() == -1 - SIGSEGV);
    CHECK(process->said() == "123");
}

TEST_CASE("P7: there is room for 32 callables, and one too many is refused") {
    const ended process("full");
    CHECK(process.exit_code() == -1 - SIGABRT);
    CHECK(process->refused == 8);
    CHECK(process->said() == std::string(32, '1'));
}

TEST_CASE("P7: a forked child keeps the callables and may add to them; its parent's do not run") {
    const ended process("in_a_child");
    CHECK(process.exit_code() == 0);
    CHECK(process->child == SIGABRT);
    CHECK(process->said() == "123");
}

TEST_CASE("P7: a child that was forked while the callables ran in its parent has them run at a crash of its own") {
    const ended process("forked_meanwhile");
    CHECK(process.exit_code() == -1 - SIGBUS);
    CHECK(process->child == SIGABRT);
    CHECK(process->said() == "pc22");   // the child's are in the middle
}
