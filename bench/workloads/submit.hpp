// The workload "external submission": empty tasks with a 16-byte capture and cleanups of 8 bytes each, from threads that are no workers.
// Written once, over a backend (../peers/). run_round is called by one thread, the first producer; the others wait in `producers`.
// Cleanups are attached, that is given with the task, or deferred: the body decides on them, and they are no part of the capture.
// 1. The clock runs from the first submission until every task and every cleanup is over. 2. Each round checks that exactly what
// was submitted has run, and aborts otherwise. 3. Gated: every worker is held by a task of its own before the clock starts,
// and let go once everything is submitted.
#pragma once

#include "workloads/empty_task.hpp"
#include "workloads/tally.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace bench {

enum class submit_kind : std::uint8_t { plain, one_attached, three_attached, ten_attached, one_deferred, three_deferred, ten_deferred };
inline constexpr std::array submit_kinds{submit_kind::plain,      submit_kind::one_attached, submit_kind::three_attached,
                                         submit_kind::ten_attached, submit_kind::one_deferred, submit_kind::three_deferred,
                                         submit_kind::ten_deferred};

constexpr unsigned cleanups_of(submit_kind kind) noexcept {
    switch (kind) {
        case submit_kind::plain: return 0;
        case submit_kind::one_attached:
        case submit_kind::one_deferred: return 1;
        case submit_kind::three_attached:
        case submit_kind::three_deferred: return 3;
        case submit_kind::ten_attached:
        case submit_kind::ten_deferred: return 10;
    }
    return 0;
}
constexpr bool is_deferred(submit_kind kind) noexcept { return kind >= submit_kind::one_deferred; }

// A backend is made with a number of workers and one of submitting threads. `producer`: one a submitting thread, made and used there;
// `within(loop)` calls the loop in whatever surroundings the pool's users submit from; `submit_any` takes any callable.
// `wait(done)` returns once every task is over; `done()` tells, for pools that leave counting to their users.
template <class B>
concept submit_backend = requires(B& pool, typename B::producer& by, task_body body, cleanup c, unsigned workers, unsigned producers) {
    B(workers, producers);
    requires std::is_constructible_v<typename B::producer, B&>;
    by.within([] {});
    by.submit(body);
    by.submit(body, c, c, c);
    by.template submit_deferring<3>(body);
    by.submit_any([] {});
    pool.wait([] { return true; });
};

struct submit_shape {
    unsigned workers;
    unsigned producers;
    std::size_t tasks;   // all producers together
    submit_kind kind;
    bool gated;
};

struct submit_times {
    double submit_ns;   // a task
    double drain_ns;    // a task, after the last submission
    unsigned threads;   // that ran tasks
};

template <class Producer>
void submit_share(Producer& by, tally& to, std::size_t count, submit_kind kind) {
    const task_body body{&to, 1};
    const cleanup c{&to};
    const auto repeat = [&](auto submit) {
        by.within([&] {
            for (std::size_t i = 0; i < count; ++i) submit();
        });
    };
    switch (kind) {
        case submit_kind::plain: return repeat([&] { by.submit(body); });
        case submit_kind::one_attached: return repeat([&] { by.submit(body, c); });
        case submit_kind::three_attached: return repeat([&] { by.submit(body, c, c, c); });
        case submit_kind::ten_attached: return repeat([&] { by.submit(body, c, c, c, c, c, c, c, c, c, c); });
        case submit_kind::one_deferred: return repeat([&] { by.template submit_deferring<1>(body); });
        case submit_kind::three_deferred: return repeat([&] { by.template submit_deferring<3>(body); });
        case submit_kind::ten_deferred: return repeat([&] { by.template submit_deferring<10>(body); });
    }
}

// The second and further producers: threads that live as long as the pool, as a server's would.
template <submit_backend B>
class producers {
public:
    producers(B& pool, unsigned others) : others_(others) {
        for (unsigned i = 0; i < others; ++i) threads_.emplace_back([this, &pool] { serve(pool); });
    }
    ~producers() {
        share_ = 0;
        call();
        for (std::thread& t : threads_) t.join();
    }
    producers(const producers&) = delete;
    producers& operator=(const producers&) = delete;

    // Returns when all of them are awake and stand at the line.
    void line_up(tally& to, std::size_t share, submit_kind kind) {
        to_ = &to;
        share_ = share;
        kind_ = kind;
        ready_.store(0);
        finished_.store(0);
        call();
        spin_until([this] { return ready_.load() == others_; });
    }
    void start() { started_.store(called_.load()); }
    void wait() const {
        spin_until([this] { return finished_.load() == others_; });
    }

private:
    void call() {
        called_.fetch_add(1);
        called_.notify_all();
    }
    void serve(B& pool) {
        typename B::producer by(pool);
        for (std::uint32_t seen = 0;;) {
            called_.wait(seen);
            ++seen;
            if (share_ == 0) return;
            ready_.fetch_add(1);
            spin_until([&] { return started_.load() == seen; });
            submit_share(by, *to_, share_, kind_);
            finished_.fetch_add(1);
        }
    }

    const unsigned others_;
    tally* to_ = nullptr;
    std::size_t share_ = 0;
    submit_kind kind_ = submit_kind::plain;
    std::atomic<std::uint32_t> called_{0};
    std::atomic<std::uint32_t> started_{0};
    std::atomic<std::uint32_t> ready_{0};
    std::atomic<std::uint32_t> finished_{0};
    std::vector<std::thread> threads_;
};

// Holds each worker in a task. One after the other: a pool may hand several tasks to one worker at once.
class gate {
public:
    template <class Producer>
    void hold(Producer& by, unsigned workers) {
        by.within([&] {
            for (unsigned i = 0; i < workers; ++i) {
                by.submit_any([this] { stand(); });
                const auto limit = clock::now() + std::chrono::seconds(10);
                while (arrived_.load() != i + 1) {
                    if (clock::now() > limit) fail("a worker did not come to the gate");
                    std::this_thread::sleep_for(std::chrono::microseconds(20));
                }
            }
        });
    }
    void open() {
        open_.store(true);
        open_.notify_all();
    }
    // Everybody has left: this object may go.
    void wait() const {
        spin_until([this] { return left_.load() == arrived_.load(); });
    }

private:
    using clock = std::chrono::steady_clock;
    void stand() {
        arrived_.fetch_add(1);
        open_.wait(false);
        left_.fetch_add(1);
    }
    std::atomic<unsigned> arrived_{0};
    std::atomic<unsigned> left_{0};
    std::atomic<bool> open_{false};
};

template <submit_backend B>
submit_times run_round(B& pool, typename B::producer& by, producers<B>& others, const submit_shape& shape) {
    using clock = std::chrono::steady_clock;
    const std::size_t share = shape.tasks / shape.producers;
    const std::size_t total = share * shape.producers;
    const std::uint64_t cleanups = cleanups_of(shape.kind) * total;
    tally counted;
    gate held;
    if (shape.gated) held.hold(by, shape.workers);
    if (shape.producers > 1) others.line_up(counted, share, shape.kind);

    const auto begin = clock::now();
    others.start();
    submit_share(by, counted, share, shape.kind);
    if (shape.producers > 1) others.wait();
    const auto submitted = clock::now();
    if (shape.gated) held.open();
    pool.wait([&] { return counted.holds(total, cleanups); });
    const auto end = clock::now();

    held.wait();
    if (!counted.holds(total, cleanups)) fail("tasks or cleanups were lost, or ran twice, or were waited for too briefly");
    const auto ns_a_task = [&](clock::duration d) { return std::chrono::duration<double, std::nano>(d).count() / static_cast<double>(total); };
    return {ns_a_task(submitted - begin), ns_a_task(end - submitted), counted.threads()};
}

}   // namespace bench
