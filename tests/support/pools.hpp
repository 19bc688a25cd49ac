// What tests with pools share: the numbers of workers, a sink that remembers, a gate, an object that counts its lives.
#pragma once

#include <doctest/doctest.h>
#include <lastly/lastly.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace support {

// Runs the test with 1, 2 and 8 workers.
template <class Test>
void with_workers(Test test) {
    for (const unsigned workers : {1u, 2u, 8u}) {
        CAPTURE(workers);
        test(workers);
    }
}

// What an error sink was told, copied.
class sink_log {
public:
    struct entry {
        lastly::report_kind kind;
        std::string name, what;
        std::error_code cause;
        std::uint32_t line;
    };
    std::function<void(const lastly::error_report&)> function() {
        return [this](const lastly::error_report& r) {
            const std::lock_guard lock(mutex_);
            entries_.push_back({r.kind, r.name, r.what(), r.cause, r.site.line});
        };
    }
    std::vector<entry> entries() const {
        const std::lock_guard lock(mutex_);
        return entries_;
    }
    std::size_t count(lastly::report_kind kind) const {
        std::size_t n = 0;
        for (const entry& e : entries()) n += e.kind == kind ? 1u : 0u;
        return n;
    }

private:
    mutable std::mutex mutex_;
    std::vector<entry> entries_;
};

inline lastly::pool_options options(unsigned workers, sink_log* log = nullptr) {
    lastly::pool_options o;
    o.workers = workers;
    if (log != nullptr) o.error_sink = log->function();
    return o;
}

// A body that says that it runs, and waits to be let go.
class gate {
public:
    void pass() {
        arrived_.fetch_add(1);
        arrived_.notify_all();
        open_.wait(false);
    }
    void wait_for_arrivals(int n) {
        for (int now = arrived_.load(); now < n; now = arrived_.load()) arrived_.wait(now);
    }
    void open() {
        open_.store(true);
        open_.notify_all();
    }

private:
    std::atomic<int> arrived_{0};
    std::atomic<bool> open_{false};
};

// Occupies every worker of the pool until `open`; what is submitted meanwhile stays queued.
class blockade {
public:
    blockade(lastly::pool& pool, unsigned workers) {
        for (unsigned i = 0; i < workers; ++i) pool.detach([held = gate_] { held->pass(); });
        gate_->wait_for_arrivals(static_cast<int>(workers));
    }
    ~blockade() { open(); }
    void open() { gate_->open(); }

private:
    std::shared_ptr<gate> gate_ = std::make_shared<gate>();   // bodies may still be leaving it when this object goes
};

// Queued tasks of whose chains the first one hangs until it is opened; whoever took the others over with it comes to none of them before.
struct stuck_batch {
    explicit stuck_batch(lastly::pool& pool) {
        pool.detach([] {}, lastly::finally([this] { first.pass(); }));
        for (int i = 0; i < others; ++i) pool.detach([] {}, lastly::finally([this] { other_chains.fetch_add(1); }));
    }
    static constexpr int others = 200;
    gate first;
    std::atomic<int> other_chains{0};
};

// Counts how many of its kind are alive.
class canary {
public:
    explicit canary(std::atomic<int>& alive) : alive_(&alive) { alive_->fetch_add(1); }
    canary(const canary& other) : alive_(other.alive_) { alive_->fetch_add(1); }
    canary(canary&& other) noexcept : alive_(other.alive_) { alive_->fetch_add(1); }
    canary& operator=(const canary&) = delete;
    ~canary() { alive_->fetch_sub(1); }

private:
    std::atomic<int>* alive_;
};

// Inside a task: `first` as a branch on the calling worker and `second` on another one, which has begun when `first` does. Needs two workers.
template <class First, class Second>
void run_stolen(lastly::pool& pool, First first, Second second) {
    std::latch stolen(1);
    const auto here = std::this_thread::get_id();
    lastly::parallel_invoke(pool, [&] {
        stolen.wait();
        first();
    }, [&] {
        stolen.count_down();
        REQUIRE(std::this_thread::get_id() != here);
        second();
    });
}

// Does that throw what a task failed with whose thread was left (P4)?
inline bool is_thread_exited(const std::function<void()>& f) {
    try {
        f();
    } catch (const std::system_error& e) {
        return e.code() == lastly::errc::thread_exited;
    }
    return false;
}

// Calls that on a thread of its own. Did it leave the thread instead of coming back?
template <class Call>
bool leaves_its_thread(Call call) {
    std::atomic<bool> came_back{false};
    std::thread thread([&] {
        call();
        came_back = true;
    });
    thread.join();
    return !came_back;
}

// Every pool of a test ends like this: the books balance and nothing lives.
inline void check_end(lastly::pool& pool) {
    const lastly::shutdown_report end = pool.shutdown();
    CHECK(end.complete);
    CHECK(end.ledger.balanced());
    CHECK(end.ledger.live == 0);
    CHECK(end.still_running.empty());
}

// Waits, without a limit, for something that another thread makes true.
template <class Condition>
void await(Condition condition) {
    while (!condition()) std::this_thread::yield();
}

// Calls it as a stop callback on the timer's thread. A deadline that has passed before its callback is there calls that here:
// then once more, with a later one.
template <class Call>
void at_a_deadline(Call call) {
    const auto here = std::this_thread::get_id();
    std::atomic<bool> is_over{false};
    for (auto timeout = std::chrono::milliseconds(1); !is_over; timeout *= 2) {
        REQUIRE(timeout < std::chrono::seconds(10));
        std::latch called(1);
        const lastly::cancel_source timed = lastly::with_timeout(lastly::context::background(), timeout);
        const std::stop_callback callback(timed.context().stop_token(), [&] {
            if (std::this_thread::get_id() != here) {
                call();
                is_over = true;
            }
            called.count_down();
        });
        called.wait();
    }
}

}   // namespace support
