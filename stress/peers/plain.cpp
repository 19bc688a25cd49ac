// The plain pool in each way of ending. Its worker calls a task and nothing more, so that what a body throws is the task's own business.
#include "stress/peers/by_hand.hpp"
#include "stress/peers/peers.hpp"
#include "stress/peers/plain_pool.hpp"

#include <cstdlib>
#include <optional>

namespace lastly::stress::peers::plain {

namespace {

auto into(plain_pool& p) {
    return [&p](auto&& task) { p.post(std::move(task)); };
}

void wait_for_all(round& r, role first) {
    plain_pool p(r.workers());
    waited_for waiters;
    fill(r, waiters.to(into(p)), first);
    let_go();
    waiters.ask();
}

template <class Task>
void clear(round& r) {
    plain_pool p(r.workers());
    waited_for<Task> waiters;
    fill(r, waiters.to(into(p)));
    p.clear();
    let_go();
    waiters.ask();
}

}   // namespace

void run_to_the_end(round& r) { wait_for_all(r, role::holds); }
void body_throws_caught(round& r) { wait_for_all(r, role::throws); }
void cancelled(round& r) { clear<careful_task<>>(r); }
void cancelled_guard_in_body(round& r) { clear<common_task>(r); }

void destroyed(round& r) {
    std::optional<plain_pool> p(std::in_place, r.workers());
    waited_for waiters;
    fill(r, waiters.to(into(*p)));
    let_go_soon();
    p.reset();
    waiters.ask();
}

void exit_with_static_pool(round& r) {
    static plain_pool p(r.workers());
    fill(r, careful_tasks(into(p)));
    let_go_soon();
    std::exit(0);
}

void exit_with_local_pool(round& r) {
    plain_pool p(r.workers());
    fill(r, careful_tasks(into(p)));
    let_go_soon();
    std::exit(0);
}

void exit_inside_a_body(round& r) {
    static plain_pool p(r.workers());
    fill(r, careful_tasks(into(p)), role::exits);
    wait_for_the_end();
}

}   // namespace lastly::stress::peers::plain
