// Groups and those who wait for them: a worker that waits runs members meanwhile, and nothing else (W1).
// Any thread. Invariants: 1. A frame taken in a wait is a member of the awaited group, or of one that a member of it waits for.
// 2. A worker sleeps only when it finds no such frame, and another thread takes its place (stand_in.hpp). 3. A wait inside a member of
// the awaited group is refused (W4).
#include "core/base/thread.hpp"
#include "core/sched/pool_core.hpp"
#include "core/sched/stand_in.hpp"
#include "core/task/context.hpp"
#include "core/task/group.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <cstdio>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

namespace lastly::detail {

namespace {

constexpr unsigned spins_before_sleep = 20;   // as after a wake in task/completion.cpp
constexpr unsigned pauses_a_round = 8;

std::uint32_t number_of(const deque_item& item) noexcept {
    return item.tag == look_at_task ? group_of(*item.task) : static_cast<std::uint32_t>(item.tag);
}

// As long as the item stands in a queue its group is incomplete, and so is each one that needs it: the answer is still right when the
// item has been taken.
bool is_needed(const deque_item& item, const group_core& awaited) noexcept {
    const std::uint32_t number = number_of(item);
    return number != 0 && group_at(number).is_needed_by(awaited.number());
}

// What a wait for the group may run, from a deque: most of it is its own.
struct own_filter {
    std::uint32_t number;
    bool operator()(const deque_item& item) const noexcept { return item.tag == number; }
};
struct member_filter {
    group_core& group;
    bool operator()(const deque_item& item) const noexcept { return item.tag == group.number() || is_needed(item, group) || LASTLY_FAULT("W1-foreign"); }
};

// From the young end of the worker's own deque.
[[gnu::noinline]] frame* pop_member(worker& w, group_core& g) noexcept {
    deque_item item;
    return w.tasks.pop_if(member_filter{g}, item) ? item.task : nullptr;
}
inline frame* pop_own_member(worker& w, group_core& g) noexcept {
    deque_item item;
    return w.tasks.pop_if(own_filter{g.number()}, item) ? item.task : pop_member(w, g);
}

frame* find_member(worker& w, group_core& g) noexcept {
    if (frame* const f = pop_own_member(w, g)) return f;
    deque_item item;
    const deque_filter for_thieves{[](const deque_item& i, void* of) { return member_filter{*static_cast<group_core*>(of)}(i); }, &g};
    const unsigned crew = w.pool.workers.size();
    for (unsigned i = 0; i < crew; ++i) {   // its own first, from the other end
        if (w.pool.workers[(w.index + i) % crew].tasks.steal_if(for_thieves, item)) return item.task;
    }
    if (w.pool.helpers.steal_if(for_thieves, item)) return item.task;
    if (w.tasks.size() == 0) fetch_batch(w);   // members from outside: they can be told apart in a deque
    return nullptr;
}

// While it lives, this worker runs members of that group, and nobody is told after each of them.
class awaiting {
public:
    awaiting(worker& w, const group_core& g) noexcept : worker_(w), outer_(std::exchange(w.awaited, &g)) {}
    ~awaiting() {
        worker_.awaited = outer_;
        turn_to(worker_.books, nullptr);   // also where the thread is left: chains that run in passing may need whoever waits for the group
    }
    awaiting(const awaiting&) = delete;
    awaiting& operator=(const awaiting&) = delete;

private:
    worker& worker_;
    const group_core* const outer_;
};

// Runs a member, and then what stands at the young end of its own deque as long as that is wanted. False: there was none.
bool run_members(worker& w, group_core& g) {
    frame* f = find_member(w, g);
    if (f == nullptr) return false;
    run_while_waiting(w, f, [&w, &g] { return pop_own_member(w, g); });
    return true;
}

// Runs members until the group is complete, or none was to be found for a while.
void help_group(worker& w, group_core& g) {
    const awaiting here(w, g);
    const std::uint32_t limit = w.pool.options.tuning.help_depth;
    for (std::uint32_t round = 0; round < w.pool.options.tuning.spin_rounds; ++round) {
        turn_to(w.books, nullptr);   // whoever else waits for it is told
        if (g.is_complete()) return;
        if (w.help_depth < limit && run_members(w, g)) {
            round = 0;
            continue;
        }
        for (unsigned i = 0; i < pauses_a_round; ++i) pause_cpu();
    }
}

struct group_wait {
    group_core& group;
    bool is_over() const noexcept { return group.is_complete(); }
    void sleep() const noexcept { group.sleep_until_complete(); }
};

// While it lives, a member of that group waits for the other.
class note_of_waiter {
public:
    note_of_waiter(group_core& awaited, const group_core* waiting) noexcept
        : awaited_(awaited), stands_(waiting != nullptr && awaited.note_waiter(waiting->number())) {}
    ~note_of_waiter() {
        if (stands_) awaited_.withdraw_waiter();
    }
    note_of_waiter(const note_of_waiter&) = delete;
    note_of_waiter& operator=(const note_of_waiter&) = delete;

private:
    group_core& awaited_;
    const bool stands_;
};

void spin(const group_core& g) noexcept {
    for (unsigned i = 0; i < spins_before_sleep && !g.is_complete(); ++i) pause_cpu();
}

void wait_until_complete(pool_core& pool, group_core& g) {
    if (g.is_complete()) return;
    worker* const w = this_thread.self;
    const bool helps = w != nullptr && &w->pool == &pool;
    const run_record* const waiter = helps ? this_thread.current : nullptr;
    const note_of_waiter noted(g, waiter != nullptr ? waiter->group : nullptr);
    if (helps) help_group(*w, g);
    else spin(g);
    group_wait wait{g};
    stand_aside(g.anchor(), wait, true);
}

bool is_inside_member(const group_core& g) noexcept {
    for (const run_record* r = this_thread.current; r != nullptr; r = r->outer) {
        if (r->group == &g) return true;
    }
    return false;
}

// To the sink of the group's pool, or of the process if that pool is gone.
void tell_failures(group_core& g) noexcept {
    group_failure* const all = g.take_failures();
    for (const group_failure* f = all; f != nullptr; f = f->next) {
        const error_report report{.kind = report_kind::failed, .name = f->name, .site = f->site, .error = f->error};
        const visit here(g.anchor());
        if (here && g.anchor().serial() == g.pool_serial()) g.anchor().sink->report(report);
        else process_sink().report(report);
    }
    g.free_failures(all);
}

// What a group that names no parent stands below: what stops the task that makes it (C3). Inside a finalizer: nothing (C4).
// Its own pool's end its members observe anyhow: no link at the root for each group. A member may see that end before any context does.
// Returns whether that pool runs the task.
bool find_parents(pool_core& pool, group_parents& parents) {
    run_record* const r = this_thread.current;
    if (r == nullptr || r->finalizing || r->pool == nullptr || LASTLY_FAULT("C3-group")) return false;
    const bool is_own_pool = r->pool == pool.anchor;
    if (r->task->type().has_handle_part) {
        parents[0] = context_of(*r);
        return is_own_pool;
    }
    const stop_sources sources = stops_of(*r);   // the same as its own context would have, without making that
    parents[0] = context_access::share(sources.attached);
    parents[1] = context_access::share(sources.group);
    if (!is_own_pool) parents[2] = context_access::share(r->pool->root);
    return is_own_pool;
}

}   // namespace

group_core& open_group(pool_core& pool, bool fail_fast, const context* parent) {
    group_parents parents;
    bool observes_pool = false;
    if (parent != nullptr) parents[0] = *parent;
    else observes_pool = find_parents(pool, parents);
    const run_record* const r = this_thread.current;
    group_core& g = group_store::take(*pool.anchor, fail_fast, std::move(parents), r != nullptr ? site_of(*r) : creation_site{nullptr, 0});
    if (observes_pool) g.observe_pool();
    return g;
}

bool cancel_group(group_core& g, std::error_code cause) noexcept {
    const context now = g.context_from_outside();
    return context_access::node(now)->cancel(cause);
}

void wait_for_group(pool_core& pool, group_core& g, std::vector<std::exception_ptr>& failures) {
    if (is_inside_member(g) && !LASTLY_FAULT("W4-group")) {
        throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                "lastly: a member of a task_group waits for that group");
    }
    g.anchor().refuse_to_wait_if_inherited();   // the pool itself may be gone
    wait_until_complete(pool, g);
    context fresh;   // what may throw comes first: then the group is as it was, and a second wait tells all
    const bool has_stopped = g.context()->stopped();
    if (has_stopped) fresh = group_store::another_context(g);
    std::optional<task_cancelled> cancelled;
    if (const std::error_code cause = g.stopped_from_above()) cancelled.emplace(cause);
    else if (g.drop() != 0) cancelled.emplace(end_cause(g.drop()));
    g.move_failures(failures);
    g.forget_dropped();
    if (has_stopped) group_store::renew(g, std::move(fresh));
    if (!failures.empty()) std::rethrow_exception(failures.front());
    if (cancelled) throw task_cancelled(*cancelled);
}

void close_group(pool_core& pool, group_core& g) noexcept {
    if (g.anchor().is_inherited()) return;   // it is the parent's (P6)
    if (!g.is_complete()) {
        if (is_inside_member(g)) {
            std::fputs("lastly: a member of a task_group destroys that group, which would wait for the member for ever\n", stderr);
            std::terminate();
        }
        g.cancel(errc::cancelled);
        wait_until_complete(pool, g);
    }
    tell_failures(g);
    group_store::give(g);
}

}   // namespace lastly::detail
