// See signals.hpp; POSIX.
#include "core/base/signals.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>

#include <unistd.h>

namespace lastly::detail {

std::error_code dispositions::install(int signal, void (*handler)(int, siginfo_t*, void*), bool on_alternate_stack) noexcept {
    static_assert(sizeof(struct sigaction) <= sizeof(room));
    if (signal <= 0 || signal >= count) return std::make_error_code(std::errc::invalid_argument);
    struct sigaction mine{}, before{};
    mine.sa_sigaction = handler;
    mine.sa_flags = SA_SIGINFO | SA_RESTART | (on_alternate_stack ? SA_ONSTACK : 0);
    ::sigemptyset(&mine.sa_mask);
    if (::sigaction(signal, nullptr, &before) != 0) return {errno, std::system_category()};
    std::memcpy(before_[signal].bytes, &before, sizeof before);   // before the handler may look at it
    is_installed_[signal] = true;
    if (::sigaction(signal, &mine, nullptr) == 0) return {};
    is_installed_[signal] = false;
    return {errno, std::system_category()};
}

void dispositions::restore(int signal) noexcept {
    if (!has(signal)) return;
    struct sigaction before{};
    std::memcpy(&before, before_[signal].bytes, sizeof before);
    ::sigaction(signal, &before, nullptr);
    is_installed_[signal] = false;
}

void dispositions::put_back(int signal, void (*handler)(int, siginfo_t*, void*)) const noexcept {
    struct sigaction now{}, before{};
    if (signal <= 0 || signal >= count || ::sigaction(signal, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) == 0 || now.sa_sigaction != handler) return;
    std::memcpy(&before, before_[signal].bytes, sizeof before);
    ::sigaction(signal, &before, nullptr);
}

bool was_sent(const siginfo_t& info) noexcept { return info.si_code <= 0; }

void unblock_here(int signal) noexcept {
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, signal);
    ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
}

void raise_in_process(int signal) noexcept { ::kill(::getpid(), signal); }

void raise_here(int signal) noexcept { ::raise(signal); }

void have_default_effect(int signal) noexcept {
    struct sigaction by_default{};
    by_default.sa_handler = SIG_DFL;
    ::sigemptyset(&by_default.sa_mask);
    ::sigaction(signal, &by_default, nullptr);
    ::raise(signal);
    unblock_here(signal);   // within its own handler it waits until here
}

}   // namespace lastly::detail
