// See stage.hpp.
#include "stress/peers/stage.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace lastly::stress::peers {

namespace {

using namespace std::chrono_literals;

constexpr auto step = 1ms;       // between two looks at a flag
constexpr auto moment = 100ms;   // for what has begun to go on
constexpr auto start_limit = 4s;

std::atomic<unsigned> holders{0};
std::atomic<bool> queued{false}, released{false}, has_thrown{false};

void wait_until(const std::atomic<bool>& flag) {
    while (!flag.load()) std::this_thread::sleep_for(step);
}

}   // namespace

void act(role what) {
    if (what == role::runs) return;
    ++holders;
    wait_until(what == role::holds ? released : queued);
    if (what == role::throws) {
        has_thrown.store(true);
        throw failed_body();
    }
    if (what == role::exits) {
        let_go_soon();
        std::exit(0);
    }
}

void play(cell& c, role what) {
    c.begin();
    const struct over {
        cell& task;
        ~over() { task.end(); }
    } at_end{c};
    act(what);
}

void wait_for_holders(unsigned n) {
    const auto until = std::chrono::steady_clock::now() + start_limit;
    while (holders.load() < n) {
        if (std::chrono::steady_clock::now() >= until) {
            let_go();   // nobody is to wait for those that hold the others
            all_are_queued();
            throw std::runtime_error("fewer workers run than were asked for");
        }
        std::this_thread::sleep_for(step);
    }
}

void all_are_queued() noexcept { queued.store(true); }
void wait_for_the_throw() {
    wait_until(has_thrown);
    std::this_thread::sleep_for(moment);
}
void let_go() noexcept { released.store(true); }

void let_go_soon() {
    std::thread([] {
        std::this_thread::sleep_for(moment);
        let_go();
    }).detach();
}

void wait_for_the_end() {
    for (;;) std::this_thread::sleep_for(1h);
}

void be_silent() { static_cast<void>(std::freopen("/dev/null", "w", stderr)); }

}   // namespace lastly::stress::peers
