// The best that a user of a pool without finalizers can do by hand, for any pool that destroys what it drops: the task owns its cleanup, which
// runs once, at the body's end or else when the task is destroyed, and then a promise, which tells its waiter or, broken, that nothing will
// come. Beside it the more common form, a guard in the body, which nobody makes if the body never begins.
// Values; whoever calls or destroys the task.
#pragma once

#include "stress/peers/stage.hpp"

#include <exception>
#include <future>
#include <utility>

namespace lastly::stress::peers {

class cleanup {
public:
    explicit cleanup(cell& c) noexcept : capture_(c) {}
    cleanup(cleanup&& from) noexcept : capture_(std::move(from.capture_)), is_due_(std::exchange(from.is_due_, false)) {}
    cleanup& operator=(cleanup&&) = delete;
    ~cleanup() { run(ends::cancelled); }
    void run(std::uint8_t end) noexcept {
        if (std::exchange(is_due_, false)) capture_.task().run_attached(0, end, capture_.task().count(event::begun) != 0);
    }

private:
    canary capture_;
    bool is_due_ = true;
};

// What an exception of the body does: it goes to the promise alone, or to the pool as well.
enum class thrown { is_caught, escapes };

// Const to call, as oneTBB asks for. The promise comes first: what is destroyed last tells last.
template <thrown Exception = thrown::is_caught>
class careful_task {
public:
    careful_task(cell& c, role what) : cleanup_(c), task_(&c), role_(what) {}
    std::future<void> waiter() { return promise_.get_future(); }
    void operator()() const {
        try {
            play(*task_, role_);
        } catch (...) {
            cleanup_.run(ends::failed);
            promise_.set_exception(std::current_exception());
            if constexpr (Exception == thrown::escapes) throw;
            return;
        }
        cleanup_.run(ends::succeeded);
        promise_.set_value();
    }

private:
    mutable std::promise<void> promise_;
    mutable cleanup cleanup_;
    cell* task_;
    role role_;
};

class common_task {
public:
    common_task(cell& c, role what) : task_(&c), role_(what) {}
    std::future<void> waiter() { return promise_.get_future(); }
    void operator()() const {
        {
            cleanup at_end(*task_);
            play(*task_, role_);
            at_end.run(ends::succeeded);
        }
        promise_.set_value();
    }

private:
    mutable std::promise<void> promise_;
    cell* task_;
    role role_;
};

// Tasks of that form, each with a waiter.
template <class Task = careful_task<>>
class waited_for {
public:
    // For `fill`; `hand(task)` gives a task to the peer. Lifetime: as long as this.
    template <class Hand>
    auto to(Hand hand) {
        return [this, hand](cell& c, role what) {
            c.submit({.attached = 1, .waiters = 1});
            Task t(c, what);
            seats_.add(c, t.waiter());
            hand(std::move(t));
        };
    }
    // After the end.
    void ask() {
        seats_.ask([](cell& c, std::future<void>& f, std::chrono::nanoseconds limit) {
            if (f.wait_for(limit) != std::future_status::ready) return;
            try {
                f.get();
                c.tell(ends::succeeded);
            } catch (const failed_body&) {
                c.tell(ends::failed);
            } catch (const std::future_error&) {   // the promise was broken
                c.tell(ends::cancelled);
            }
        });
    }

private:
    audience<std::future<void>> seats_;
};

// For `fill`: tasks that nobody waits for, as the process ends.
template <class Hand>
auto careful_tasks(Hand hand) {
    return [hand](cell& c, role what) {
        c.submit({.attached = 1});
        hand(careful_task<>(c, what));
    };
}

}   // namespace lastly::stress::peers
