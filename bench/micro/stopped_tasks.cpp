// A million queued tasks that are stopped before they start, each with a finalizer and a context of its own: time, memory, and that
// every finalizer runs once, with the cause. One measurement a process: lastly_bench_stopped_tasks deadlines|wide|chains
//   deadlines  each context has a deadline; they pass within a second, in another order than that of their making
//   wide       all contexts stand below one root, which is cancelled
//   chains     a thousand chains, a thousand deep, stand below one root, which is cancelled
// The workers are held until all contexts have stopped. Figures are lines of their own, times wall times; a wrong count ends the program.
#include "micro/peak.hpp"
#include "workloads/tally.hpp"

#include <lastly/lastly.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using lastly::cancel_source;
using lastly::context;
using namespace std::chrono_literals;

constexpr std::size_t tasks = 1'000'000;
constexpr std::size_t depth = 1'000;
constexpr unsigned workers = 2;

double ms_since(clock_type::time_point begin) { return std::chrono::duration<double, std::milli>(clock_type::now() - begin).count(); }

std::vector<cancel_source> make_sources(const std::string& kind, const context& root, clock_type::time_point first) {
    std::vector<cancel_source> made;
    made.reserve(tasks);
    for (std::size_t i = 0; i < tasks; ++i) {
        if (kind == "deadlines") made.push_back(lastly::with_deadline(context::background(), first + 1us * (i * 7'919 % tasks)));
        else made.push_back(lastly::with_cancel(kind == "wide" || i % depth == 0 ? root : made.back().context()));
    }
    return made;
}

void measure(const std::string& kind) {
    auto root = lastly::with_cancel();
    const std::error_code cause = kind == "deadlines" ? lastly::errc::deadline_exceeded : lastly::errc::sibling_failed;
    std::vector<std::uint8_t> runs(tasks, 0);
    std::atomic<std::size_t> wrong{0};
    std::atomic<bool> held{true};
    std::atomic<unsigned> waiting{0};
    lastly::pool_options options;
    options.workers = workers;
    options.error_sink = [](const lastly::error_report&) {};   // a deadline that nobody takes is told: a million lines
    lastly::pool pool(options);
    for (unsigned i = 0; i < workers; ++i) {
        pool.detach([&] {
            waiting.fetch_add(1);
            held.wait(true);
        });
    }
    while (waiting.load() != workers) std::this_thread::yield();

    auto begin = clock_type::now();
    const auto first = begin + 4s;
    const std::vector<cancel_source> sources = make_sources(kind, root.context(), first);
    for (std::size_t i = 0; i < tasks; ++i) {
        pool.detach([] { bench::fail("a stopped task has started"); }, sources[i].context(), lastly::finally([&, i](const lastly::outcome& o) {
                        ++runs[i];
                        if (!o.cancelled() || o.started() || o.cause() != cause) wrong.fetch_add(1, std::memory_order_relaxed);
                    }));
    }
    std::printf("%s: made and submitted in %.0f ms, peak %ld MiB\n", kind.c_str(), ms_since(begin), bench::peak_kib() / 1024);
    if (kind == "deadlines" && clock_type::now() > first) bench::fail("too slow: deadlines passed while the tasks were submitted");

    if (kind == "deadlines") {
        std::this_thread::sleep_until(first + 1s);
        begin = clock_type::now();
        for (const cancel_source& s : sources) s.context().sleep_for(lastly::forever);
        std::printf("%s: all have stopped %.1f ms after the last deadline\n", kind.c_str(), ms_since(begin));
    } else {
        begin = clock_type::now();
        root.cancel(cause);
        std::printf("%s: cancelled in %.0f ms\n", kind.c_str(), ms_since(begin));
    }
    begin = clock_type::now();
    held = false;
    held.notify_all();
    pool.wait_idle();
    std::printf("%s: chains run in %.0f ms\n", kind.c_str(), ms_since(begin));

    const lastly::ledger_snapshot books = pool.shutdown().ledger;
    for (const std::uint8_t times : runs) wrong += times == 1 ? 0u : 1u;
    if (wrong != 0 || books.cancelled != tasks || books.finalizers_run != tasks || !books.balanced()) bench::fail("a finalizer is missing, or was told otherwise");
    std::printf("%s: %llu finalizers, each once, with the cause\n", kind.c_str(), static_cast<unsigned long long>(books.finalizers_run));
}

}   // namespace

int main(int argc, char** argv) {
    const std::string kind = argc == 2 ? argv[1] : "";
    if (kind != "deadlines" && kind != "wide" && kind != "chains") {
        std::fputs("usage: lastly_bench_stopped_tasks deadlines|wide|chains\n", stderr);
        return 2;
    }
    measure(kind);
    return 0;
}
