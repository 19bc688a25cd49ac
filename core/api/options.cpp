// See options.hpp.
#include "core/api/options.hpp"

#include "core/base/cpus.hpp"
#include "core/sched/idle.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace lastly::detail {

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& value, std::uint32_t low, std::uint32_t high) {
    throw std::invalid_argument("lastly: " + what + " is " + value + "; it must be a whole number from " + std::to_string(low) +
                                " to " + std::to_string(high));
}

void settle_knob(std::uint32_t& knob, const char* name, const char* variable, std::uint32_t low, std::uint32_t high) {
    if (const char* const text = std::getenv(variable)) {
        std::uint32_t value = 0;
        const char* const end = text + std::strlen(text);
        const auto [rest, error] = std::from_chars(text, end, value);
        if (error != std::errc() || rest != end || value < low || value > high) refuse(std::string("environment variable ") + variable, '"' + std::string(text) + '"', low, high);
        knob = value;
    }
    if (knob < low || knob > high) refuse(std::string("pool_options::tuning.") + name, std::to_string(knob), low, high);
}

}   // namespace

pool_options checked(pool_options options) {
    if (options.engine != engine::work_stealing) {
        throw std::system_error(std::make_error_code(std::errc::not_supported),
                                "lastly: engine::tbb is not in this build; use engine::work_stealing");
    }
    if (options.workers == 0) options.workers = usable_cpus();
    if (options.workers > idle_workers::max_workers) refuse("pool_options::workers", std::to_string(options.workers), 0, idle_workers::max_workers);
    if (options.finalizer_budget.count() < 0) throw std::invalid_argument("lastly: pool_options::finalizer_budget is negative; 0 means no budget");
    if (options.exit_budget.count() < 0) throw std::invalid_argument("lastly: pool_options::exit_budget is negative; 0 means that the process's end waits for nothing");
    pool_tuning& t = options.tuning;
    settle_knob(t.spin_rounds, "spin_rounds", "LASTLY_SPIN_ROUNDS", 1, 1'000'000);
    settle_knob(t.steal_attempts, "steal_attempts", "LASTLY_STEAL_ATTEMPTS", 1, 4'096);
    settle_knob(t.injector_interval, "injector_interval", "LASTLY_INJECTOR_INTERVAL", 2, 1'000'000);
    settle_knob(t.injector_batch, "injector_batch", "LASTLY_INJECTOR_BATCH", 1, 256);
    settle_knob(t.help_depth, "help_depth", "LASTLY_HELP_DEPTH", 0, 4'096);
    settle_knob(t.max_stand_ins, "max_stand_ins", "LASTLY_MAX_STAND_INS", 0, 4'096);
    return options;
}

}   // namespace lastly::detail
