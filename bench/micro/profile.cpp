// What a task profile costs, and what it costs the others. One worker, held by a task; a million tasks queued behind it.
// profile/queued: the time of pool.profile() with that many tasks queued, whole (`profile_ns`) and by task (`task_ns`).
// profile/submit: another thread submits a million more tasks to the same pool, `submit_ns` each; `alone`, while profiles are taken
// without a pause (`during`), and, to tell the profile from a busy neighbour, while the other thread only computes (`beside_work`).
#include "workloads/tally.hpp"

#include <benchmark/benchmark.h>
#include <lastly/lastly.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

namespace {

using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point begin) { return std::chrono::duration<double>(clock_type::now() - begin).count(); }

// A pool whose only worker is held.
class held_pool {
public:
    held_pool() : pool({.workers = 1}) {
        pool.detach([this] {
            entered_.store(true);
            open_.wait(false);
        });
        while (!entered_.load()) std::this_thread::yield();
    }
    ~held_pool() {
        open_.store(true);
        open_.notify_all();
        pool.shutdown();
    }
    void queue(std::int64_t tasks, std::size_t sites) {
        static const std::string letters(1 << 12, 'x');   // names: the ends of one text
        for (std::int64_t i = 0; i < tasks; ++i) {
            pool.detach([] {}, lastly::named(letters.c_str() + static_cast<std::size_t>(i) % sites), lastly::finally([] {}));
        }
    }

private:
    std::atomic<bool> entered_{false}, open_{false};

public:
    lastly::pool pool;   // destroyed first
};

void queued(benchmark::State& state, std::int64_t tasks, std::size_t sites) {
    held_pool held;
    held.queue(tasks, sites);
    double total = 0;
    for ([[maybe_unused]] auto round : state) {
        const auto begin = clock_type::now();
        const lastly::task_profile p = held.pool.profile();
        const double seconds = seconds_since(begin);
        state.SetIterationTime(seconds);
        total += seconds;
        if (p.total.queued != tasks || p.groups.size() != sites + 1) bench::fail("a task was not counted");
    }
    state.counters["profile_ns"] = total * 1e9 / static_cast<double>(state.iterations());
    state.counters["task_ns"] = total * 1e9 / static_cast<double>(state.iterations()) / static_cast<double>(tasks);
}

enum class neighbour { none, profiles, computes };

void submit(benchmark::State& state, neighbour other) {
    constexpr std::int64_t before = 1'000'000, more = 1'000'000;
    double total = 0;
    std::int64_t taken = 0;
    for ([[maybe_unused]] auto round : state) {
        held_pool held;
        held.queue(before, 1);
        std::atomic<bool> begun{other == neighbour::none}, over{false};
        std::thread beside([&] {
            std::uint64_t x = 1;
            while (other != neighbour::none && !over.load(std::memory_order_relaxed)) {
                begun.store(true);
                if (other == neighbour::profiles) {
                    if (held.pool.profile().total.queued < before) bench::fail("a task was not counted");
                    ++taken;
                } else {
                    for (int i = 0; i < 10'000; ++i) benchmark::DoNotOptimize(x = x * 6364136223846793005u + 1);
                }
            }
        });
        while (!begun.load()) std::this_thread::yield();
        const auto begin = clock_type::now();
        held.queue(more, 1);
        const double seconds = seconds_since(begin);
        over.store(true);
        beside.join();
        state.SetIterationTime(seconds);
        total += seconds;
    }
    const auto rounds = static_cast<double>(state.iterations());
    state.counters["submit_ns"] = total * 1e9 / rounds / static_cast<double>(more);
    state.counters["profiles"] = static_cast<double>(taken) / rounds;
}

}   // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    const auto add = [](const std::string& name, auto run, benchmark::IterationCount rounds) {
        benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(rounds);
    };
    add("profile/queued/1e4", [](benchmark::State& s) { queued(s, 10'000, 1); }, 200);
    add("profile/queued/1e6", [](benchmark::State& s) { queued(s, 1'000'000, 1); }, 20);
    add("profile/queued/1e6_in_1000_groups", [](benchmark::State& s) { queued(s, 1'000'000, 1000); }, 20);
    add("profile/submit/alone", [](benchmark::State& s) { submit(s, neighbour::none); }, 3);
    add("profile/submit/beside_work", [](benchmark::State& s) { submit(s, neighbour::computes); }, 3);
    add("profile/submit/during", [](benchmark::State& s) { submit(s, neighbour::profiles); }, 3);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
