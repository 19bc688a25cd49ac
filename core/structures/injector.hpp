// The queue through which tasks from outside reach the workers.
// push: the thread that holds the producer. take: any thread. Invariants: 1. It carries frames and owns none. 2. A frame that
// cannot be queued for want of memory goes to an intrusive list: publication never fails. 3. `take` may return nothing while a
// frame is on its way in: whoever wants to sleep looks at the accounts' sums, never here.
// Source: moodycamel::ConcurrentQueue (Debian's package), with a producer token a thread and bulk take-over.
#pragma once

#include "core/structures/frame_list.hpp"

#include <cstddef>
#include <memory>

namespace lastly::detail {

class injector {
public:
    class producer;
    class consumer;

    injector();   // throws std::bad_alloc
    ~injector();
    injector(const injector&) = delete;
    injector& operator=(const injector&) = delete;

    std::unique_ptr<producer> make_producer() noexcept;   // null: no memory; push then takes the list
    std::unique_ptr<consumer> make_consumer() noexcept;   // null: no memory; take then does without
    void push(producer* from, frame& f) noexcept;
    // Overflow only: a frame that a worker's deque could not take.
    void spill(frame& f) noexcept { spilled_.push(f); }
    std::size_t take_spilled(frame** frames, std::size_t count) noexcept { return spilled_.take(frames, count); }
    // Up to `count` frames, in about the order in which they came; taken fairly from the producers if `by` is given.
    std::size_t take(consumer* by, frame** frames, std::size_t count) noexcept;

private:
    struct queue;
    std::unique_ptr<queue> queue_;
    frame_list spilled_;
};

}   // namespace lastly::detail

template <> struct std::default_delete<lastly::detail::injector::producer> {
    void operator()(lastly::detail::injector::producer* p) const noexcept;
};
template <> struct std::default_delete<lastly::detail::injector::consumer> {
    void operator()(lastly::detail::injector::consumer* c) const noexcept;
};
