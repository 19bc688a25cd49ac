// Starting and ending workers. Rule S5.
#include "core/base/thread.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <system_error>

using namespace support;

namespace {

int threads_of_process() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("Threads:", 0) == 0) return std::stoi(line.substr(8));
    }
    return -1;
}

std::string name_of_this_thread() {
    std::ifstream comm("/proc/thread-self/comm");
    std::string name;
    std::getline(comm, name);
    return name;
}

}   // namespace

TEST_CASE("S5: if a worker cannot be started, those that were are joined and the constructor throws") {
    const int before = threads_of_process();
    with_workers([&](unsigned workers) {
        for (unsigned nth = 1; nth <= workers; ++nth) {
            lastly::detail::fail_thread_start(nth);
            CHECK_THROWS_AS(lastly::pool{options(workers)}, std::system_error);
            CHECK(threads_of_process() == before);
        }
        lastly::detail::fail_thread_start(0);
        lastly::pool pool(options(workers));
        CHECK(pool.run([] { return 1; }) == 1);
        check_end(pool);
    });
    CHECK(threads_of_process() == before);
}

TEST_CASE("crew: workers carry the pool's name and their number, and run the user's hooks") {
    with_workers([](unsigned workers) {
        std::mutex mutex;
        std::set<unsigned> started, ended;
        std::set<std::string> names;
        auto o = options(workers);
        o.name = "a-long-name-that-is-cut";
        o.on_worker_start = [&](unsigned w) {
            const std::lock_guard lock(mutex);
            started.insert(w);
            names.insert(name_of_this_thread());
        };
        o.on_worker_exit = [&](unsigned w) {
            const std::lock_guard lock(mutex);
            ended.insert(w);
        };
        lastly::pool pool(o);
        check_end(pool);
        CHECK(started.size() == workers);
        CHECK(ended.size() == workers);
        CHECK(names.size() == workers);
        CHECK(names.count("a-long-name/0") == 1);
    });
}

TEST_CASE("crew: a hook that throws goes to the error sink and the worker works on") {
    with_workers([](unsigned workers) {
        sink_log log;
        auto o = options(workers, &log);
        o.on_worker_start = [](unsigned) { throw std::runtime_error("hook"); };
        lastly::pool pool(o);
        CHECK(pool.run([] { return 2; }) == 2);
        check_end(pool);
        CHECK(log.count(lastly::report_kind::failed) == workers);
    });
}
