// The watchdog: it names finalizers that outlast the budget, again and again, and nothing else.
#include "core/report/watchdog.hpp"

#include "captured_stderr.hpp"

#include "core/base/clock.hpp"
#include "lastly/detail/build.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <new>
#include <ostream>
#include <string>
#include <system_error>
#include <vector>

namespace detail = lastly::detail;
using detail::phase;
using lastly::error_report;
using lastly::report_kind;
using namespace std::chrono_literals;

namespace {

constexpr detail::frame_ops ops{nullptr, nullptr, nullptr, nullptr, {detail::block_kind::named_frame, 64}, 2, true, false, false};
constexpr auto budget = 4ms;

struct noted { std::string name; report_kind kind; std::uint32_t line; std::chrono::nanoseconds age; };

// One frame that is said to run, and what the watchdog tells about it.
class watched_frame {
public:
    watched_frame() {
        frame().progress.store(detail::make_progress(1, 0, 0, phase::free), detail::relaxed);   // not from the store
        detail::prepare_frame(frame(), ops, {"watched.cpp", 33});
        detail::store_name(frame(), "watched");
    }
    detail::frame& frame() { return *reinterpret_cast<detail::frame*>(bytes_); }
    static void tell(void* self, const error_report& r) { static_cast<watched_frame*>(self)->note(r); }

    static void probe(void* self, std::vector<detail::frame*>& running) {
        auto& w = *static_cast<watched_frame*>(self);
        running.push_back(&w.frame());
        const std::lock_guard lock(w.mutex_);
        ++w.probes_;
        w.changed_.notify_all();
    }
    void await_probes(int more) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this, until = probes_ + more] { return probes_ >= until; });
    }
    std::vector<noted> await_reports(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return reports_.size() >= count; });
        return reports_;
    }
    std::size_t reports() {
        const std::lock_guard lock(mutex_);
        return reports_.size();
    }

private:
    void note(const error_report& r) {
        const std::lock_guard lock(mutex_);
        reports_.push_back({r.name, r.kind, r.site.line, r.age});
        changed_.notify_all();
    }
    alignas(64) std::byte bytes_[64]{};
    std::mutex mutex_;
    std::condition_variable changed_;
    int probes_ = 0;
    std::vector<noted> reports_;
};

}   // namespace

TEST_CASE("watchdog: a finalizer that outlasts the budget is reported by name, again and again") {
    watched_frame w;
    w.frame().show(phase::finalizing, 0, 1);
    const auto begin = detail::steady_now();
    const detail::watchdog dog(budget, &watched_frame::tell, &watched_frame::probe, &w);
    const auto reports = w.await_reports(3);
    CHECK(detail::steady_now() - begin >= 3 * budget);   // one a budget
    std::chrono::nanoseconds before{0};
    for (const noted& r : reports) {
        CHECK(r.kind == report_kind::finalizer_overdue);
        CHECK(r.name == "watched");
        CHECK(r.line == 33);
        CHECK(r.age >= before + budget);
        before = r.age;
    }
}

TEST_CASE("watchdog: a body may run as long as it likes, and a queued or free frame is nobody's") {
    for (const phase p : {phase::running, phase::queued, phase::held, phase::building, phase::free}) {
        watched_frame w;
        w.frame().show(p, 0, 2);
        const detail::watchdog dog(1ms, &watched_frame::tell, &watched_frame::probe, &w);
        w.await_probes(5);
        CHECK(w.reports() == 0);
    }
}

TEST_CASE("watchdog: each finalizer of a chain has the budget for itself") {
    watched_frame w;
    constexpr auto long_budget = 40ms;
    w.frame().show(phase::finalizing, 0, 200);
    const detail::watchdog dog(long_budget, &watched_frame::tell, &watched_frame::probe, &w);
    const auto begin = detail::steady_now();
    bool late = false;   // a machine so busy that a single one took too long
    for (std::uint64_t pending = 199; pending > 0 && detail::steady_now() - begin < 3 * long_budget; --pending) {
        const auto turn = detail::steady_now();
        w.frame().show(phase::finalizing, 0, pending);   // the next one began
        w.await_probes(1);
        late = late || detail::steady_now() - turn >= long_budget / 2;
    }
    const std::size_t told = w.reports();
    CHECK((told == 0 || late));
}

TEST_CASE("watchdog: a new task in the same frame begins anew") {
    watched_frame w;
    w.frame().show(phase::finalizing, 0, 0);
    const detail::watchdog dog(budget, &watched_frame::tell, &watched_frame::probe, &w);
    w.await_reports(2);
    w.frame().show(phase::free, 0, 0);
    const std::size_t before = w.reports();
    detail::prepare_frame(w.frame(), ops, {"other.cpp", 44});
    detail::store_name(w.frame(), "other");
    w.frame().show(phase::finalizing, 0, 0);
    const auto reports = w.await_reports(before + 2);   // one of the old task may be under way
    CHECK(reports.back().name == "other");
    CHECK(reports.back().line == 44);
    for (const noted& r : reports) CHECK((r.name == "other") == (r.line == 44));
}

TEST_CASE("watchdog: its end waits for no tick") {
    watched_frame w;
    const auto begin = detail::steady_now();
    { const detail::watchdog dog(1h, &watched_frame::tell, &watched_frame::probe, &w); }
    CHECK(detail::steady_now() - begin < 1min);
    CHECK(w.reports() == 0);
}

TEST_CASE("watchdog: without a thread for it the construction says so") {
    watched_frame w;
    detail::fail_thread_start(1);
    try {
        const detail::watchdog dog(budget, &watched_frame::tell, &watched_frame::probe, &w);
        FAIL("no thread was left");
    } catch (const std::system_error& e) {
        CHECK(e.code() == std::errc::resource_unavailable_try_again);
        CHECK(std::string(e.what()).find("watchdog thread") != std::string::npos);
    }
}

TEST_CASE("tell_what_is_waited_for: it names the pool, the count, and up to eight tasks") {
    std::vector<lastly::live_task> running;
    const auto listed = [](void* tasks) { return *static_cast<std::vector<lastly::live_task>*>(tasks); };
    running.push_back({"slow", {"a.cpp", 1}, lastly::task_state::running, 1500ms, 3});
    running.push_back({"", {"b.cpp", 2}, lastly::task_state::finalizing, 20ms, 0});
    std::string text;
    {
        captured_stderr captured;
        detail::tell_what_is_waited_for(detail::who_waits::its_destructor, "front", 5s, 17, listed, &running);
        text = captured.text();
    }
    CHECK(text == "lastly: the destructor of pool front has been waiting for 5.0 s; tasks unfinished: 17\n"
                  "lastly:   slow (a.cpp:1) running for 1.5 s, 3 finalizers pending\n"
                  "lastly:   a task (b.cpp:2) finalizing for 0.0 s, 0 finalizers pending\n");
    for (int i = 0; i < 20; ++i) running.push_back(running[0]);
    captured_stderr captured;
    detail::tell_what_is_waited_for(detail::who_waits::its_destructor, "front", 5s, 17, listed, &running);
    text = captured.text();
    CHECK(std::count(text.begin(), text.end(), '\n') == 9);
}

TEST_CASE("tell_what_is_waited_for: without memory for a list it says so") {
    captured_stderr captured;
    detail::tell_what_is_waited_for(detail::who_waits::its_destructor, "front", 5s, 17, [](void*) -> std::vector<lastly::live_task> { throw std::bad_alloc(); }, nullptr);
    CHECK(captured.text() == "lastly: the destructor of pool front has been waiting for 5.0 s; tasks unfinished: 17\n"
                             "lastly:   (no memory to list them)\n");
}
