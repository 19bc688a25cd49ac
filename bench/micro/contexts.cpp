// What a million contexts cost: time and memory a node, and how many threads the process has with them.
// make: below one parent, without and with a deadline. cancel: one tree a million wide; a thousand chains, a thousand deep, below one
// root. expire: a million deadlines that pass at the same moment, and spread over a second. call_off: a million timeouts that do not happen.
// Each figure is a line of its own, `<measurement>/<part> <value> <unit>`. Times are CPU time of the process, which busy neighbours
// disturb less, `late` is wall time. An argument names the one measurement to make: memory is only right in a fresh process.
#include "workloads/tally.hpp"

#include <lastly/lastly.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using lastly::cancel_source;
using lastly::context;
using namespace std::chrono_literals;

constexpr std::size_t nodes = 1'000'000;

// A figure of /proc/self/status, as `VmRSS` in KiB or `Threads`.
long long status(const char* name) {
    std::FILE* const file = std::fopen("/proc/self/status", "r");
    if (file == nullptr) bench::fail("no /proc/self/status");
    char line[256];
    long long value = -1;
    while (value < 0 && std::fgets(line, sizeof line, file) != nullptr) {
        if (std::strncmp(line, name, std::strlen(name)) == 0) std::sscanf(line + std::strlen(name), ": %lld", &value);
    }
    std::fclose(file);
    return value;
}

// CPU time of all threads of this process since it was made.
class stopwatch {
public:
    double ns_a_node() const { return (now_ns() - begin_ns_) / static_cast<double>(nodes); }

private:
    static double now_ns() {
        timespec t{};
        ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
    }
    double begin_ns_ = now_ns();
};

void print(const char* measured, const char* part, double value, const char* unit) { std::printf("%s/%s %.1f %s\n", measured, part, value, unit); }

// Memory and threads before, and what a million nodes add.
class footprint {
public:
    explicit footprint(const char* measured) : measured_(measured) {}
    void print_now() const {
        const double bytes = static_cast<double>(status("VmRSS") - before_) * 1024;
        print(measured_, "rss", bytes / static_cast<double>(nodes), "bytes_a_node");
        print(measured_, "threads", static_cast<double>(status("Threads")), "threads");
    }

private:
    const char* measured_;
    long long before_ = status("VmRSS");
};

// Places for owners, touched before anything is measured.
std::vector<std::optional<cancel_source>> places() {
    std::vector<std::optional<cancel_source>> made(nodes);
    return made;
}

void expect_all(const std::vector<std::optional<cancel_source>>& owners, std::error_code cause) {
    for (const auto& o : owners) {
        if (o->context().cause() != cause) bench::fail("a context did not stop, or with another cause");
    }
}

void release(const char* name, std::vector<std::optional<cancel_source>>& owners) {
    const stopwatch time;
    for (auto& o : owners) o.reset();
    print(name, "release", time.ns_a_node(), "ns_a_node");
}

// Chains of that depth below one root, which is cancelled.
void tree(const char* name, std::size_t depth) {
    auto owners = places();
    const footprint memory(name);
    auto root = lastly::with_cancel();
    stopwatch time;
    for (std::size_t i = 0; i < nodes; ++i) owners[i].emplace(lastly::with_cancel(i % depth == 0 ? root.context() : owners[i - 1]->context()));
    print(name, "make", time.ns_a_node(), "ns_a_node");
    memory.print_now();
    time = {};
    root.cancel(lastly::errc::sibling_failed);
    print(name, "cancel", time.ns_a_node(), "ns_a_node");
    expect_all(owners, lastly::errc::sibling_failed);
    release(name, owners);
}

// Deadlines from a moment on at which they have all been made, spread over `within`; their order is not that of their making.
void expire(const char* name, std::chrono::nanoseconds within) {
    auto owners = places();
    const footprint memory(name);
    const auto first = clock_type::now() + 3s;
    stopwatch time;
    for (std::size_t i = 0; i < nodes; ++i) {
        const auto share = within * static_cast<std::int64_t>(i * 7'919 % nodes) / static_cast<std::int64_t>(nodes);
        owners[i].emplace(lastly::with_deadline(context::background(), first + share));
    }
    print(name, "make", time.ns_a_node(), "ns_a_node");
    if (clock_type::now() > first - 100ms) bench::fail("too slow: deadlines passed while they were made");
    memory.print_now();
    time = {};
    for (const auto& o : owners) o->context().sleep_for(lastly::forever);
    print(name, "stop", time.ns_a_node(), "ns_a_node");
    const double late = std::chrono::duration<double, std::milli>(clock_type::now() - first - within).count();
    print(name, "late", late, "ms_at_the_last");
    expect_all(owners, lastly::errc::deadline_exceeded);
    release(name, owners);
}

void call_off(const char* name) {
    auto owners = places();
    const footprint memory(name);
    stopwatch time;
    for (std::size_t i = 0; i < nodes; ++i) owners[i].emplace(lastly::with_timeout(context::background(), 1h + 1us * (i * 7'919 % nodes)));
    print(name, "make", time.ns_a_node(), "ns_a_node");
    memory.print_now();
    release(name, owners);   // each calls its timeout off
    time = {};
    for (std::size_t i = 0; i < nodes; ++i) const auto brief = lastly::with_timeout(context::background(), 1h);
    print(name, "made_and_called_off_at_once", time.ns_a_node(), "ns_a_node");
}

}   // namespace

int main(int argc, char** argv) {
    const std::string only = argc > 1 ? argv[1] : "";
    const auto run = [&](const char* name, auto measure) {
        if (only.empty() || only == name) measure(name);
    };
    run("wide", [](const char* name) { tree(name, 1); });
    run("chains", [](const char* name) { tree(name, 1000); });
    run("expire_at_once", [](const char* name) { expire(name, 0s); });
    run("expire_in_a_second", [](const char* name) { expire(name, 1s); });
    run("call_off", call_off);
    return 0;
}
