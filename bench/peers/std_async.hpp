// std::async as a backend: a thread of its own for every task, so there are no workers to hold and no queue.
// producer: one thread each; wait: any thread. Invariant: at most `most_threads` tasks at a time, all producers together; a producer with
// its share of them out waits for its oldest one. Without such a bound a million tasks end in system_error: no more threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <future>
#include <utility>
#include <vector>

namespace bench {

template <class Cleanups>
class std_async {
public:
    explicit std_async(unsigned, unsigned producers = 1) : share_(std::max<std::size_t>(1, most_threads / producers)) {}

    class producer {
    public:
        explicit producer(std_async& to) : out_(to.share_) {}
        template <class Loop>
        void within(Loop&& loop) {
            loop();
            for (std::future<void>& f : out_) f = {};   // waits
        }
        template <class Body>
        void submit(Body body) { submit_any(std::move(body)); }
        template <class Body, class... C>
        void submit(Body body, C... c) { submit_any(Cleanups::join(body, c...)); }
        template <unsigned Count, class Body>
        void submit_deferring(Body body) {
            submit_any([body] { Cleanups::template guarded<Count>(body, body.own_cleanup()); });
        }
        template <class Body>
        void submit_any(Body body) {
            out_[next_] = {};   // waits for the oldest one
            out_[next_] = std::async(std::launch::async, std::move(body));
            if (++next_ == out_.size()) next_ = 0;
        }

    private:
        std::vector<std::future<void>> out_;
        std::size_t next_ = 0;
    };

    template <class Done>
    void wait(Done&&) {}   // `within` did

private:
    static constexpr std::size_t most_threads = 48;   // fewer than a tally has slots
    const std::size_t share_;
};

}   // namespace bench
