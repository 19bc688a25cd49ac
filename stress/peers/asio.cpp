// Boost.Asio's thread_pool in each way of ending. Its destructor stops it, joins its threads, and destroys what was not run.
#include "stress/peers/by_hand.hpp"
#include "stress/peers/peers.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstdlib>
#include <optional>

namespace lastly::stress::peers::asio {

namespace {

using boost::asio::thread_pool;

auto into(thread_pool& p) {
    return [&p](auto&& task) { boost::asio::post(p, std::move(task)); };
}

template <class Task>
void wait_for_all(round& r, role first) {
    thread_pool p(r.workers());
    waited_for<Task> waiters;
    fill(r, waiters.to(into(p)), first);
    let_go();
    p.join();
    waiters.ask();
}

// What is dropped goes with the pool, so that nobody is to wait before that.
template <class Task>
void stop(round& r) {
    std::optional<thread_pool> p(std::in_place, r.workers());
    waited_for<Task> waiters;
    fill(r, waiters.to(into(*p)));
    p->stop();
    let_go();
    p->join();
    p.reset();
    waiters.ask();
}

template <class Task>
void destroy(round& r) {
    std::optional<thread_pool> p(std::in_place, r.workers());
    waited_for<Task> waiters;
    fill(r, waiters.to(into(*p)));
    let_go_soon();
    p.reset();
    waiters.ask();
}

}   // namespace

void run_to_the_end(round& r) { wait_for_all<careful_task<>>(r, role::holds); }
void body_throws(round& r) {
    be_silent();
    wait_for_all<careful_task<thrown::escapes>>(r, role::throws);
}
void body_throws_caught(round& r) { wait_for_all<careful_task<>>(r, role::throws); }
void cancelled(round& r) { stop<careful_task<>>(r); }
void cancelled_guard_in_body(round& r) { stop<common_task>(r); }
void destroyed(round& r) { destroy<careful_task<>>(r); }
void destroyed_guard_in_body(round& r) { destroy<common_task>(r); }

void exit_with_static_pool(round& r) {
    static thread_pool p(r.workers());
    fill(r, careful_tasks(into(p)));
    let_go_soon();
    std::exit(0);
}

void exit_with_local_pool(round& r) {
    thread_pool p(r.workers());
    fill(r, careful_tasks(into(p)));
    let_go_soon();
    std::exit(0);
}

void exit_inside_a_body(round& r) {
    static thread_pool p(r.workers());
    fill(r, careful_tasks(into(p)), role::exits);
    wait_for_the_end();
}

}   // namespace lastly::stress::peers::asio
