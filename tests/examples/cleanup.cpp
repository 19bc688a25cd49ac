#include <lastly/lastly.hpp>
#include <cstdio>
#include <stdexcept>
#include <thread>

int main() {
    const auto close = [](const char* what) { return lastly::finally([what] { std::printf("closed %s\n", what); }); };
    lastly::pool pool({.workers = 1});

    auto upload = pool.submit([] { throw std::runtime_error("network down"); }, close("connection"));
    try { upload.get(); } catch (const std::exception& e) { std::printf("upload: %s\n", e.what()); }

    auto busy = pool.submit([](lastly::task_context& t) { while (!t.stop_requested()) std::this_thread::yield(); });
    auto queued = pool.submit([] { std::puts("never printed"); }, close("temporary file"));
    pool.shutdown_now();
    std::printf("queued: %s\n", queued.outcome().cause().message().c_str());
}
