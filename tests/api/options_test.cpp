// Checking options: every limit, every environment variable, and what the refusals say.
#include "core/api/options.hpp"

#include "core/base/cpus.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <ostream>
#include <stdexcept>
#include <string>
#include <system_error>

using lastly::pool_options;
using lastly::pool_tuning;
using lastly::detail::checked;

namespace {

struct knob {
    const char* name;
    const char* variable;
    std::uint32_t pool_tuning::*member;
    std::uint32_t low, high;
};
constexpr knob knobs[] = {{"spin_rounds", "LASTLY_SPIN_ROUNDS", &pool_tuning::spin_rounds, 1, 1'000'000},
                          {"steal_attempts", "LASTLY_STEAL_ATTEMPTS", &pool_tuning::steal_attempts, 1, 4'096},
                          {"injector_interval", "LASTLY_INJECTOR_INTERVAL", &pool_tuning::injector_interval, 2, 1'000'000},
                          {"injector_batch", "LASTLY_INJECTOR_BATCH", &pool_tuning::injector_batch, 1, 256},
                          {"help_depth", "LASTLY_HELP_DEPTH", &pool_tuning::help_depth, 0, 4'096},
                          {"max_stand_ins", "LASTLY_MAX_STAND_INS", &pool_tuning::max_stand_ins, 0, 4'096}};

// Sets an environment variable while it lives.
class environment {
public:
    environment(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
    ~environment() { ::unsetenv(name_); }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;

private:
    const char* name_;
};

pool_options with(const knob& k, std::uint32_t value) {
    pool_options o;
    o.tuning.*k.member = value;
    return o;
}
std::string refusal_of(const pool_options& o) {
    try {
        checked(o);
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
    return "";
}
std::string range(const knob& k) { return "; it must be a whole number from " + std::to_string(k.low) + " to " + std::to_string(k.high); }

}   // namespace

TEST_CASE("checked: each knob's limits are in, and what lies beyond is refused by name") {
    for (const knob& k : knobs) {
        const std::string name = k.name;
        CAPTURE(name);
        CHECK(checked(with(k, k.low)).tuning.*k.member == k.low);
        CHECK(checked(with(k, k.high)).tuning.*k.member == k.high);
        for (const std::uint32_t value : {k.low - 1, k.high + 1}) {
            CHECK(refusal_of(with(k, value)) == "lastly: pool_options::tuning." + name + " is " + std::to_string(value) + range(k));
        }
    }
}

TEST_CASE("checked: a variable overrides its knob, whatever that is") {
    for (const knob& k : knobs) {
        const std::string name = k.name;
        CAPTURE(name);
        const environment set(k.variable, std::to_string(k.high));
        CHECK(checked(with(k, k.low)).tuning.*k.member == k.high);
        CHECK(checked(with(k, k.high + 1)).tuning.*k.member == k.high);
        for (const knob& other : knobs) {
            if (&other != &k) CHECK(checked({}).tuning.*other.member == pool_tuning().*other.member);
        }
    }
}

TEST_CASE("checked: a variable that is no number in range is refused with its text") {
    for (const knob& k : knobs) {
        const std::string name = k.name;
        CAPTURE(name);
        for (const std::string& text : {std::string(), std::string("abc"), std::string("12x"), std::string(" 12"), std::string("12 "),
                                       std::string("-1"), std::string("+3"), std::string("3.5"), std::string("0x10"),
                                       std::string("99999999999999999999"), std::to_string(k.low - 1), std::to_string(k.high + 1)}) {
            CAPTURE(text);
            const environment set(k.variable, text);
            CHECK(refusal_of({}) == std::string("lastly: environment variable ") + k.variable + " is \"" + text + "\"" + range(k));
        }
        CHECK(refusal_of({}).empty());   // not set any more
    }
}

TEST_CASE("checked: no workers given means as many as CPUs are usable") {
    CHECK(checked({}).workers == lastly::detail::usable_cpus());
    pool_options o;
    o.workers = 3;
    CHECK(checked(o).workers == 3);
    o.workers = 4'096;
    CHECK(checked(o).workers == 4'096);
    o.workers = 4'097;
    CHECK(refusal_of(o) == "lastly: pool_options::workers is 4097; it must be a whole number from 0 to 4096");
}

TEST_CASE("checked: a negative finalizer budget is refused, none and any other is taken") {
    pool_options o;
    o.finalizer_budget = std::chrono::nanoseconds(-1);
    CHECK(refusal_of(o) == "lastly: pool_options::finalizer_budget is negative; 0 means no budget");
    o.finalizer_budget = std::chrono::hours(1);
    CHECK(checked(o).finalizer_budget == std::chrono::hours(1));
}

TEST_CASE("checked: an engine that is not in the build is refused with its code") {
    pool_options o;
    o.engine = lastly::engine::tbb;
    std::error_code refused;
    try {
        checked(o);
    } catch (const std::system_error& e) {
        refused = e.code();
    }
    CHECK(refused == std::errc::not_supported);
}

TEST_CASE("checked: what it does not check it leaves as it was") {
    pool_options o;
    o.name = "named";
    o.capacity = 12;
    o.overflow = lastly::overflow::block;
    o.on_destroy = lastly::on_destroy::cancel;
    o.chain_warning = 0;
    o.error_sink = [](const lastly::error_report&) {};
    const pool_options c = checked(o);
    CHECK(c.name == "named");
    CHECK(c.capacity == 12);
    CHECK(c.overflow == lastly::overflow::block);
    CHECK(c.on_destroy == lastly::on_destroy::cancel);
    CHECK(c.chain_warning == 0);
    CHECK(static_cast<bool>(c.error_sink));
}
