// See signals.hpp, and README.md here.
#include "core/process/signals.hpp"

#include "core/base/clock.hpp"
#include "core/base/process.hpp"
#include "core/base/signals.hpp"
#include "core/process/coordinator.hpp"
#include "core/sched/pool_core.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <cerrno>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace lastly::detail {

namespace {

using time_point = std::chrono::steady_clock::time_point;

constexpr std::uint32_t guard_ends = 1u << 31, guard_is_ready = 1u << 30;   // in `events`

// What the handler touches; never destroyed.
constinit struct {
    atomic<std::uint32_t> is_taken{0};   // there is a guard
    atomic<int> first{0};                // the first signal's number
    atomic<std::uint32_t> signals{0};    // how many came
    atomic<std::uint32_t> handlers{0};   // that run right now
    atomic<std::uint32_t> is_open{0};    // a handler's signal is noted; else it comes again, to whoever is there for it now
    atomic<int> process{0};              // whose guard it is
    futex_word events{0};                // changes with each signal, when a closer is done, and when the guard ends
    dispositions before;
} guarded;

void tell(std::uint32_t what) noexcept {
    guarded.events.fetch_add(what, release);   // order: [P4] the watching thread sees what was noted before
    futex_wake_all(guarded.events.address());
}

void note(int signal) noexcept {
    int none = 0;
    guarded.first.compare_exchange_strong(none, signal, relaxed, relaxed);      // order: published by the event
    const std::uint32_t came_before = guarded.signals.fetch_add(1, release);    // order: [P4] whoever sees it sees the first
    if (!LASTLY_FAULT("P5")) tell(1);
    if (came_before >= 2) have_default_effect(signal);
}

// Async-signal-safe.
void on_signal(int signal, siginfo_t*, void*) {
    const int error = errno;
    guarded.handlers.fetch_add(1, seq_cst);                              // order: [P4] before it looks whether the guard has ended
    if (guarded.process.load(relaxed) != this_process()) {               // order: constant while handlers are installed
        guarded.before.put_back(signal, &on_signal);                     // a child that has just been forked, and may share this memory: it has no guard
        raise_here(signal);
    } else if (guarded.is_open.load(seq_cst) == 0) {                     // order: [P4] the guard's end closes, then looks for handlers
        if (guarded.is_taken.load(acquire) == 0) guarded.before.put_back(signal, &on_signal);   // order: [P4] sees what the guard restored
        raise_in_process(signal);
    } else {
        note(signal);
    }
    guarded.handlers.fetch_sub(1, release);   // order: [P4] all that it did, before the guard's end goes on
    errno = error;
}

}   // namespace

// Ends the pool on a thread of its own, so that the watching one sees further signals, whatever callbacks and chains do.
struct signal_watch::closer {
    pool_core& pool;
    const bool abrupt;
    thread self{};
    bool is_started = false;
    atomic<const thread_block*> runs_on{nullptr};
    atomic<std::uint32_t> is_done{0};

    void start() noexcept {
        if (std::exchange(is_started, true)) return;
        if (self.start(&closer::main, this, "lastly-closer")) main(this);   // no thread: here, then
    }
    static void main(void* raw) {
        auto& me = *static_cast<closer*>(raw);
        me.runs_on.store(&this_thread, relaxed);   // order: others compare it only, with their own
        with_rest([&me] {
            if (me.abrupt) close_for_signal(me.pool, guarded.first.load(relaxed));   // order: written before this thread was started
            end_for_good(me.pool, me.abrupt);
        }, [raw] { main(raw); });
        me.runs_on.store(nullptr, relaxed);   // order: others compare it only, with their own
        me.is_done.store(1, release);         // order: [P4] sees that the pool is closed
        tell(1);
    }
};

signal_watch::signal_watch(pool_core& pool, signal_options options, bool is_static)
    : pool_(pool), options_(std::move(options)), is_static_(is_static), made_in_(fork_generation()) {
    pool_.anchor->refuse_to_wait_if_inherited();
    for (const int s : options_.signals) {
        if (s <= 0 || s >= dispositions::count || s == SIGKILL || s == SIGSTOP) throw std::invalid_argument("lastly: a signal_guard for " + std::to_string(s) + ", which is no signal that a program may handle");
    }
    closers_[0] = std::make_unique<closer>(pool_, options_.first == on_destroy::cancel);
    closers_[1] = std::make_unique<closer>(pool_, true);
    std::uint32_t free = 0;
    if (!guarded.is_taken.compare_exchange_strong(free, 1, acq_rel, relaxed)) {   // order: [P4] the next guard sees how the last one left it
        throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy), "lastly: there is a signal_guard already; a process has one at a time");
    }
    guarded.first.store(0, relaxed);     // order: no handler is installed
    guarded.signals.store(0, relaxed);   // order: no handler is installed
    guarded.events.store(0, relaxed);    // order: no handler is installed
    guarded.process.store(this_process(), relaxed);   // order: no handler is installed
    guarded.is_open.store(1, seq_cst);   // order: [P4] before a handler looks
    std::error_code refused = thread_.start(&signal_watch::main, this, "lastly-signal");
    const char* what = "lastly: the thread of a signal_guard cannot be started";
    for (const int s : options_.signals) {
        if (refused) break;
        if (!guarded.before.has(s)) refused = guarded.before.install(s, &on_signal, false);   // it may be listed twice
        what = "lastly: a signal_guard's handler cannot be installed";
    }
    if (!refused) {
        tell(guard_is_ready);
        return;
    }
    if (thread_.joinable()) {
        stop();
    } else {
        clear();
    }
    if (refused == std::errc::invalid_argument) throw std::invalid_argument(std::string(what) + ": a signal of the system's own");
    throw std::system_error(refused, what);
}

signal_watch::~signal_watch() {
    for (std::unique_ptr<closer>& c : closers_) {
        if (closers_go_on_) static_cast<void>(c.release());
    }
}

// Once it acts, a wait on one of its own threads, on top of a task, in a worker's hook or while the process ends might be for this very thread.
bool signal_watch::may_wait_here() const noexcept {
    for (const std::unique_ptr<closer>& c : closers_) {
        if (c != nullptr && c->runs_on.load(relaxed) == &this_thread) return false;   // order: its own, or another's
    }
    return this_thread.current == nullptr && this_thread.staying == nullptr && this_thread.self == nullptr && stage_of_process() == process_stage::living;
}

bool signal_watch::has_watched_for(std::chrono::nanoseconds limit) noexcept {
    for (const time_point until = deadline_after(limit); parts_.load(acquire) == 0;) {   // order: [P4] sees what its thread did
        if (!futex_wait_until(parts_, 0, until)) return parts_.load(acquire) != 0;         // order: [P4] sees what its thread did
    }
    return true;
}

void signal_watch::end(std::unique_ptr<signal_watch> watch) noexcept {
    if (watch->made_in_ != fork_generation()) {
        watch->thread_.forget();
        static_cast<void>(watch.release());
        return;
    }
    if (watch->leave_watch(ending) || (watch->may_wait_here() && (!watch->is_static_ || watch->has_watched_for(watch->pool_.options.exit_budget)))) return watch->stop();
    watch->pool_.is_kept.store(1, release);   // order: [P2] its threads go on with it
    watch->thread_.detach();
    signal_watch& left = *watch.release();
    if (left.parts_.fetch_add(1, acq_rel) == 0) return;   // order: [P4] sees what its thread did
    left.clear();
    delete &left;
}

bool signal_watch::leave_watch(doing next) noexcept {
    std::uint32_t now = watching;
    return doing_.compare_exchange_strong(now, next, acq_rel, acquire);   // order: [P4] the guard's end sees what its thread did
}

void signal_watch::stop() noexcept {
    leave_watch(ending);
    tell(guard_ends);
    thread_.join();
    clear();
}

void signal_watch::clear() noexcept {
    restore();
    guarded.is_open.store(0, seq_cst);                           // order: [P4] before the look for handlers
    while (guarded.handlers.load(seq_cst) != 0) yield_thread();   // order: [P4] sees what they did; whoever comes later sees that it is closed
    const bool came_late = doing_.load(relaxed) == ending && guarded.signals.load(relaxed) != 0;   // order: no handler notes any more, and the thread is done
    const int signal = guarded.first.load(relaxed);               // order: no handler notes any more
    guarded.is_taken.store(0, release);                          // order: [P4] the next guard sees how this one left it
    if (came_late) raise_in_process(signal);                     // to whoever is there for it now
}

void signal_watch::restore() noexcept {
    for (const int s : options_.signals) guarded.before.restore(s);
}

void forget_guard() noexcept {
    for (int s = 1; s < dispositions::count; ++s) guarded.before.restore(s);
    guarded.is_taken.store(0, relaxed);   // order: no other thread is there
    guarded.handlers.store(0, relaxed);   // order: likewise: what was running in one is not here
}

void signal_watch::main(void* self) {
    auto& me = *static_cast<signal_watch*>(self);
    if (me.is_ready()) {
        for (const int s : me.options_.signals) unblock_here(s);   // others may block it
        me.watch();
    }
    const std::uint32_t* const address = me.parts_.address();
    if (me.parts_.fetch_add(1, acq_rel) != 0) {   // order: [P4] sees what its owner did
        me.clear();
        delete &me;
    }
    futex_wake_all(address);
}

// False: not every handler could be installed.
bool signal_watch::is_ready() noexcept {
    for (;;) {
        const std::uint32_t now = guarded.events.load(acquire);   // order: [P4] sees the handlers installed
        if ((now & (guard_is_ready | guard_ends)) != 0) return (now & guard_is_ready) != 0;
        futex_wait(guarded.events, now);
    }
}

void signal_watch::watch() noexcept {
    for (;;) {
        const std::uint32_t now = guarded.events.load(acquire);   // order: [P4] sees what was noted before
        if (guarded.signals.load(acquire) != 0 && leave_watch(acting)) break;   // order: [P4] sees which was first
        if ((now & guard_ends) != 0) return;
        if (doing_.load(relaxed) == watching) futex_wait(guarded.events, now);   // order: if it has just ended, that is about to be told
    }
    closers_[0]->start();
    const bool ended = wait_for_end();
    if (!ended) {
        pool_.given_up.store(1, release);   // order: [P2] whoever ends the process leaves it out
        tell_what_hangs(pool_, pool_.options.exit_budget);
    }
    if (options_.raise_again) {
        const int signal = guarded.first.load(relaxed);   // order: published with the event
        end_process_by_signal(signal);
        restore();
        raise_in_process(signal);
    } else {
        restore();
    }
    closers_go_on_ = !ended;
    for (const std::unique_ptr<closer>& c : closers_) {
        if (ended) c->self.join();
        else c->self.detach();   // it may hang
    }
}

// False: a second signal came, and its time has passed.
bool signal_watch::wait_for_end() noexcept {
    time_point deadline = time_point::max();
    for (;;) {
        const std::uint32_t now = guarded.events.load(acquire);           // order: [P4] sees what was noted before
        if (closers_[0]->is_done.load(acquire) != 0) return true;         // order: [P4] the pool is closed
        const bool comes_second = guarded.signals.load(relaxed) >= 2;     // order: published with the event
        if (comes_second && !closers_[1]->is_started) {
            deadline = deadline_after(pool_.options.exit_budget);
            closers_[1]->start();
        }
        if (deadline == time_point::max()) futex_wait(guarded.events, now);
        else if (!futex_wait_until(guarded.events, now, deadline)) return closers_[0]->is_done.load(acquire) != 0;   // order: [P4] the pool is closed
    }
}

}   // namespace lastly::detail
