// lastly::stress: scenarios that convict a task pool, with your own task types, in your own CI. `#include <lastly/stress.hpp>`, link
// `lastly::stress`, list your scenarios in `run_suite`.
#pragma once

#include <lastly/stress/cell.hpp>
#include <lastly/stress/round.hpp>
#include <lastly/stress/send.hpp>
#include <lastly/stress/suite.hpp>
