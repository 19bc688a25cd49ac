// Threads: started with a name and a signal mask, joined or detached, and the call at their end.
#include "core/base/thread.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <future>
#include <memory>
#include <pthread.h>
#include <string>
#include <thread>
#include <utility>

namespace detail = lastly::detail;

namespace {

struct seen_inside {
    std::string name;
    sigset_t mask;
    bool blocked(int signal) const { return ::sigismember(&mask, signal) == 1; }
};

void look_around(void* to) {
    auto& seen = *static_cast<seen_inside*>(to);
    char name[32] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    seen.name = name;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &seen.mask);
}

void do_nothing(void*) {}

std::atomic<int> exits{0}, destroyed{0}, destroyed_at_exit{-1};

struct tells_when_destroyed {
    bool armed = false;
    ~tells_when_destroyed() {
        if (armed) ++destroyed;
    }
};
thread_local tells_when_destroyed local_object;

void note_exit() {
    ++exits;
    destroyed_at_exit = destroyed.load();
}
void note_exit_and_arm_again() {
    note_exit();
    if (exits.load() < 3) detail::on_thread_exit(&note_exit_and_arm_again);
}

// Runs `call` on a thread of its own, after the notes were cleared.
template <class Call>
void in_a_thread(Call call) {
    exits = 0;
    destroyed = 0;
    destroyed_at_exit = -1;
    std::thread(call).join();
}

}   // namespace

TEST_CASE("thread: it runs its entry with the argument, under its name") {
    seen_inside seen;
    detail::thread t;
    CHECK_FALSE(t.joinable());
    REQUIRE_FALSE(t.start(&look_around, &seen, "tester"));
    CHECK(t.joinable());
    t.join();
    CHECK_FALSE(t.joinable());
    CHECK(seen.name == "tester");
    t.join();   // nothing left to do
}

TEST_CASE("thread: a long name is cut to what the kernel shows") {
    seen_inside seen;
    detail::thread t;
    REQUIRE_FALSE(t.start(&look_around, &seen, "a-name-of-more-than-15-bytes"));
    t.join();
    CHECK(seen.name == "a-name-of-more-");
}

TEST_CASE("thread: it blocks the four signals that end a program, and no other") {
    sigset_t before, after;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &before);
    seen_inside seen;
    detail::thread t;
    REQUIRE_FALSE(t.start(&look_around, &seen, "masked"));
    t.join();
    ::pthread_sigmask(SIG_BLOCK, nullptr, &after);
    for (int signal = 1; signal < 32; ++signal) {
        CAPTURE(signal);
        const bool ends_the_program = signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
        CHECK(seen.blocked(signal) == (ends_the_program || ::sigismember(&before, signal) == 1));
        CHECK(::sigismember(&before, signal) == ::sigismember(&after, signal));
    }
}

TEST_CASE("thread: it may be moved, and then the other one is joined") {
    seen_inside seen;
    detail::thread t;
    REQUIRE_FALSE(t.start(&look_around, &seen, "moved"));
    detail::thread other = std::move(t);
    CHECK_FALSE(t.joinable());
    CHECK(other.joinable());
    other.join();
    CHECK(seen.name == "moved");
}

TEST_CASE("thread: a detached one runs to its end") {
    using shared_promise = std::shared_ptr<std::promise<void>>;   // the thread may be the last to let go of it
    const auto done = std::make_shared<std::promise<void>>();
    const auto run = [](void* p) {
        const std::unique_ptr<shared_promise> mine(static_cast<shared_promise*>(p));
        (*mine)->set_value();
    };
    auto passed = std::make_unique<shared_promise>(done);
    detail::thread t;
    REQUIRE_FALSE(t.start(run, passed.get(), "detached"));
    static_cast<void>(passed.release());
    t.detach();
    CHECK_FALSE(t.joinable());
    done->get_future().wait();
}

TEST_CASE("thread: the n-th start from now on fails when a test asks for it") {
    detail::thread first, second;
    detail::fail_thread_start(2);
    CHECK_FALSE(first.start(&do_nothing, nullptr, "first"));
    CHECK(second.start(&do_nothing, nullptr, "second") == std::errc::resource_unavailable_try_again);
    CHECK_FALSE(second.joinable());
    CHECK_FALSE(second.start(&do_nothing, nullptr, "again"));
    first.join();
    second.join();
    detail::fail_thread_start(1);
    detail::fail_thread_start(0);
    detail::thread third;
    CHECK_FALSE(third.start(&do_nothing, nullptr, "third"));
    third.join();
}

TEST_CASE("on_thread_exit: the call comes once, after the thread's own destructors") {
    in_a_thread([] {
        local_object.armed = true;
        detail::on_thread_exit(&note_exit);
        detail::on_thread_exit(&note_exit);
    });
    CHECK(exits.load() == 1);
    CHECK(destroyed_at_exit.load() == 1);
}

TEST_CASE("on_thread_exit: a call that arms itself again is called again") {
    in_a_thread([] { detail::on_thread_exit(&note_exit_and_arm_again); });
    CHECK(exits.load() == 3);
}

TEST_CASE("on_thread_exit: it is the thread's own affair") {
    bool armed = false;
    in_a_thread([&] { armed = detail::on_thread_exit(&note_exit); });
    CHECK(armed);
    CHECK(exits.load() == 1);
    in_a_thread([] {});
    CHECK(exits.load() == 0);
}

TEST_CASE("on_thread_exit: threads of the library have one, too") {
    exits = 0;
    detail::thread t;
    REQUIRE_FALSE(t.start([](void*) { detail::on_thread_exit(&note_exit); }, nullptr, "leaver"));
    t.join();
    CHECK(exits.load() == 1);
}

TEST_CASE("yield_thread: giving way and pausing come back") {
    detail::yield_thread();
    detail::pause_cpu();
    CHECK(true);
}
