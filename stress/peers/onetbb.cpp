// oneTBB in each way of ending: task_group, which waits and cancels, and task_arena::enqueue, which does neither.
// As many threads as workers are asked for, beside the scenario's own, which has a slot in the arena: global_control counts it.
#include "stress/peers/by_hand.hpp"
#include "stress/peers/peers.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <cstdlib>
#include <optional>

namespace lastly::stress::peers {

namespace {

using oneapi::tbb::global_control;
using oneapi::tbb::task_arena;
using oneapi::tbb::task_group;

}   // namespace

namespace onetbb_group {

namespace {

struct stage_for_groups {
    explicit stage_for_groups(round& r)
        : limit(global_control::max_allowed_parallelism, r.workers() + 1), arena(static_cast<int>(r.workers() + 1), 1) {}
    global_control limit;
    task_arena arena;
};

// A group that may have static storage: its destructor cancels and waits, as the documentation asks for.
struct closing_group : stage_for_groups {
    using stage_for_groups::stage_for_groups;
    ~closing_group() {
        arena.execute([this] {
            group.cancel();
            group.wait();
        });
    }
    closing_group(const closing_group&) = delete;
    closing_group& operator=(const closing_group&) = delete;
    task_group group;
};

auto into(task_group& g) {
    return [&g](auto&& task) { g.run(std::move(task)); };
}

// Fills a group, and ends it by `end(group)`.
template <class Task, class End>
void fill_and_end(round& r, role first, End end) {
    stage_for_groups stage(r);
    waited_for<Task> waiters;
    stage.arena.execute([&] {
        try {
            task_group g;
            fill(r, waiters.to(into(g)), first);
            end(g);
        } catch (const failed_body&) {                 // from wait
        } catch (const oneapi::tbb::missing_wait&) {   // from the destructor, once it has cancelled and waited
        }
    });
    waiters.ask();
}

void wait(task_group& g) {
    let_go();
    g.wait();
}
void cancel(task_group& g) {
    g.cancel();
    wait(g);
}

}   // namespace

void run_to_the_end(round& r) { fill_and_end<careful_task<>>(r, role::holds, &wait); }
void body_throws(round& r) { fill_and_end<careful_task<thrown::escapes>>(r, role::throws, &wait); }
void cancelled(round& r) { fill_and_end<careful_task<>>(r, role::holds, &cancel); }
void cancelled_guard_in_body(round& r) { fill_and_end<common_task>(r, role::holds, &cancel); }
void destroyed(round& r) {
    fill_and_end<careful_task<>>(r, role::holds, [](task_group&) { let_go_soon(); });
}

void exit_with_static_pool(round& r) {
    static closing_group g(r);
    g.arena.execute([&r] { fill(r, careful_tasks(into(g.group))); });
    let_go_soon();
    std::exit(0);
}

void exit_with_local_pool(round& r) {
    closing_group g(r);
    g.arena.execute([&] { fill(r, careful_tasks(into(g.group))); });
    let_go_soon();
    std::exit(0);
}

void exit_inside_a_body(round& r) {
    static closing_group g(r);
    g.arena.execute([&r] { fill(r, careful_tasks(into(g.group)), role::exits); });
    wait_for_the_end();
}

}   // namespace onetbb_group

namespace onetbb_enqueue {

namespace {

// Fills an arena, and ends it by `end(arena)`.
template <class Task, class End>
void fill_and_end(round& r, role first, End end) {
    const global_control limit(global_control::max_allowed_parallelism, r.workers() + 1);
    std::optional<task_arena> arena(std::in_place, static_cast<int>(r.workers()), 0u);
    waited_for<Task> waiters;
    fill(r, waiters.to([&arena](auto&& task) { arena->enqueue(std::move(task)); }), first);
    end(arena);
    waiters.ask();
}

void go_on(std::optional<task_arena>&) { let_go(); }

}   // namespace

void run_to_the_end(round& r) { fill_and_end<careful_task<>>(r, role::holds, &go_on); }
void body_throws(round& r) {
    be_silent();
    fill_and_end<careful_task<thrown::escapes>>(r, role::throws, &go_on);
}
void body_throws_caught(round& r) { fill_and_end<careful_task<>>(r, role::throws, &go_on); }
void destroyed(round& r) {
    fill_and_end<careful_task<>>(r, role::holds, [](std::optional<task_arena>& arena) {
        arena.reset();
        let_go();
    });
}

}   // namespace onetbb_enqueue

}   // namespace lastly::stress::peers
