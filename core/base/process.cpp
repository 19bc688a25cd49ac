// See process.hpp; Linux and glibc.
#include "core/base/process.hpp"

#include "lastly/detail/atomic.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <link.h>
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

int this_process() noexcept { return ::getpid(); }

void leave_process(int status) noexcept { ::_exit(status); }

bool on_fork(void (*before)(), void (*in_parent)(), void (*in_child)()) noexcept { return ::pthread_atfork(before, in_parent, in_child) == 0; }

namespace {
atomic<std::uint32_t> forks{0};
}   // namespace

std::uint32_t fork_generation() noexcept { return forks.load(relaxed); }   // order: changes while a process has one thread
void end_child() noexcept {
    std::fputs("lastly: what called fork in a task, or on another thread of lastly's, has come back in the child process, where nothing of the parent's goes on; the child ends\n", stderr);
    leave_process(1);
}
void note_fork() noexcept { forks.store(forks.load(relaxed) + 1, relaxed); }   // order: changes while a process has one thread

bool lies_in_an_image(const void* address) noexcept {
    Dl_info about;
    return ::dladdr(address, &about) != 0;
}

void keep_image() noexcept {
    static constinit atomic<bool> is_kept{false};
    if (is_kept.load(relaxed)) return;   // order: twice does no harm
    Dl_info about;
    link_map* image = nullptr;
    const bool is_program = ::dladdr1(&forks, &about, reinterpret_cast<void**>(&image), RTLD_DL_LINKMAP) == 0 || image == nullptr || *image->l_name == '\0';
    if (!is_program && ::dlopen(image->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) == nullptr) return;   // no memory: the next pool tries again
    is_kept.store(true, relaxed);   // order: twice does no harm
}

std::string name_of_signal(int number) {
    const char* const name = ::sigabbrev_np(number);
    const char* const words = ::sigdescr_np(number);
    if (name == nullptr || words == nullptr) return std::string("signal ") + std::to_string(number);
    return std::string("SIG") + name + " (" + words + ")";
}

}   // namespace lastly::detail
