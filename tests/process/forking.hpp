// What fork_test's processes are made of: what the parent and its child tell, and pools that are full.
// In the process that forks, and in its child; their witness is read by the one that judges.
#pragma once

#include "tests/support/pools.hpp"
#include "tests/support/shared_process.hpp"

#include <atomic>
#include <chrono>
#include <system_error>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace forking {

using namespace std::chrono_literals;
using lastly::errc;
using lastly::finally;
using lastly::outcome;
using lastly::task_context;

constexpr unsigned queued = 1000;

// GCC's sanitizers hold locks of their allocator across a fork, in which a child with threads of its own stays; Clang's do not.
#if !defined(__clang__) && (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__))
const doctest::skip not_in_gcc_sanitizers(true);
#else
const doctest::skip not_in_gcc_sanitizers(false);
#endif

struct witness {
    std::atomic<unsigned> chains_in_parent{0}, chains_in_child{0}, begun{0}, right{0}, child_began{0}, received{0};
    std::atomic<int> child_status{-1}, milliseconds{-1};
    std::atomic<int> parent{0};

    void chain() { ++(::getpid() == parent ? chains_in_parent : chains_in_child); }
    void wait_for(pid_t child) {
        int status = 0;
        if (::waitpid(child, &status, 0) == child) child_status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }
};

inline witness* judged = nullptr;

// Tasks behind bodies that wait until they may go.
inline void fill(lastly::pool& pool, witness& w, const std::atomic<bool>& go, unsigned tasks = queued) {
    w.parent = ::getpid();
    for (unsigned i = 0; i < pool.workers(); ++i) {
        pool.detach([&w, &go] {
            ++w.begun;
            while (!go) std::this_thread::yield();
        }, finally([&w] { w.chain(); }));
    }
    while (w.begun < pool.workers()) std::this_thread::yield();
    for (unsigned i = 0; i < tasks; ++i) pool.detach([] {}, finally([&w] { w.chain(); }));
}

template <class Call>
bool is_refused_as_forked(Call call) {
    try {
        call();
    } catch (const std::system_error& e) {
        return e.code() == errc::forked;
    }
    return false;
}

}   // namespace forking
