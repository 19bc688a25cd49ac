// The workload "service": short and long requests that arrive when they arrive, each with a deadline, some failing, before a bounded pool.
// Written once, over a backend (../peers/). serve_all is called by one thread, which lets requests arrive. Invariants:
// 1. Open loop: arrivals are drawn beforehand, the same for every backend, and wait for nothing; a request's time runs from the moment it
// was to arrive. 2. A request ends once, with one outcome, after three cleanups: two count, the last one notes outcome and time.
// 3. Whoever is over capacity is rejected at once, its cleanups run; whoever has not begun by its deadline, or notices it while running, has
// expired; one in fifty throws. 4. Each round checks all of that, and aborts otherwise.
#pragma once

#include "workloads/percentiles.hpp"
#include "workloads/tally.hpp"

#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

namespace bench {

enum class service_end : std::uint8_t { none, succeeded, failed, expired, rejected };

struct request_failed : std::runtime_error {
    request_failed() : std::runtime_error("planted") {}
};

struct service_shape {
    unsigned workers;
    double load;   // arriving work, as a part of what the workers can do
    std::size_t requests;
};

namespace service {

using clock = std::chrono::steady_clock;
constexpr std::chrono::nanoseconds short_one = std::chrono::microseconds(2);
constexpr std::chrono::nanoseconds long_one = std::chrono::microseconds(200);
constexpr unsigned one_long_in = 10;
constexpr unsigned one_failing_in = 50;
constexpr double mean_ns = 0.9 * 2'000 + 0.1 * 200'000;
// Full, 800 a worker keep it busy for 17 ms: longer than a request may take.
constexpr std::size_t capacity_a_worker = 800;
constexpr std::chrono::nanoseconds allowed = std::chrono::milliseconds(15);

}   // namespace service

struct request {
    service::clock::time_point due;
    std::chrono::nanoseconds lasts;
    bool fails;
    service_end end = service_end::none;
    service::clock::time_point over;
    tally* counted;

    service::clock::time_point deadline() const { return due + service::allowed; }
    // The body. `stopped(now)` tells or throws; false: it has stopped.
    template <class Stopped>
    bool work(Stopped stopped) const {
        const auto begin = service::clock::now();
        for (auto now = begin; now - begin < lasts; now = service::clock::now()) {
            if (stopped(now)) return false;
        }
        if (fails) throw request_failed();
        return true;
    }
    // The cleanups.
    void give_back() const { counted->mine().add_cleanups(1); }
    void note(service_end how) {
        if (end != service_end::none) fail("a request has ended twice");
        end = how;
        over = service::clock::now();
        counted->mine().add_tasks(1);
    }
};

// A backend is made with a number of workers and a capacity. `serve(r)` submits the request, or rejects it; it must not block.
// `wait(done)` returns once every request has ended.
template <class B>
concept service_backend = requires(B& in, request& r, unsigned workers, std::size_t capacity) {
    B(workers, capacity);
    in.serve(r);
    in.wait([] { return true; });
};

struct service_times {
    distribution served;                  // from arrival to the end, of those that succeeded or failed; ns
    distribution late;                    // how late arrivals were themselves: nobody's fault but the machine's; ns
    std::array<std::size_t, 5> ended{};   // by service_end
};

// When each arrives, from the first on, and what it is: exponential gaps, fixed seed.
inline std::vector<request> draw_requests(const service_shape& shape, tally& counted) {
    std::mt19937_64 random(1);
    const double mean_gap_ns = service::mean_ns / (shape.load * shape.workers);
    std::vector<request> all;
    all.reserve(shape.requests);
    double at_ns = 0;
    for (std::size_t i = 0; i < shape.requests; ++i) {
        const double uniform = static_cast<double>(random() >> 11) * 0x1p-53;
        at_ns -= mean_gap_ns * std::log1p(-uniform);
        request r{};
        r.due = service::clock::time_point(std::chrono::nanoseconds(static_cast<std::int64_t>(at_ns)));
        r.lasts = random() % service::one_long_in == 0 ? service::long_one : service::short_one;
        r.fails = random() % service::one_failing_in == 0;
        r.counted = &counted;
        all.push_back(r);
    }
    return all;
}

inline void check_and_add(const std::vector<request>& all, service_times& into) {
    for (const request& r : all) {
        ++into.ended[static_cast<std::size_t>(r.end)];
        const bool ran = r.end == service_end::succeeded || r.end == service_end::failed;
        if (r.end == service_end::none) fail("a request has not ended");
        if (ran && (r.end == service_end::failed) != r.fails) fail("a request has the wrong outcome");
        if (ran) into.served.add(std::chrono::duration<double, std::nano>(r.over - r.due).count());
    }
}

// Returns how long it took in seconds.
template <service_backend B>
double serve_all(B& in, const service_shape& shape, service_times& into) {
    tally counted;
    std::vector<request> all = draw_requests(shape, counted);
    const auto begin = service::clock::now() + std::chrono::milliseconds(1);
    for (request& r : all) r.due = begin + r.due.time_since_epoch();
    for (request& r : all) {
        auto now = service::clock::now();
        for (; now < r.due; now = service::clock::now()) __builtin_ia32_pause();   // yielding would let others make arrivals late
        into.late.add(std::chrono::duration<double, std::nano>(now - r.due).count());
        in.serve(r);
    }
    const auto done = [&] { return counted.holds(all.size(), 2 * all.size()); };
    in.wait(done);
    const auto end = service::clock::now();
    if (!done()) fail("requests or cleanups were lost, or ran twice, or were waited for too briefly");
    check_and_add(all, into);
    return std::chrono::duration<double>(end - begin).count();
}

}   // namespace bench
