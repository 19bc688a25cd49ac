// Static storage told from other storage; signals' names; what runs at exit.
#include "core/base/process.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>

using namespace lastly::detail;
using namespace support;

namespace {

int in_bss;
const int in_rodata = 3;
thread_local int in_thread_storage = 1;

struct witness {
    std::atomic<int> told{-1}, quick{0};
};
witness* judged = nullptr;
void tell_status(int status) { judged->told = status; }

void exits(witness& w, const part_arguments&) {
    judged = &w;
    if (on_exit_call(&tell_status)) std::exit(42);
}
void leaves(witness& w, const part_arguments&) {
    judged = &w;
    if (on_exit_call(&tell_status)) leave_process(41);
}
void exits_quickly(witness& w, const part_arguments&) {
    judged = &w;
    if (on_quick_exit_call([] { ++judged->quick; }) && on_exit_call(&tell_status)) std::quick_exit(40);
}

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"exits", &exits}, {"leaves", &leaves}, {"exits_quickly", &exits_quickly}};

class ended : public shared_process<witness> {
public:
    explicit ended(const char* part) : shared_process("process: the one that the cases below judge", part) {}
};

}   // namespace

TEST_CASE("process: static storage lies in an image, stacks and heaps do not") {
    static int local_static;
    int on_stack = 0;
    const auto on_heap = std::make_unique<int>(0);
    CHECK(lies_in_an_image(&in_bss));
    CHECK(lies_in_an_image(&in_rodata));
    CHECK(lies_in_an_image(&local_static));
    CHECK_FALSE(lies_in_an_image(&on_stack));
    CHECK_FALSE(lies_in_an_image(on_heap.get()));
    CHECK_FALSE(lies_in_an_image(&in_thread_storage));
}

TEST_CASE("process: the one that the cases below judge" * doctest::skip()) { shared_process<witness>::run_part(parts); }

TEST_CASE("process: a handler is told the status that exit is given") {
    const ended process("exits");
    CHECK(process.exit_code() == 42);
    CHECK(process->told == 42);
}

TEST_CASE("process: leaving at once runs no handler") {
    const ended process("leaves");
    CHECK(process.exit_code() == 41);
    CHECK(process->told == -1);
}

TEST_CASE("process: quick_exit runs its own handlers") {
    const ended process("exits_quickly");
    CHECK(process.exit_code() == 40);
    CHECK(process->told == -1);
    CHECK(process->quick == 1);
}

TEST_CASE("process: a signal's name, and a number that is none") {
    CHECK(name_of_signal(SIGTERM) == "SIGTERM (Terminated)");
    CHECK(name_of_signal(99) == "signal 99");
}
