#include <lastly/lastly.hpp>
#include <atomic>
#include <cstdio>
#include <stdexcept>

int main() {
    lastly::pool pool({.workers = 2});
    std::atomic<int> open{0};
    try {
        lastly::parallel_for(pool, 0, 1000, [&](int page, lastly::task_context& t) {
            ++open;
            t.defer([&] { --open; });   // at the end of this page's chunk, on its thread
            if (page == 300) throw std::runtime_error("page 300 is damaged");
        }, 10);
    } catch (const std::exception& e) { std::printf("%s\n", e.what()); }
    std::printf("%d pages are open\n", open.load());
}
