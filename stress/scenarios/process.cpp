// See process.hpp.
#include "stress/scenarios/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <system_error>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lastly::stress::scenarios {

pid_t fork_bounded() {
    constexpr unsigned longest_life = 60;   // seconds
    const pid_t made = ::fork();
    if (made < 0) throw std::system_error(errno, std::generic_category(), "a process of the scenario");
    if (made == 0) ::alarm(longest_life);
    return made;
}

pid_t process::begin() {
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    const pid_t made = fork_bounded();
    if (made == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) std::_Exit(0);   // it was gone before that
    }
    return made;
}

void process::leave() noexcept { std::_Exit(came_back); }

void process::send(int signal) const noexcept { ::kill(number_, signal); }

int process::wait() noexcept {
    int status = 0;
    while (::waitpid(number_, &status, 0) < 0 && errno == EINTR) {}
    number_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : by_signal + WTERMSIG(status);
}

shared_counts::shared_counts() {
    void* const page = ::mmap(nullptr, size * sizeof(std::atomic<unsigned>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::bad_alloc();
    counts_ = static_cast<std::atomic<unsigned>*>(page);
    std::uninitialized_value_construct_n(counts_, size);
}
shared_counts::~shared_counts() { ::munmap(counts_, size * sizeof(std::atomic<unsigned>)); }

void stay() noexcept {
    for (;;) ::pause();
}

void occupy_until(round& r, pool& p, unsigned bodies, const std::atomic<bool>& go, task_plan plan) {
    std::atomic<unsigned>& running = *new std::atomic<unsigned>(0);   // for as long as the process lives
    for (unsigned i = 0; i < bodies; ++i) {
        send<2>(r.next(), plan, into(p), [&running, &go](task_context& t, cell& c) {
            defer(t, c);
            running.fetch_add(1, std::memory_order_relaxed);
            while (!go.load(std::memory_order_relaxed)) std::this_thread::yield();
        });
    }
    while (running.load(std::memory_order_relaxed) < bodies) std::this_thread::yield();
}

}   // namespace lastly::stress::scenarios
