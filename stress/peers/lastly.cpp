// lastly in each way of ending: every task has one finalizer, attached with its submission.
#include "stress/peers/peers.hpp"
#include "stress/peers/stage.hpp"

#include <cstdlib>
#include <optional>

namespace lastly::stress::peers::own {

namespace {

// For `fill`: tasks for a handle each; `to` is a pool or a group.
template <class To>
auto for_handles(To& to, audience<task_handle<void>>& waiters) {
    return [&to, &waiters](cell& c, role what) {
        if (auto handle = send<1>(c, {.waiters = 1}, for_handle(to), [what] { act(what); })) waiters.add(c, std::move(*handle));
    };
}

// For `fill`: tasks that nobody waits for, as the process ends.
auto detached(pool& p) {
    return [&p](cell& c, role what) { send<1>(c, {}, into(p), [what] { act(what); }); };
}

void ask(audience<task_handle<void>>& waiters) {
    waiters.ask([](cell& c, const task_handle<void>& h, std::chrono::nanoseconds limit) {
        if (h.wait_for(limit)) tell(c, h);
    });
}

void wait_for_all(round& r, role first) {
    pool p(r.options());
    audience<task_handle<void>> waiters;
    fill(r, for_handles(p, waiters), first);
    let_go();
    ask(waiters);
}

pool_options cancelling(const round& r) {
    pool_options o = r.options();
    o.on_destroy = on_destroy::cancel;
    return o;
}

}   // namespace

void run_to_the_end(round& r) { wait_for_all(r, role::holds); }
void body_throws(round& r) { wait_for_all(r, role::throws); }

void cancelled(round& r) {
    pool p(r.options());
    audience<task_handle<void>> waiters;
    task_group g(p);
    fill(r, for_handles(g, waiters));
    g.cancel();
    let_go();
    ask(waiters);
    g.wait();
}

void destroyed(round& r) {
    std::optional<pool> p(std::in_place, cancelling(r));
    audience<task_handle<void>> waiters;
    fill(r, for_handles(*p, waiters));
    let_go_soon();
    p.reset();
    ask(waiters);
}

void exit_with_static_pool(round& r) {
    static pool p(cancelling(r));
    fill(r, detached(p));
    let_go_soon();
    std::exit(0);
}

void exit_with_local_pool(round& r) {
    pool p(cancelling(r));
    fill(r, detached(p));
    let_go_soon();
    std::exit(0);
}

void exit_inside_a_body(round& r) {
    static pool p(cancelling(r));
    fill(r, detached(p), role::exits);
    wait_for_the_end();
}

}   // namespace lastly::stress::peers::own
