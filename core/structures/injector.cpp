// See injector.hpp. The only file that knows moodycamel's queue.
#include "core/structures/injector.hpp"


#include <new>

#if __has_include(<concurrentqueue/concurrentqueue.h>)
#include <concurrentqueue/concurrentqueue.h>
#elif __has_include(<moodycamel/concurrentqueue.h>)
#include <moodycamel/concurrentqueue.h>
#else
#include <concurrentqueue.h>
#endif

namespace lastly::detail {

namespace {

// A queue's slot is written again as soon as the queue's own counters say that it was read; those counters meet through fences,
// so the slot itself is atomic: what a frame holds is published by the queue's tail index.
class carried {
public:
    carried() noexcept = default;
    explicit carried(frame* f) noexcept { frame_.store(f, relaxed); }                       // order: published by the queue's tail index
    carried(const carried& other) noexcept { frame_.store(other.get(), relaxed); }          // order: published by the queue's tail index
    carried& operator=(const carried& other) noexcept {
        frame_.store(other.get(), relaxed);   // order: the taker's own copy
        return *this;
    }
    operator frame*() const noexcept { return get(); }
    frame* get() const noexcept { return frame_.load(relaxed); }   // order: the queue's tail index was read before

private:
    atomic<frame*> frame_;
};

struct queue_traits : moodycamel::ConcurrentQueueDefaultTraits {
    static constexpr std::size_t BLOCK_SIZE = 256;
    // An index entry is used again only after so many blocks, a million frames of a producer: README.md here, "Under the thread sanitizer".
    static constexpr std::size_t EXPLICIT_INITIAL_INDEX_SIZE = 4096;
};
using queue_type = moodycamel::ConcurrentQueue<carried, queue_traits>;

}   // namespace

struct injector::queue {
    queue_type tasks{1024};
};

class injector::producer {
public:
    explicit producer(queue_type& tasks) : token(tasks) {}
    moodycamel::ProducerToken token;
};

class injector::consumer {
public:
    explicit consumer(queue_type& tasks) : token(tasks) {}
    moodycamel::ConsumerToken token;
};

injector::injector() : queue_(std::make_unique<queue>()) {}
injector::~injector() = default;

std::unique_ptr<injector::producer> injector::make_producer() noexcept {
    std::unique_ptr<producer> made(new (std::nothrow) producer(queue_->tasks));
    if (made != nullptr && !made->token.valid()) made.reset();
    return made;
}

std::unique_ptr<injector::consumer> injector::make_consumer() noexcept {
    return std::unique_ptr<consumer>(new (std::nothrow) consumer(queue_->tasks));
}

void injector::push(producer* from, frame& f) noexcept {
    if (from == nullptr || !queue_->tasks.enqueue(from->token, carried(&f))) spilled_.push(f);
}

std::size_t injector::take(consumer* by, frame** frames, std::size_t count) noexcept {
    const std::size_t spilled = take_spilled(frames, count);
    if (spilled != 0) return spilled;
    return by != nullptr ? queue_->tasks.try_dequeue_bulk(by->token, frames, count) : queue_->tasks.try_dequeue_bulk(frames, count);
}

}   // namespace lastly::detail

void std::default_delete<lastly::detail::injector::producer>::operator()(lastly::detail::injector::producer* p) const noexcept {
    delete p;
}
void std::default_delete<lastly::detail::injector::consumer>::operator()(lastly::detail::injector::consumer* c) const noexcept {
    delete c;
}
