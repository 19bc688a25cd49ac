// Finalizers that do things: defer others, submit tasks to the pool, wait for tasks and groups, after bodies that return or throw.
#include "stress/scenarios/scenarios.hpp"

#include <stdexcept>

namespace lastly::stress::scenarios {

namespace {

// What the attached finalizers of a task do, by a number.
struct does {
    round* r;
    pool* p;
    unsigned what;

    void operator()() const {
        switch (what) {
            case 0: return;
            case 1: send<1>(r->next(), succeeds, into(*p), [] {}); return;
            case 2: {
                cell& c = r->next();
                const auto h = send<1>(c, {.waiters = 1, .ends = ends::succeeded}, for_handle(*p), [](task_context& t, cell& own) { defer(t, own); });
                h->wait();
                tell(c, *h);
                return;
            }
            default: {
                task_group g(*p);
                for (unsigned i = 0; i < 2; ++i) send<1>(r->next(), {.ends = ends::succeeded}, into(g), [] {});
                g.wait();
            }
        }
    }
};

// A deferred finalizer that registers further ones.
void defer_deeper(task_context& t, cell& c, unsigned more) {
    defer(t, c, [&t, &c, more] {
        if (more > 0) defer_deeper(t, c, more - 1);
    });
}

}   // namespace

void busy_finalizers(round& r) {
    pool p(r.options());
    const watch shown(p);
    random_numbers random = r.random();
    // Each task and the finalizers' own: about three cells.
    for (std::uint64_t left = r.tasks() / 3; left > 0; --left) {
        const auto what = static_cast<unsigned>(random.below(4));
        const bool fails = random.one_in(4);
        send<2>(r.next(), {.ends = fails ? ends::failed : ends::succeeded, .must_begin = true}, into(p), [fails](task_context& t, cell& c) {
            defer_deeper(t, c, 3);
            if (fails) throw std::runtime_error("thrown by a body");
        }, does{&r, &p, what});
    }
    r.close(p);
}

}   // namespace lastly::stress::scenarios
