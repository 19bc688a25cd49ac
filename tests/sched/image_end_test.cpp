// Static pools that hang, or are busy, while exit destroys them one after the other. Each part in a process of its own. Rule P1.
#include "tests/process/ending.hpp"
#include "tests/support/shared_process.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>

using namespace ending;
using namespace support;

namespace {

// Static pools whose bodies hang are destroyed one after the other; then the library's handler runs, for one on the heap.
void hung_in_static_storage(witness& w, const part_arguments&) {
    hang_in(*new lastly::pool(brief(1, 2000ms)), w, "hanging body");
    static lastly::pool first(brief(1, 2000ms)), second(brief(1, 2000ms)), third(brief(1, 2000ms));
    for (auto* const pool : {&first, &second, &third}) hang_in(*pool, w, "hanging body");
    w.exits_at = steady::now().time_since_epoch().count();
    std::exit(3);
}

// A static pool whose body hangs is destroyed before one that needs more time than is left, but not more than its own budget.
void busy_after_a_hang(witness& w, const part_arguments&) {
    static lastly::pool busy(brief(1, 1600ms));
    static lastly::pool hung(brief(1, 1600ms));
    hang_in(hung, w, "hanging body");
    busy.detach([&w](task_context& t) {
        ++w.begun;
        await([&t] { return t.stop_requested(); });
    });
    await([&w] { return w.begun == 2; });
    for (unsigned i = 0; i < 40; ++i) busy.detach([&w] { ++w.wrong; }, finally([&w] { take_time(20ms); ++w.chains; }));
    std::exit(3);
}

constexpr struct {
    const char* name;
    void (*run)(witness&, const part_arguments&);
} parts[] = {{"hung_in_static_storage", &hung_in_static_storage}, {"busy_after_a_hang", &busy_after_a_hang}};

constexpr const char* process_case = "image_end: the process that the cases below judge";

class ended : public shared_process<witness> {
public:
    explicit ended(const char* part) : shared_process(process_case, part) {}
};

}   // namespace

TEST_CASE("image_end: the process that the cases below judge" * doctest::skip()) { shared_process<witness>::run_part(parts); }

// The bound is far from both: it takes 3.5 s, and would take 8.
TEST_CASE("P1: budgets of static pools that hang one after the other do not add up, and each is named") {
    const ended process("hung_in_static_storage");
    const auto kept = steady::now().time_since_epoch() - steady::duration(process->exits_at.load());
    CHECK(process.exit_code() == 3);
    CHECK(process.lines_with("hanging body") == 4);
    CHECK(kept < 6s);
}

TEST_CASE("P1: a static pool that is busy after another one hung ends in full") {
    const ended process("busy_after_a_hang");
    CHECK(process.exit_code() == 3);
    CHECK(process->chains == 40);
    CHECK(process->wrong == 0);
    CHECK(process.lines_with("hanging body") == 1);
}
