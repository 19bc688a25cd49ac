// See exit.hpp, and README.md here.
#include "core/process/exit.hpp"

#include "core/base/clock.hpp"
#include "core/sched/pool_core.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/error.hpp"

#include <chrono>
#include <cstdlib>

namespace lastly::detail {

namespace {

constexpr std::chrono::seconds budget{5};   // as pool_options::exit_budget

void at_exit() {
    if (LASTLY_FAULT("P2")) return;
    end_runs_here(errc::process_exit);
    if (!LASTLY_FAULT("B4")) forkers_have_left(deadline_after(budget));
}

}   // namespace

void guard_exit() noexcept {
    [[maybe_unused]] static const int registered = std::atexit(&at_exit);
}

}   // namespace lastly::detail
