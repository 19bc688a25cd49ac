// fork under load, from outside and from a body: the parent keeps every task, the child runs none of them, is refused by the parent's pool, and
// makes pools of its own. Each in a process of its own, three at a time. Rule P6.
#include "stress/scenarios/process.hpp"

#include <algorithm>
#include <cstdlib>

#include <sys/wait.h>
#include <unistd.h>

namespace lastly::stress::scenarios {

namespace {

enum class way { from_outside, from_a_body, comes_back_in_a_body, count };
constexpr int child_status = 3, ends_the_child = 1;
constexpr unsigned at_once = 3;

// In the child: the parent's pool refuses, one of its own works.
[[noreturn]] void live_as_child(round& r, pool& parents) {
    r.renew();
    bool refused = false;
    send<2>(r.next(), {.ends = ends::rejected, .must_not_begin = true, .unbooked = true}, [&](auto&&... parts) {
        try {
            parents.detach(std::forward<decltype(parts)>(parts)...);
        } catch (const task_rejected& e) {
            refused = e.code() == errc::forked;
            throw;
        }
    }, [] {});
    r.check(refused, "P6: in the child the parent's pool rejects with errc::forked");
    pool own(r.options());
    queue(r, own, 8, succeeds);
    r.close(own);
    std::exit(child_status);
}

int status_of(pid_t child) {
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A body forks and comes back in the child, as if that were the parent; what is not under witness there would be witnessed twice.
void come_back(round& r, shared_counts& chains) {
    const pid_t parent = ::getpid();
    pool p(r.options());
    p.detach([&r] {
        const pid_t child = fork_bounded();
        if (child == 0) ::close(STDERR_FILENO);   // it says that it ends
        else r.check(status_of(child) == ends_the_child, "P6: a body that forked and comes back in the child ends the child");
    }, finally([&chains, parent] { chains[::getpid() == parent ? 0 : 1].fetch_add(1, std::memory_order_relaxed); }));
    p.shutdown();
    r.check(chains[0] == 1 && chains[1] == 0, "P6: a chain runs in the parent only");
}

// Bodies run on every worker but the one that forks, tasks wait behind them, and another thread submits more, until the child is gone.
void live(round& r, way how, unsigned tasks) {
    shared_counts chains;
    pool p(r.options());
    std::atomic<bool> go{false};
    occupy_until(r, p, how == way::from_a_body ? p.workers() - 1 : p.workers(), go, succeeds);
    std::thread other([&] {
        for (unsigned i = 0; i < tasks && !go; ++i) {
            queue(r, p, 1, succeeds);
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
    });
    const auto split = [&] {
        queue(r, p, tasks, succeeds);
        const pid_t child = fork_bounded();
        if (child == 0) live_as_child(r, p);
        r.check(status_of(child) == child_status, "P6: a child with pools of its own ends as it likes");
        go = true;
    };
    switch (how) {
        case way::from_outside: split(); break;
        case way::from_a_body:
            send<2>(r.next(), succeeds, into(p), [&](task_context& t, cell& c) {
                defer(t, c);
                split();   // what it queues waits for this worker
            });
            break;
        default:
            queue(r, p, tasks, succeeds);
            come_back(r, chains);
            go = true;
    }
    other.join();
    r.close(p);
    std::exit(0);
}

}   // namespace

void forks(round& r) {
#if !defined(__clang__) && (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__))
    throw std::system_error(std::make_error_code(std::errc::not_supported), "P6: a child may find the allocator of GCC's sanitizers locked");
#endif
    random_numbers random = r.random();
    for (std::uint64_t left = r.tasks(), number = r.index(); left > 0;) {
        std::vector<process> together;
        for (unsigned i = 0; i < at_once && left > 0; ++i, ++number) {
            const unsigned tasks = static_cast<unsigned>(16 + random.below(64));
            const auto how = static_cast<way>(number % static_cast<unsigned>(way::count));
            together.emplace_back(r, [&] { live(r, how, tasks); });
            r.count_one(static_cast<unsigned>(how));
            left -= std::min<std::uint64_t>(left, 2 * tasks + 20);
        }
        for (process& p : together) r.check(p.wait() == 0, "P6: the parent goes on as if nothing had been");
    }
}

}   // namespace lastly::stress::scenarios
