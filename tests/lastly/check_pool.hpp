// A pool for a test: at its end everything must be accounted for, and nothing be alive.
#pragma once

#include <lastly/lastly.hpp>

#include <doctest/doctest.h>

#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

inline constexpr unsigned worker_counts[] = {1, 2, 8};

// What an error sink was told.
struct noted_report {
    lastly::report_kind kind;
    std::string name, what;
    std::uint32_t line;
    std::error_code cause;
};

// Declared before the handles of its tasks: they are gone when it looks.
class checked_pool {
public:
    explicit checked_pool(unsigned workers, lastly::pool_options options = {}) : pool_(completed(workers, std::move(options))) {}
    ~checked_pool() {
        const lastly::shutdown_report end = pool_.shutdown();
        CHECK(end.complete);
        CHECK(end.still_running.empty());
        CHECK(end.ledger.balanced());
        CHECK(end.ledger.live == 0);
        CHECK(end.ledger.held == 0);
    }
    checked_pool(const checked_pool&) = delete;
    checked_pool& operator=(const checked_pool&) = delete;

    lastly::pool& operator*() { return pool_; }
    lastly::pool* operator->() { return &pool_; }
    // What went to the sink so far, unless the options brought a sink.
    std::vector<noted_report> reports() {
        const std::lock_guard lock(mutex_);
        return reports_;
    }

private:
    lastly::pool_options completed(unsigned workers, lastly::pool_options options) {
        options.workers = workers;
        if (!options.error_sink) {
            options.error_sink = [this](const lastly::error_report& r) {
                const std::lock_guard lock(mutex_);
                reports_.push_back({r.kind, r.name, r.what(), r.site.line, r.cause});
            };
        }
        return options;
    }
    std::mutex mutex_;
    std::vector<noted_report> reports_;
    lastly::pool pool_;
};

// Keeps every worker of a pool busy until released: what is submitted meanwhile stays queued.
class occupied_workers {
public:
    explicit occupied_workers(lastly::pool& pool) : gates_(std::make_shared<gates>(pool.workers())) {
        for (unsigned i = 0; i < pool.workers(); ++i) {
            pool.detach([gates = gates_] {
                gates->entered.count_down();
                gates->exit.wait();
            });
        }
        gates_->entered.wait();
    }
    ~occupied_workers() { release(); }
    occupied_workers(const occupied_workers&) = delete;
    occupied_workers& operator=(const occupied_workers&) = delete;

    void release() {
        if (!std::exchange(released_, true)) gates_->exit.count_down();
    }

private:
    struct gates {
        explicit gates(unsigned workers) : entered(static_cast<std::ptrdiff_t>(workers)) {}
        std::latch entered;
        std::latch exit{1};
    };
    std::shared_ptr<gates> gates_;
    bool released_ = false;
};

// The message of the exception of that type that `call` throws; "" if it throws none.
template <class Exception, class Call>
std::string message_of(Call&& call) {
    try {
        call();
    } catch (const Exception& e) {
        return e.what();
    }
    return "";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
