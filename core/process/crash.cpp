// See crash.hpp.
#include "core/process/crash.hpp"

#include "core/base/futex.hpp"
#include "core/base/signals.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace lastly::detail {

namespace {

constexpr std::size_t most = 32;
constexpr int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};

constinit struct {
    std::mutex mutex;                       // registration only
    bool is_installed = false;              // under the mutex
    dispositions before;
    struct {
        void (*callable)(void*);
        void* argument;
    } list[most]{};
    atomic<std::uint32_t> count{0};
    atomic<const thread_block*> first{nullptr};   // the thread that crashed first
} crash;

// Async-signal-safe, as the callables have to be.
void on_fatal(int signal, siginfo_t* info, void*) {
    const int error = errno;
    const thread_block* first = nullptr;
    if (crash.first.compare_exchange_strong(first, &this_thread, relaxed, relaxed)) {   // order: one thread runs them
        const std::uint32_t count = crash.count.load(acquire);                          // order: [P5] sees what was registered
        for (std::uint32_t i = 0; i < count && !LASTLY_FAULT("P7"); ++i) crash.list[i].callable(crash.list[i].argument);
    } else if (first != &this_thread) {
        for (const futex_word never{0};;) futex_wait(never, 0);   // the process ends when the first one is done
    }
    for (const int s : fatal) crash.before.restore(s);
    if (was_sent(*info)) raise_here(signal);
    errno = error;
}

}   // namespace

void hold_crash_callables() noexcept { crash.mutex.lock(); }
void release_crash_callables(bool in_child) noexcept {
    crash.mutex.unlock();
    const thread_block* const first = crash.first.load(relaxed);                 // order: no other thread is there
    if (in_child && first != &this_thread) crash.first.store(nullptr, relaxed);   // order: likewise: whoever runs them in the parent is not here
}

bool add_crash_callable(void (*callable)(void*), void* argument) noexcept {
    const std::lock_guard lock(crash.mutex);
    const std::uint32_t count = crash.count.load(relaxed);   // order: changed under the lock
    if (count == most) return false;
    if (!crash.is_installed) {
        for (const int s : fatal) {
            if (!crash.before.install(s, &on_fatal, true)) continue;
            for (const int installed : fatal) crash.before.restore(installed);
            return false;
        }
        crash.is_installed = true;
    }
    crash.list[count] = {callable, argument};
    crash.count.store(count + 1, release);   // order: [P5] publishes the callable
    return true;
}

}   // namespace lastly::detail
