// Finding leaks with two task profiles. A shop whose requests leak in three classic ways:
//
//   orders     wait for a confirmation that is never sent     a wait that is never notified
//   sessions   start a heartbeat that nobody stops            a timer loop nobody stops
//   catalogue  is refreshed with every request, unawaited     a handle dropped in a loop
//
// Take a profile, let the program work, take another, subtract. What never changes drops out, however long it has been
// running; what grows is left, with its name, and the place in the source where it was submitted.
#include <lastly/lastly.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

namespace {

std::atomic<int> at_work{0};   // tasks that have begun: this program prints the same numbers each time

// Waits until it is confirmed. The leak: the payment that confirms may fail, and then nobody calls confirm().
class order {
public:
    void wait_for_confirmation() {
        std::unique_lock lock(mutex_);
        ++at_work;
        changed_.wait(lock, [&] { return confirmed_; });
    }
    void confirm() {
        const std::lock_guard lock(mutex_);
        confirmed_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool confirmed_ = false;
};

// Beats for as long as somebody wants it. The leak: it is stopped by its handle's cancel(), and the shop never calls that.
void heartbeat() {
    ++at_work;
    while (!lastly::this_task::stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

class shop {
public:
    explicit shop(lastly::pool& pool) : pool_(pool) {
        pool_.detach(&heartbeat, lastly::named("listener"));   // meant to run for as long as the shop: no leak
    }
    void place(order& o) {
        pool_.detach([&o] { o.wait_for_confirmation(); }, lastly::named("order"), lastly::finally([this] { ++closed_; }));
    }
    void log_in() {
        sessions_.push_back(pool_.submit(&heartbeat, lastly::named("session"), lastly::finally([this] { ++closed_; })));
    }
    // The leak: requests come faster than refreshes are done, and nobody waits for one before the next.
    void serve_request() {
        static_cast<void>(pool_.submit([] {}, lastly::named("refresh"), lastly::finally([this] { ++closed_; })));
    }
    void log_out_all() {
        for (auto& s : sessions_) s.cancel();
    }
    int closed() const { return closed_; }

private:
    lastly::pool& pool_;
    std::vector<lastly::task_handle<void>> sessions_;
    std::atomic<int> closed_{0};   // finalizers that have run
};

const char* file_name(const char* path) {
    const char* name = path;
    for (; *path != '\0'; ++path) {
        if (*path == '/') name = path + 1;
    }
    return name;
}

}   // namespace

int main() {
    lastly::pool pool({.workers = 8, .name = "shop", .error_sink = [](const lastly::error_report&) {}});
    shop open_shop(pool);
    order orders[3];

    const lastly::task_profile before = pool.profile();

    for (order& o : orders) open_shop.place(o);              // an hour of business
    for (int i = 0; i < 4; ++i) open_shop.log_in();
    while (at_work < 8) std::this_thread::yield();           // the listener, three orders, four sessions: every worker is taken
    for (int i = 0; i < 100; ++i) open_shop.serve_request();

    const lastly::task_profile growth = pool.profile() - before;

    // growth.to_text() is all that people need. Its ages differ from run to run, so that this program prints the fields.
    for (const lastly::task_profile::group& g : growth.groups) {
        if (g.count <= 0) continue;                          // moved from one state to another, or shrank
        std::printf("%+4d %-8s %s:%u  queued %+d, running %+d, finalizers pending %+d\n", static_cast<int>(g.count), g.name,
                    file_name(g.site.file), static_cast<unsigned>(g.site.line), static_cast<int>(g.queued),
                    static_cast<int>(g.running), static_cast<int>(g.finalizers_pending));
    }

    for (order& o : orders) o.confirm();                     // each leak is closed at its end
    open_shop.log_out_all();
    const lastly::shutdown_report end = pool.shutdown_now();  // the listener stops, whatever is queued is cancelled
    std::printf("closed %d, balanced: %s\n", open_shop.closed(), end.complete && end.ledger.balanced() ? "yes" : "no");
}
