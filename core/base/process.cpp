// See process.hpp; Linux and glibc.
#include "core/base/process.hpp"

#include "lastly/detail/atomic.hpp"

#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

namespace lastly::detail {

namespace {

void call_with_status(int status, void* handler) {
    void (*function)(int) = nullptr;
    static_assert(sizeof function == sizeof handler);
    std::memcpy(&function, &handler, sizeof function);
    function(status);
}

}   // namespace

bool on_exit_call(void (*handler)(int status)) noexcept {
    void* raw = nullptr;
    std::memcpy(&raw, &handler, sizeof raw);
    return ::on_exit(&call_with_status, raw) == 0;
}

bool on_quick_exit_call(void (*handler)()) noexcept { return std::at_quick_exit(handler) == 0; }

void leave_process(int status) noexcept { ::_exit(status); }

bool on_fork(void (*before)(), void (*in_parent)(), void (*in_child)()) noexcept { return ::pthread_atfork(before, in_parent, in_child) == 0; }

namespace {
atomic<std::uint32_t> forks{0};
}   // namespace

std::uint32_t fork_generation() noexcept { return forks.load(relaxed); }   // order: changes while a process has one thread
void note_fork() noexcept { forks.store(forks.load(relaxed) + 1, relaxed); }   // order: changes while a process has one thread

bool lies_in_an_image(const void* address) noexcept {
    Dl_info about;
    return ::dladdr(address, &about) != 0;
}

std::string name_of_signal(int number) {
    const char* const name = ::sigabbrev_np(number);
    const char* const words = ::sigdescr_np(number);
    if (name == nullptr || words == nullptr) return std::string("signal ") + std::to_string(number);
    return std::string("SIG") + name + " (" + words + ")";
}

}   // namespace lastly::detail
