// Callables at abort and at faults, in processes of their own. Rule P7.
#include "core/process/crash.hpp"
#include "lastly/signal_guard.hpp"
#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <thread>

using namespace support;

namespace {

struct witness {
    std::atomic<int> first{0}, second{0}, user{0}, finalizers{0}, refused{0};
};

void count(void* number) { ++*static_cast<std::atomic<int>*>(number); }

witness* judged = nullptr;

void register_two(witness& w) {
    judged = &w;
    if (!lastly::on_crash(&count, &w.first) || !lastly::on_crash(&count, &w.second)) std::_Exit(99);
}

void aborted(witness& w, const part_arguments&) {
    register_two(w);
    std::abort();
}
void terminated(witness& w, const part_arguments&) {
    register_two(w);
    lastly::pool pool(options(2));
    pool.detach([] { std::thread([] { throw 1; }).join(); }, lastly::finally([&w] { ++w.finalizers; }));
    for (;;) std::this_thread::yield();
}
void faulted(witness& w, const part_arguments& a) {
    register_two(w);
    if (a.special == 1) *const_cast<volatile int*>(static_cast<int*>(nullptr)) = 1;   // the CPU's own
    else std::raise(SIGSEGV);
    std::_Exit(98);
}
void with_a_handler(witness& w, const part_arguments&) {
    std::signal(SIGABRT, [](int) { ++judged->user; });
    register_two(w);
    std::abort();
}
void crashes_while_crashing(witness& w, const part_arguments&) {
    judged = &w;
    lastly::on_crash(&count, &w.first);
    lastly::on_crash([](void*) { std::abort(); }, nullptr);
    std::raise(SIGSEGV);
}
void full(witness& w, const part_arguments&) {
    for (int i = 0; i < 40; ++i) w.refused += lastly::on_crash(&count, &w.first) ? 0 : 1;
    std::abort();
}

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"aborted", &aborted}, {"terminated", &terminated}, {"faulted", &faulted}, {"with_a_handler", &with_a_handler}, {"crashes_while_crashing", &crashes_while_crashing}, {"full", &full}};

class ended : public shared_process<witness> {
public:
    explicit ended(const char* part, part_arguments a = {}) : shared_process("crash: the process that the cases below judge", part, a) {}
};

}   // namespace

TEST_CASE("crash: the process that the cases below judge" * doctest::skip()) { shared_process<witness>::run_part(parts); }

TEST_CASE("P7: callables run once at abort, and the process ends by the signal") {
    const ended process("aborted");
    CHECK(process.exit_code() == -1 - SIGABRT);
    CHECK(process->first == 1);
    CHECK(process->second == 1);
}

TEST_CASE("P7: at an uncaught exception they run, and finalizers do not") {
    const ended process("terminated");
    CHECK(process.exit_code() == -1 - SIGABRT);
    CHECK(process->first == 1);
    CHECK(process->finalizers == 0);
}

TEST_CASE("P7: at a fatal signal they run, and what was installed before goes on") {
    for (const unsigned real : {0u, 1u}) {
        CAPTURE(real);
        const ended fault("faulted", {1, real});
        CHECK(fault->first == 1);
        CHECK(fault->second == 1);
        CHECK(fault.exit_code() != 98);
    }

    const ended handled("with_a_handler");
    CHECK(handled.exit_code() == -1 - SIGABRT);
    CHECK(handled->first == 1);
    CHECK(handled->user == 1);
}

TEST_CASE("P7: a callable that crashes ends the process, and none runs twice") {
    const ended process("crashes_while_crashing");
    CHECK(process.exit_code() != 0);
    CHECK(process->first == 1);
}

TEST_CASE("P7: there is room for 32 callables, and one too many is refused") {
    const ended process("full");
    CHECK(process->refused == 8);
    CHECK(process->first == 32);
}
