// How a pool is set up: its options, the scheduler's knobs, and what its error sink is told.
// Plain values; no thread touches them after construction.
#pragma once

#include <lastly/outcome.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>
#include <system_error>

namespace lastly {

/// No limit to a wait.
inline constexpr std::chrono::nanoseconds forever = std::chrono::nanoseconds::max();

/// What a pool's destructor does with tasks that have not run: runs them, or cancels them. Their finalizers run either way.
enum class on_destroy { drain, cancel };
/// What a submission to a full pool does: is rejected, waits for room, or runs the task on the calling thread (A5). Workers of the pool never
/// wait: under `block` they exceed the capacity. `caller_runs`: the caller must hold no lock that the body takes.
enum class overflow { reject, block, caller_runs };
/// What schedules the tasks. `tbb` is not there yet: std::system_error, not_supported.
enum class engine { work_stealing, tbb };

/// What happened, as the error sink is told (E4, E5, C4).
enum class report_kind : std::uint8_t {
    failed,             ///< a task failed and nobody takes its error
    cancelled,          ///< a task was cancelled and nobody looks at its outcome
    finalizer_failed,   ///< an exception escaped from a finalizer
    finalizer_overdue,  ///< a finalizer has been running for longer than `finalizer_budget`
    chain_long,         ///< a task has more than `chain_warning` deferred finalizers: perhaps a defer in a loop
    worker_lost,        ///< a worker thread ended and could not be replaced
    no_stand_in,        ///< a worker waits, and no thread could take its place: it helps with anything meanwhile (W2)
};

/// The name of a kind, as the default sink prints it.
LASTLY_EXPORT const char* to_string(report_kind kind) noexcept;

/// One thing that an error sink is told. Valid during the call, except `error`, which may be copied.
struct LASTLY_EXPORT error_report {
    using kind_type = report_kind;
    report_kind kind = report_kind::failed;
    const char* name = "";                ///< the task's name, or ""
    creation_site site{"", 0};            ///< where the task was created
    std::exception_ptr error = {};        ///< failed and finalizer_failed; otherwise null
    std::error_code cause = {};           ///< cancelled; otherwise empty
    std::chrono::nanoseconds age{0};      ///< finalizer_overdue: how long it has been running
    std::size_t count = 0;                ///< chain_long: the chain's length
    /// What the exception, the cause or the situation says, in words. May allocate.
    std::string what() const;
};

/// The scheduler's knobs, all at run time. A `LASTLY_*` environment variable overrides the value given here.
struct pool_tuning {
    /// Rounds of searching before a worker sleeps; while more workers are awake than there are CPUs, their share of them, 8 at least.
    /// LASTLY_SPIN_ROUNDS, 1 to 1,000,000. More: quicker hand-over, more idle CPU.
    std::uint32_t spin_rounds = 200;
    /// Victims tried in one round of searching. LASTLY_STEAL_ATTEMPTS, 1 to 4,096. More: finds work sooner, disturbs owners more.
    std::uint32_t steal_attempts = 4;
    /// Own tasks run before the injector, the oldest own task or another worker's gets a turn. LASTLY_INJECTOR_INTERVAL, 2 to 1,000,000.
    /// Smaller: fairer; larger: fewer shared accesses.
    std::uint32_t injector_interval = 61;
    /// Tasks taken over from the injector at once. LASTLY_INJECTOR_BATCH, 1 to 256. Larger: more throughput, less even spread.
    std::uint32_t injector_batch = 64;
    /// How many tasks a worker that waits runs one inside the other before it lets a stand-in go on. LASTLY_HELP_DEPTH, 0 to 4,096.
    /// Larger: fewer threads, deeper stacks.
    std::uint32_t help_depth = 64;
    /// Threads that take the place of workers that sleep in a wait, at most (W2). LASTLY_MAX_STAND_INS, 0 to 4,096. Where one is
    /// wanted and none can be had, the waiting worker is reported and helps with anything.
    std::uint32_t max_stand_ins = 256;
};

/// Everything that can be chosen about a pool.
struct pool_options {
    /// 0: as many as CPUs are usable by this process (affinity, cgroup quota); at most 4,096. More than CPUs, for tasks that wait: those beyond the CPUs join while
    /// the others leave CPUs unused, or run tasks of 100 us and more; else they hold back, for 10 ms at most.
    unsigned workers = 0;
    std::string name = "pool";                ///< shown in thread names and reports
    lastly::engine engine = lastly::engine::work_stealing;
    std::size_t capacity = 0;                 ///< accepted and unfinished tasks; 0: unbounded
    lastly::overflow overflow = lastly::overflow::reject;
    lastly::on_destroy on_destroy = lastly::on_destroy::drain;
    std::function<void(const error_report&)> error_sink = {};   ///< empty: one line to stderr (E5); called
    ///< without a lock held, from several threads at once; may submit; if it throws, stderr gets the report
    std::chrono::nanoseconds finalizer_budget{0};               ///< 0: never overdue (C4)
    std::chrono::nanoseconds exit_budget = std::chrono::seconds(5);   ///< how long the process's end waits for this pool (P1): the largest of all pools counts; 0 or more
    bool guard_quick_exit = false;            ///< std::quick_exit, too, closes all pools (P3)
    std::size_t chain_warning = 1024;         ///< a longer chain of deferred finalizers is reported, once a creation site
    std::function<void(unsigned worker)> on_worker_start = {};  ///< runs on each worker, and on stand-ins, numbered
    ///< from `workers` up; nobody stands in for a worker that waits there; an exception goes to the error sink
    std::function<void(unsigned worker)> on_worker_exit = {};   ///< the same at the end of a worker's thread
    pool_tuning tuning = {};
};

/// What a signal_guard does.
struct signal_options {
    std::vector<int> signals = {SIGINT, SIGTERM};
    lastly::on_destroy first = lastly::on_destroy::cancel;   ///< what the first signal does with the pool: cancel, or drain
    bool raise_again = true;                                 ///< when the pool is closed: close all others, and end the process as the signal would have
};

}   // namespace lastly
