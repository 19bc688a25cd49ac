// One line of the combination table, and what has to become of it: the contract, written down a second time as a small model.
// Plain values.
#pragma once

#include <lastly/stress.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace lastly::stress::scenarios {

enum class fate : std::uint8_t { succeeds, throws, cancels_itself, cancelled_queued, cancelled_running, deadline, sibling_fails };
enum class finalizers : std::uint8_t { ok, throw_, edit, defer_more, submit };
enum class ending : std::uint8_t { drain, shutdown_now, destructor, rejected };

struct combination {
    fate what;
    unsigned attached, deferred;
    finalizers do_;
    ending by;
    unsigned workers;

    std::string to_text() const;
    // Is its task in its body, at a gate, when the pool is ended?
    bool runs_at_the_end() const noexcept { return by == ending::shutdown_now && (what == fate::succeeds || what == fate::throws || what == fate::cancels_itself || what == fate::cancelled_running); }
    bool begins() const noexcept { return by != ending::rejected && what != fate::cancelled_queued && what != fate::deadline && what != fate::sibling_fails; }
};

// What has to be seen of it.
struct expectation {
    outcome_kind kind;
    std::error_code cause;             // of a cancelled or rejected one
    unsigned deferred;                 // deferred finalizers that run
    unsigned thrown;                   // finalizers that are left by an exception
    unsigned submitted;                // tasks that finalizers submit
    std::optional<bool> accepted;      // all of these, or none
};

expectation expect(const combination& c);

// Every pair of values that can meet, in one fixed order: at least 2,000.
std::vector<combination> all_combinations();

}   // namespace lastly::stress::scenarios
