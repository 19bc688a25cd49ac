// The combination table: every case on a pool of its own.
#include "stress/scenarios/combination_case.hpp"
#include "stress/scenarios/scenarios.hpp"

namespace lastly::stress::scenarios {

namespace {

constexpr std::size_t least_cases = 2000;

}   // namespace

// What differs is counted, so that nobody takes the same case for another one: two differ if something else is done to the pool or to the
// task, or another number of finalizers does something else. What has no effect does not count (combination::circumstances).
void combinations(round& r) {
    const std::vector<combination> all = all_combinations();
    r.check(all.size() >= least_cases, "the table: it has less than 2,000 cases");
    r.check(count_different(all) == all.size(), "the table: some of its cases are the same");
    for (const combination& c : all) {
        if (r.workers() == c.workers) one_case(r, c).run();
    }
}

}   // namespace lastly::stress::scenarios
