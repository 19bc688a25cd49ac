// See timers.hpp.
#include "core/task/timers.hpp"

#include "core/base/clock.hpp"
#include "core/base/process.hpp"
#include "core/base/thread.hpp"
#include "lastly/detail/fault.hpp"

namespace lastly::detail {

std::error_code timers::add(deadline_heap::entry& e, time_point deadline) noexcept {
    bool rings = false;
    {
        const std::lock_guard lock(mutex_);
        if (!heap_.push(e, deadline)) return std::make_error_code(std::errc::not_enough_memory);
        if (!started_) {
            thread made;
            if (const std::error_code refused = made.start(&timers::main, this, "lastly-timer")) {
                heap_.remove(e);
                return refused;
            }
            made.detach();
            started_ = true;
        }
        rings = deadline < sleeps_until_;
        if (rings) {
            sleeps_until_ = time_point::min();   // one bell is enough until it has looked
            bell_.fetch_add(1, relaxed);         // order: the futex compares the word itself; all else is under the lock
        }
    }
    if (rings && !LASTLY_FAULT("timer-bell")) futex_wake_one(bell_.address());
    return {};
}

void timers::remove(deadline_heap::entry& e) noexcept {
    const std::lock_guard lock(mutex_);
    heap_.remove(e);   // the thread wakes for nothing once if this was the first: cheaper than waking it now
}

std::size_t timers::size() noexcept {
    const std::lock_guard lock(mutex_);
    return heap_.size();
}

void timers::release(bool in_child) noexcept {
    if (in_child) {
        heap_.forget();
        started_ = false;
        sleeps_until_ = time_point::min();
    }
    mutex_.unlock();
}

void timers::main(void* self) noexcept { static_cast<timers*>(self)->run(); }

// Under the lock: what has passed and still lives, out of the heap.
std::size_t timers::take_passed(deadline_heap::entry* (&passed)[batch]) noexcept {
    std::size_t count = 0;
    const time_point now = steady_now();
    while (count < batch && heap_.earliest() <= now && !heap_.empty()) {
        deadline_heap::entry& e = heap_.first();
        heap_.remove(e);
        if (actions_.hold(e)) passed[count++] = &e;
    }
    return LASTLY_FAULT("C5-timer") ? 0 : count;
}

void timers::run() noexcept {
    const std::uint32_t born_in = fork_generation();
    for (;;) {
        deadline_heap::entry* passed[batch];
        std::size_t count = 0;
        std::uint32_t heard = 0;
        time_point next;
        {
            const std::lock_guard lock(mutex_);
            count = take_passed(passed);
            next = heap_.earliest();
            sleeps_until_ = count == 0 ? next : time_point::min();
            heard = bell_.load(relaxed);   // order: changed under the lock
        }
        for (std::size_t i = 0; i < count; ++i) {
            actions_.fire(*passed[i]);
            if (fork_generation() != born_in) end_child();   // a stop callback forked
        }
        if (count == 0) futex_wait_until(bell_, heard, next);
    }
}

}   // namespace lastly::detail
