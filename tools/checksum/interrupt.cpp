// See interrupt.hpp.
#include "interrupt.hpp"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>

namespace checksum {
namespace {

std::atomic<int> noted_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler stores to it");

std::atomic<std::int64_t> noted_at_ms{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "a signal handler stores to it");

/// timeout(1) signals the program and then its process group, which is one request and must not count as two.
constexpr std::int64_t one_request_ms = 500;

std::int64_t now_ms() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void note(int signal) {
    if (noted_signal.load(std::memory_order_relaxed) == 0) {        // order: relaxed; the number is all that is told
        noted_at_ms.store(now_ms(), std::memory_order_relaxed);     // order: relaxed; read by this handler only, on the main thread
        noted_signal.store(signal, std::memory_order_relaxed);      // order: relaxed; as above
    } else if (now_ms() - noted_at_ms.load(std::memory_order_relaxed) >= one_request_ms) {      // order: relaxed; as above
        end_by(signal);
    }
}

}  // namespace

void watch_for_interrupts() {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before {};
        if (::sigaction(signal, nullptr, &before) != 0) continue;
        const bool usual = (before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_DFL;
        if (!usual) continue;
        struct sigaction action {};
        action.sa_handler = note;
        // None of the three while another is being handled: the handler is nobody's but one at a time.
        for (const int other : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&action.sa_mask, other);
        ::sigaction(signal, &action, nullptr);
    }
    for (const int signal : {SIGPIPE, SIGXFSZ}) {
        struct sigaction action {};
        action.sa_handler = SIG_IGN;
        ::sigaction(signal, &action, nullptr);
    }
}

int interrupted() noexcept {
    return noted_signal.load(std::memory_order_relaxed);        // order: relaxed; see note()
}

const char* signal_name(int signal) noexcept {
    switch (signal) {
        case SIGINT: return "SIGINT";
        case SIGTERM: return "SIGTERM";
        case SIGHUP: return "SIGHUP";
        default: return "a signal";
    }
}

void end_by(int signal) noexcept {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
    ::raise(signal);
}

}  // namespace checksum
