// One case of the combination table, from its pool's beginning to its end: brought to its moment by gates, not by luck, and compared exactly
// with the model. Its task is in combination_task.cpp, what is seen of it in combination_seen.cpp.
// run: one thread. Invariant: all that tasks touch outlives the pool.
#pragma once

#include "stress/scenarios/combination.hpp"

#include <array>
#include <atomic>
#include <latch>
#include <optional>

namespace lastly::stress::scenarios {

// Opened once; whoever passes waits until then.
class gate {
public:
    void open() noexcept {
        open_.store(true);
        open_.notify_all();
    }
    void pass() const noexcept { open_.wait(false); }

private:
    std::atomic<bool> open_{false};
};

class one_case {
public:
    one_case(round& r, const combination& c);
    void run();

private:
    pool_options options();
    cancel_source make_own() const;
    void check(bool holds, const char* what) const;

    // combination_case.cpp: the moment, and the end.
    task_plan plan_of(std::uint8_t end, bool begins) const noexcept;
    void hold();
    void first_holder();
    void blocker();
    void fail_a_sibling();
    void stop();
    void bring_about();
    void submit_from_a_task();
    void finish(const shutdown_report& end);
    void wait_for_group();
    void end_pool();

    // combination_task.cpp: the task, and how it goes in.
    template <unsigned Attached> void submit_with();
    void submit();
    template <class... Parts> task_handle<int> go_in(Parts&&... parts);
    template <class... Parts> task_handle<int> be_refused(Parts&&... parts);
    template <class... Parts> task_handle<int> try_first(Parts&&... parts);
    int body(task_context& t, cell& c);
    void finalize(result<int>& o);
    void finalize_deferred(unsigned place);
    void check_shield() const;
    void submit_more();

    // combination_seen.cpp: what was seen, against the model.
    void note(const error_report& r);
    void compare_books(const ledger_snapshot& books) const;
    void compare_handle();
    void compare() const;

    round& round_;
    const combination case_;
    const expectation expected_;
    std::optional<std::latch> arrived_;
    gate placed_, about_to_block_, in_body_, first_, rest_;
    std::atomic<unsigned> submitted_{0}, more_begun_{0};
    std::array<view, most_attached> seen_{};
    std::error_code refused_;
    std::array<std::atomic<unsigned>, static_cast<std::size_t>(report_kind::no_stand_in) + 1> reports_{};
    std::array<std::atomic<unsigned>, most_attached + most_deferred> told_{};   // exceptions of finalizers, by number
    std::optional<cancel_source> above_;   // what own_, or the group, stands below
    cancel_source own_;                    // whose context is attached
    std::optional<pool> pool_;
    std::optional<task_group> group_;
    task_handle<int> handle_;
    cell* cell_ = nullptr;
};

}   // namespace lastly::stress::scenarios
