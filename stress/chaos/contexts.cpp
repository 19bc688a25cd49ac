// Situations of contexts, deadlines and stop callbacks. See situations.hpp.
#include "stress/chaos/situations.hpp"

#include <stop_token>

namespace lastly::stress::chaos {

namespace {

using namespace std::chrono_literals;

// with_timeout, or nothing for want of memory.
std::optional<cancel_source> timeout(desk& d, std::chrono::nanoseconds limit) {
    try {
        return with_timeout(context::background(), limit);
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
        return std::nullopt;
    }
}

void tree(desk& d) {
    auto root = source_below(d);
    if (!root) return;
    auto left = source_below(d, root->context());
    auto right = source_below(d, root->context());
    if (!left || !right) return;
    const auto below = source_below(d, left->context());
    const context& leaf = below ? below->context() : left->context();
    cell& stopped = d.next();
    cell& other = d.next();
    d.check(left->cancel(), "E2: the first to cancel a node is the one that did it");
    d.check(leaf.stop_requested() && !right->context().stop_requested(), "C3: a cancel reaches what is below, and nothing else");
    task_plan plan = d.waited(ends::cancelled);
    plan.must_not_begin = true;
    d.wait(stopped, d.send<2>(stopped, plan, for_handle(d.p(), leaf), [] {}));
    d.wait(other, d.send<2>(other, d.waited(d.fragile(ends::succeeded)), for_handle(d.p(), right->context()), [](task_context& t, cell& c) { defer(t, c); }));
}

void fan(desk& d) {
    auto root = source_below(d);
    if (!root) return;
    std::array<std::optional<cancel_source>, 12> children;
    for (auto& child : children) child = source_below(d, root->context());
    root->cancel();
    for (const auto& child : children) d.check(!child || child->context().stop_requested(), "C3: a cancel reaches every child");
    for (int i = 0; i < 3; ++i) {
        const auto late = source_below(d, root->context());
        d.check(!late || late->context().stop_requested(), "C3: a child of a stopped node has stopped from the start");
    }
}

// A deadline that passes while the body sleeps.
void deadline(desk& d) {
    const auto source = timeout(d, 300us);
    if (!source) return;
    cell& c = d.next();
    d.wait(c, d.send<1>(c, d.waited(d.fragile(ends::cancelled)), for_handle(d.p(), source->context()), [](task_context& t, cell& own) {
        defer(t, own);
        static_cast<void>(t.context().sleep_for(forever));
        t.throw_if_stopped();
    }));
}

void passed_deadline(desk& d) {
    const auto source = timeout(d, 0ns);
    if (!source) return;
    cell& c = d.next();
    task_plan plan = d.waited(ends::cancelled);
    plan.must_not_begin = true;
    d.wait(c, d.send<1>(c, plan, for_handle(d.p(), source->context()), [] {}));
}

void many_deadlines(desk& d) {
    std::array<std::optional<cancel_source>, 6> all;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = timeout(d, i % 2 == 0 ? 1h : 200us);
    for (std::size_t i = 1; i < all.size(); i += 2) {
        if (all[i]) d.check(!all[i]->context().sleep_for(forever), "C5: a deadline that passes wakes a sleeper");
    }
}

// The task's own node and its token, made when the body asks.
void own_context(desk& d) {
    cell& c = d.next();
    auto h = d.send<1>(c, d.waited(d.fragile(ends::succeeded | ends::cancelled)), for_handle(d.p()), [&d](task_context& t, cell& own) {
        defer(t, own);
        const context mine = t.context();
        std::atomic<bool> told{false};
        const std::stop_callback tells(mine.stop_token(), [&told]() noexcept { told.store(true, std::memory_order_relaxed); });
        d.check(!mine.sleep_for(forever), "C1: a cancel wakes the sleeper");
        while (!told.load(std::memory_order_relaxed)) std::this_thread::yield();
        t.throw_if_stopped();
    });
    if (h) h->cancel();
    d.wait(c, h);
}

// The same, of a task with all that can stop one: its handle, a context, a group.
void context_with_every_parent(desk& d) {
    const auto source = source_below(d);
    std::optional<task_group> g;
    if (!source) return;
    try {
        g.emplace(d.p(), group_policy::collect);
    } catch (const std::bad_alloc&) {
        return d.check_no_memory();
    }
    cell& c = d.next();
    const auto how = for_handle(*g, source->context());
    const auto h = d.send<1>(c, d.waited(), how, [&d](task_context& t) {
        try {
            d.check(!t.context().stop_requested() && t.context() == this_task::context(), "C3: a task has one context");
        } catch (const std::bad_alloc&) {
            d.check_no_memory();
        }
    });
    d.wait(c, h);
    d.check(wait_for(d, *g) == group_end::well, "W1: a group ends well if its members do");
}

void callbacks(desk& d) {
    auto source = source_below(d);
    if (!source) return;
    int told = 0, due = 0;
    try {
        const std::stop_callback first(source->context().stop_token(), [&told]() noexcept { ++told; });
        const std::stop_callback second(source->context().stop_token(), [&told]() noexcept { ++told; });
        due = 2;
        source->cancel();
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
        source->cancel();
    }
    d.check(told == due, "C1: a cancel runs the stop callbacks");
}

// The pool's root, its token and a child of it, beyond the pool's end.
void root_outlives_its_pool(desk& d) {
    context root;
    std::optional<cancel_source> child;
    {
        own_pool p(d, d.options());
        if (!p) return;
        root = p->context();
        child = source_below(d, root);
        cell& c = d.next();
        d.wait(c, d.send<1>(c, d.waited(), for_handle(*p), [] {}));
        d.check(!root.stop_requested(), "S6: a pool's context has not stopped while the pool is open");
    }
    d.check(root.stop_requested() && root.cause() == errc::pool_shutdown, "S6: a pool's context has stopped when the pool is gone");
    d.check(!child || child->context().cause() == errc::pool_shutdown, "C3: so has what is below it");
}

// A submitter that waits for room listens for its context's stop, which needs memory; then the context stops, or room comes.
void blocked_submitter(desk& d) {
    auto source = source_below(d);
    pool_options o = d.options();
    o.capacity = 1;
    o.overflow = overflow::block;
    own_pool p(d, std::move(o));
    if (!source || !p) return;
    d.may_be_refused_with(errc::cancelled);
    barrier full;
    d.send<1>(d.next(), d.plan(), into(*p), [&full] { full.pass(); });
    other_thread blocked([&d, &p, &source] {
        const auto how = into(*p, source->context());
        d.send<2>(d.next(), d.plan(ends::succeeded | ends::cancelled | ends::rejected), how, [] {});
    });
    source->cancel();
    blocked.join();
    full.open();
    p->wait_idle();
}

constexpr situation all[] = {
    {"a tree of contexts", &tree},
    {"a fan of contexts", &fan, false},
    {"a deadline", &deadline},
    {"a deadline that has passed", &passed_deadline},
    {"many deadlines", &many_deadlines, false},
    {"a context on request", &own_context},
    {"a context with every parent", &context_with_every_parent},
    {"stop callbacks", &callbacks, false},
    {"a root outlives its pool", &root_outlives_its_pool, false},
    {"a blocked submitter", &blocked_submitter, false},
};

}   // namespace

std::span<const situation> context_situations() noexcept { return all; }

}   // namespace lastly::stress::chaos
