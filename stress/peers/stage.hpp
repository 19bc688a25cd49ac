// The play that each peer is given, the same for all: bodies that hold every worker, and tasks queued behind them, so that the queue is full
// when the end comes. One play a process: what is shared is static, and outlives every destructor that exit runs.
// act, play, let_go: any thread. The others: the scenario's.
#pragma once

#include <lastly/stress.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace lastly::stress::peers {

// What a body does: returns; holds its worker until it is let go, or until all tasks are queued, when it throws, or calls exit.
enum class role { runs, holds, throws, exits };

struct failed_body {};

// A body: on the thread that it is called on.
void act(role what);
// The same under witness.
void play(cell& c, role what);

// Returns when so many bodies hold their workers. Errors: std::runtime_error if they do not within a few seconds.
void wait_for_holders(unsigned n);
void all_are_queued() noexcept;
// Until a body has thrown, and a moment more, in which the peer does with the exception what it does.
void wait_for_the_throw();
// The bodies that hold their workers return.
void let_go() noexcept;
// The same in a moment, by another thread: for an end that waits for running bodies. Should the moment be over before that end has begun,
// queued tasks run, which is to the peer's advantage.
void let_go_soon();
// Until a body has ended the process.
[[noreturn]] void wait_for_the_end();
// The peer is about to abort the process: what it says of that is not shown beside a table.
void be_silent();

// Hands over a task for each worker, which it holds, and `tasks()` more. submit(cell, role): hands one over. `first`: of all of them.
template <class Submit>
void fill(round& r, Submit&& submit, role first = role::holds) {
    for (unsigned i = 0; i < r.workers(); ++i) submit(r.next(), i == 0 ? first : role::holds);
    wait_for_holders(r.workers());
    for (std::uint64_t i = 0; i < r.tasks(); ++i) submit(r.next(), role::runs);
    all_are_queued();
    if (first == role::throws) wait_for_the_throw();
}

// Those who wait, each for one task: `Handle` is what the peer gave them. tell(cell, handle, limit) waits for at most that, and tells the cell
// if it was told.
template <class Handle>
class audience {
public:
    void add(cell& c, Handle h) { seats_.emplace_back(&c, std::move(h)); }
    // After the end: for a second in all.
    template <class Tell>
    void ask(Tell&& tell) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
        for (auto& [task, handle] : seats_) {
            const std::chrono::nanoseconds left = until - std::chrono::steady_clock::now();
            tell(*task, handle, std::max(left, std::chrono::nanoseconds(0)));
        }
    }

private:
    std::vector<std::pair<cell*, Handle>> seats_;
};

}   // namespace lastly::stress::peers
