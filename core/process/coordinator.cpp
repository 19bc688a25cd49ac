// See coordinator.hpp, and README.md here.
#include "core/process/coordinator.hpp"

#include "core/base/clock.hpp"
#include "core/base/process.hpp"
#include "core/base/thread.hpp"
#include "core/sched/pool_core.hpp"
#include "core/sched/stand_in.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"
#include "lastly/error.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace lastly::detail {

namespace {

using time_point = std::chrono::steady_clock::time_point;

constexpr auto grace = std::chrono::milliseconds(500);   // for the exiting thread to see that its time is over
constexpr auto patience = std::chrono::seconds(1);       // with the exiting thread, if its time has no limit

// Constant-initialised, and a futex word: nobody may come too early or too late.
constinit struct {
    atomic<const thread_block*> exiting_thread{nullptr};
    atomic<int> status{EXIT_FAILURE};
    time_point begin{}, deadline{};          // written before the guard's thread is started
    futex_word is_over{0};
    futex_word told{0};                      // what hangs: 1 somebody says it, 2 it is said
    futex_word are_closed{0};                // all pools: no body begins any more
    futex_word is_released{0};               // it was a signal's end: any thread may exit now
} the_end;

template <class Act>
void each_pool(Act act) {
    for (pool_core* p = first_living(); p != nullptr; p = p->next_living) {
        if (p->given_up.load(acquire) == 0) act(*p);   // order: [P2] its time is over
    }
}

// The largest budget of all pools counts, from when static pools began to be destroyed; half of it is left in any case.
time_point find_deadline() noexcept {
    std::chrono::nanoseconds longest{0};
    each_pool([&](const pool_core& p) { longest = std::max(longest, p.options.exit_budget); });
    const time_point whole = deadline_after(longest);
    return whole == time_point::max() ? whole : std::max(whole - time_of_exit(), the_end.begin + longest / 2);
}

// Back when it is said, by whomever; that one's stream may be locked by who hangs.
void tell_all_that_hangs() noexcept {
    std::uint32_t nobody = 0;
    if (the_end.told.compare_exchange_strong(nobody, 1, relaxed, relaxed)) {   // order: one teller only
        each_pool([](pool_core& p) {
            if (!rest_for_exit(p, time_point::min())) tell_what_hangs(p, steady_now() - the_end.begin);
        });
        the_end.told.store(2, release);   // order: [P3] the process may end
        futex_wake_all(the_end.told.address());
    }
    const time_point now = steady_now(), latest = the_end.deadline == time_point::max() ? now + grace : the_end.deadline + grace / 2;   // before the guard ends the process
    for (const time_point until = std::min(now + grace, latest); the_end.told.load(acquire) != 2 && steady_now() < until;) futex_wait_until(the_end.told, 1, until);   // order: [P3] the process may end
}

void close_and_help() {
    each_pool([](pool_core& p) { close_for_exit(p); });
    the_end.are_closed.store(1, release);   // order: [P3] whoever stands in from now on sees closed pools
    futex_wake_all(the_end.are_closed.address());
    each_pool([](pool_core& p) { help_for_exit(p, the_end.deadline); });
}

bool wait_for_the_end(time_point until) noexcept {
    while (the_end.is_over.load(acquire) == 0) {   // order: [P3] the exiting thread is done
        if (!futex_wait_until(the_end.is_over, 0, until)) return the_end.is_over.load(acquire) != 0;   // order: [P3] the exiting thread is done
    }
    return true;
}

// Whatever a finalizer does with the thread that runs it, the rest of what is to be done here is done.
void help_elsewhere(void*) {
    with_rest([] { close_and_help(); }, [] { help_elsewhere(nullptr); });
}

// If no thread can be had, not at all: it may hang.
void detached(void (*entry)(void*)) noexcept {
    thread made;
    if (!made.start(entry, nullptr, "lastly-exit")) made.detach();
}

// The guard. If the exiting thread is stuck in a chain of its own, another one takes care of the other chains; if it has not come back in the end, the
// process ends without it. The guard itself runs nothing of the user's, and waits for nobody.
void guard(void*) {
    const bool has_limit = the_end.deadline != time_point::max();
    if (wait_for_the_end(has_limit ? the_end.begin + (the_end.deadline - the_end.begin) / 2 : the_end.begin + patience)) return;
    detached(&help_elsewhere);
    if (!has_limit) return;
    if (wait_for_the_end(the_end.deadline)) return;
    detached([](void*) { tell_all_that_hangs(); });   // its stream may be locked by whoever hangs
    if (wait_for_the_end(the_end.deadline + grace)) return;
    leave_process(the_end.status.load(relaxed));   // order: written before this thread was started
}

void start_guard() noexcept {
    thread made;
    if (first_living() == nullptr || LASTLY_FAULT("P1-hang")) return;
    if (!made.start(&guard, nullptr, "lastly-exit")) made.detach();
}

// All that runs on this thread ends, then all pools. Once more if a finalizer that runs here calls exit itself.
void end_rest() {
    if (!LASTLY_FAULT("P2")) end_runs_here(errc::process_exit);
    if (!LASTLY_FAULT("P1")) close_and_help();
    bool rests = true;
    each_pool([&](pool_core& p) { rests = (LASTLY_FAULT("P1") || rest_for_exit(p, the_end.deadline)) && rests; });
    if (!rests) tell_all_that_hangs();
    each_pool([](pool_core& p) { p.sink.tell_suppressed(); });
    end_process_end();
    the_end.is_over.store(1, release);   // order: [P3] the guard has nothing more to do
    futex_wake_all(the_end.is_over.address());
}

void end_all(int status) {
    the_end.exiting_thread.store(&this_thread, relaxed);   // order: others compare it only
    the_end.status.store(status, relaxed);                 // order: before the guard's thread is started
    the_end.begin = steady_now();
    the_end.deadline = find_deadline();
    start_guard();
    end_rest();
}

struct release_wait {
    bool is_over() const noexcept { return the_end.is_released.load(acquire) != 0; }   // order: [P3] a signal's end is over
    void sleep() const noexcept {
        while (!is_over()) futex_wait(the_end.is_released, 0);
    }
};

// Another thread ends the process: this one must not return, since that would end it at once. For ever, if that one exits. What a worker has queued
// is taken care of by who stands in for it.
void wait_for_release() {
    while (the_end.are_closed.load(acquire) == 0) futex_wait(the_end.are_closed, 0);   // order: [P3] sees closed pools
    release_wait wait;
    if (this_thread.self != nullptr) stand_aside(*this_thread.self->pool.anchor, wait, false);
    else wait.sleep();
}

void end_process_here(int status) {
    if (begin_process_end()) return end_all(status);
    if (the_end.exiting_thread.load(relaxed) != &this_thread) {   // order: compared only, with its own address
        end_runs_here(errc::process_exit);
        return wait_for_release();
    }
    the_end.status.store(status, relaxed);                         // order: whoever ends the process by force may as well use the first
    if (stage_of_process() == process_stage::ending) end_rest();   // exit within what it runs here
}

}   // namespace

// If a finalizer leaves the thread that ends the process, the rest runs meanwhile, and then the process ends all the same.
void end_process(int status) noexcept {
    nothing_caught here;   // `exit` may lie within a catch
    with_rest([status] { end_process_here(status); }, [status] {
        end_process(status);
        leave_process(status);
    });
    here.restore();
}

void forget_the_end() noexcept {
    the_end.exiting_thread.store(nullptr, relaxed);                                              // order: no other thread is there
    for (auto* const word : {&the_end.is_over, &the_end.told, &the_end.are_closed, &the_end.is_released}) word->store(0, relaxed);   // order: no other thread is there
}

void end_process_by_signal(int signal) noexcept {
    if (!begin_process_end()) return wait_for_release();   // somebody exits meanwhile
    with_rest([signal] { end_all(128 + signal); }, [signal] {
        end_process(128 + signal);
        leave_process(128 + signal);
    });
    the_end.exiting_thread.store(nullptr, relaxed);   // order: others compare it only
    the_end.is_released.store(1, release);            // order: [P3] whoever exits from now on goes through
    futex_wake_all(the_end.is_released.address());
}

}   // namespace lastly::detail
