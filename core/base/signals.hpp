// Signal dispositions: installed, restored, raised.
// Any thread; what says so also from a signal handler.
#pragma once

#include <csignal>
#include <system_error>

namespace lastly::detail {

// What was installed for some signals before, in static memory: a handler reads it.
class dispositions {
public:
    static constexpr int count = 65;   // signals 1 to 64

    // `handler` for that signal from now on. `on_alternate_stack`: if the thread has one.
    std::error_code install(int signal, void (*handler)(int, siginfo_t*, void*), bool on_alternate_stack) noexcept;
    // As it was; nothing if it was not installed. From a handler, too.
    void restore(int signal) noexcept;
    // The same where `handler` still is, and though it may have been restored: somebody may have put the handler back. Remembers nothing. From a handler.
    void put_back(int signal, void (*handler)(int, siginfo_t*, void*)) const noexcept;
    bool has(int signal) const noexcept { return signal > 0 && signal < count && is_installed_[signal]; }

private:
    struct room {
        alignas(8) unsigned char bytes[160];   // a struct sigaction
    };
    room before_[count]{};
    bool is_installed_[count]{};
};

// Did somebody send it, rather than the thread's own fault cause it? A fault comes again when its handler returns.
bool was_sent(const siginfo_t& info) noexcept;
// This thread may have it.
void unblock_here(int signal) noexcept;
// The process is sent that signal. From a handler, too.
void raise_in_process(int signal) noexcept;
// This thread is sent that signal; within its own handler it comes when that returns. From a handler, too.
void raise_here(int signal) noexcept;
// The signal's default effect, on this thread. From a handler, too.
void have_default_effect(int signal) noexcept;

}   // namespace lastly::detail
