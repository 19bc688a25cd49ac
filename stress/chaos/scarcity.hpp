// What a pool does when something runs out: the scenarios that make allocations, and the starts of threads, fail one after the other.
// Each: the thread that runs the scenario.
#pragma once

#include <lastly/stress/round.hpp>

namespace lastly::stress::scenarios {

// Every situation of chaos/situations.hpp, once for each allocation that it makes, which fails.
void scarce_memory(round& r);
// The same for each thread that it starts, those of its pools among them.
void scarce_threads(round& r);

}   // namespace lastly::stress::scenarios
