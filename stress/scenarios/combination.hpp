// One line of the combination table, and what has to become of it: the contract, written down a second time as a small model.
// Plain values.
#pragma once

#include <lastly/stress.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace lastly::stress::scenarios {

enum class fate : std::uint8_t { succeeds, throws, cancels_itself, cancelled_queued, cancelled_running, deadline, sibling_fails };
enum class finalizers : std::uint8_t { ok, throw_, edit, defer_more, submit };
enum class ending : std::uint8_t { drain, shutdown_now, destructor, rejected };

// A body that never begins defers nothing. There the number that it would have deferred stands for something else that users meet:
// where its task waits and who stops it, or how a submission goes in that is refused; and a refused task's fate for what refuses it.
enum class place : std::uint8_t { entrance, own_deque, claimed };                      // claimed: a worker waits for it, and runs it where it stands (W1)
enum class stopper : std::uint8_t { handle, attached, above_attached, group, root };   // the context that is attached, or one above it
enum class refusal : std::uint8_t { closed, full, shut_down, blocked_stopped, blocked_closed, blocked_late, blocked_failed };   // blocked: the caller waits for room (A5)
enum class way : std::uint8_t { submitted, made_before, without_handle, tried, from_a_task };

struct combination {
    fate what;
    unsigned attached, deferred;
    finalizers do_;
    ending by;
    unsigned workers;

    std::string to_text() const;
    bool is_refused() const noexcept { return by == ending::rejected; }
    bool begins() const noexcept { return !is_refused() && what != fate::cancelled_queued && what != fate::deadline && what != fate::sibling_fails; }
    bool waits() const noexcept { return !is_refused() && !begins(); }
    bool has_finalizers() const noexcept { return attached + (begins() ? deferred : 0) > 0; }
    // Is its task in its body, at a gate, when the pool is ended?
    bool runs_at_the_end() const noexcept { return begins() && by == ending::shutdown_now; }

    // Has a body that is to be stopped a context of its own by then? It has if it asked for it.
    bool asks_for_context() const noexcept { return begins() && deferred == 1 && (what == fate::cancels_itself || what == fate::cancelled_running); }

    // Of one that waits.
    place where() const noexcept { return static_cast<place>(variant()); }
    stopper stops() const noexcept;
    bool is_over_before_the_end() const noexcept { return waits() && (what == fate::sibling_fails || where() == place::claimed); }

    // Of one that is refused.
    refusal why() const noexcept { return static_cast<refusal>(what); }
    way in() const noexcept;
    bool is_blocked() const noexcept { return is_refused() && why() >= refusal::blocked_stopped; }
    // Refused by try_submit, then destroyed. One whose finalizers throw is offered again: a discarded task's errors go to stderr.
    bool is_discarded() const noexcept { return is_refused() && in() == way::tried && do_ != finalizers::throw_ && do_ != finalizers::edit; }

    bool has_group() const noexcept { return is_refused() ? why() == refusal::blocked_failed || (why() == refusal::closed && in() == way::without_handle) : waits() && stops() == stopper::group; }
    // Tasks that keep workers, or a pool's room.
    unsigned holders() const noexcept { return waits() ? workers : is_refused() && (is_blocked() || why() == refusal::full || in() == way::from_a_task) ? 1 : 0; }

    // All that makes a difference to what happens; 0 where something makes none.
    std::array<unsigned, 7> circumstances() const noexcept;

private:
    unsigned variant() const noexcept { return deferred < 2 ? deferred : 2; }   // 0, 1 or 2
};

// An exception that is stored or told of, by who threw it and the number that it carries.
enum class whose : std::uint8_t { nobody, body, finalizer, edit, library, stranger };
struct failure {
    whose of = whose::nobody;
    unsigned number = 0;
    bool operator==(const failure&) const = default;
};
struct numbered : std::exception {
    failure is;
    explicit numbered(failure f) noexcept : is(f) {}
    const char* what() const noexcept override { return "thrown on purpose"; }
};
failure failure_of(const std::exception_ptr& error);

inline constexpr unsigned most_attached = 3, most_deferred = 20;
inline constexpr failure of_body{whose::body, 100}, of_sibling{whose::body, 101};
constexpr failure of_attached(unsigned position) noexcept { return {whose::finalizer, position}; }
constexpr failure of_deferred(unsigned place) noexcept { return {whose::finalizer, most_attached + place}; }
constexpr failure of_edit(unsigned position) noexcept { return {whose::edit, position}; }
constexpr int value_of_body = 7;
constexpr int value_of_edit(unsigned position) noexcept { return 20 + static_cast<int>(position); }

// An outcome, as a finalizer is shown it, or a handle.
struct view {
    outcome_kind kind = outcome_kind::succeeded;
    std::error_code cause;
    failure error;
    bool started = false;
    bool operator==(const view&) const = default;
};
view view_of(const outcome& o);

// What has to be seen of it.
struct expectation {
    view end;                                // what its handle shows
    int value = value_of_body;               // if it succeeds
    std::array<view, most_attached> seen;    // what each attached finalizer is shown
    std::optional<outcome_kind> shown;       // the kind that all of these are shown
    unsigned deferred = 0;                   // deferred finalizers that run
    unsigned thrown = 0;                     // finalizers that are left by an exception
    unsigned submitted = 0;                  // tasks that finalizers submit
    bool accepted = false;                   // all of these, or none
    std::error_code not_accepted;            // why none
    std::error_code refused;                 // what its own refusal says to the caller
    std::array<unsigned, static_cast<std::size_t>(report_kind::no_stand_in) + 1> reports{};   // what the sink is told, by kind
    ledger_snapshot books;                   // of its whole pool
};

expectation expect(const combination& c);

// Every combination, in one fixed order; left out are finalizers that do something where none is there.
std::vector<combination> all_combinations();
// How many of them differ in their circumstances.
std::size_t count_different(const std::vector<combination>& list);

}   // namespace lastly::stress::scenarios
