// Threads that leave: pthread_exit and pthread_cancel in bodies, finalizers, blocks, branches and refused chains, among tasks that wait for them.
// The pool replaces its workers, and every waiter is told. Rule P4.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>

#include <pthread.h>

extern "C" void __asan_handle_no_return() __attribute__((weak));   // there with the address sanitizer only

namespace lastly::stress::scenarios {

namespace {

enum class way { body, cancelled_body, deferred, attached, block, branch, count };
constexpr task_plan fails{.waiters = 1, .ends = ends::failed, .must_begin = true};

[[noreturn]] void leave() { ::pthread_exit(nullptr); }

void be_cancelled() {
    ::pthread_cancel(::pthread_self());
    if (__asan_handle_no_return != nullptr) __asan_handle_no_return();   // a compiler tells it of calls that never come back, which this may: else it takes their stack for used
    for (;;) ::pthread_testcancel();
}

void defer_counted(defer_frame& where, cell& c, bool leaves) {
    c.add(event::registered);
    where.defer([capture = canary(c), leaves] {
        capture.task().add(event::deferred);
        if (!leaves) return;
        capture.task().add(event::thrown);
        leave();
    });
}

// A task whose thread is left on one of the ways. Its group, or its handle, tells of it.
template <class How>
auto send_leaving(round& r, cell& own, pool& p, How how, way on) {
    const auto body = [&r, &p, on](task_context& t, cell& c) {
        defer(t, c);
        switch (on) {
            case way::body: leave();
            case way::cancelled_body: return be_cancelled();
            case way::deferred: defer(t, c, leave); break;
            case way::block: {
                defer_frame block(t);
                defer_counted(block, c, false);
                defer_counted(block, c, true);
                defer_counted(block, c, false);
                break;
            }
            case way::branch:
                parallel_invoke(p, [] {}, [&c] {
                    defer_in_branch(c);
                    leave();
                }, [] {});
                break;
            default: break;
        }
        r.check(on == way::deferred || on == way::attached, "P4: a body whose thread was left does not go on");
        defer(t, c);
    };
    const bool in_attached = on == way::attached;
    return send<3>(own, fails, how, body, [&own, in_attached](const outcome&) {
        if (in_attached && own.attached_left == 1) leave();
    });
}

// A refused chain whose finalizer leaves the submitter's thread.
void leave_submitters(round& r) {
    pool p(r.options());
    p.close();
    std::thread([&] {
        cell& c = r.next();
        send<3>(c, {.ends = ends::rejected, .must_not_begin = true}, into(p), [] {}, [&c](const outcome&) {
            if (c.attached_left == 1) leave();
        });
    }).join();
    r.close(p);
}

}   // namespace

void leaves(round& r) {
    random_numbers random = r.random();
    pool p(r.options());
    const watch shown(p);
    for (std::uint64_t left = r.tasks(); left > 0;) {
        const unsigned together = static_cast<unsigned>(1 + random.below(8));
        struct sent {
            cell* c;
            task_handle<void> handle;
            way how;
        };
        std::vector<sent> handles;
        for (unsigned i = 0; i < together; ++i) {
            cell& c = r.next();
            const auto how = static_cast<way>(random.below(static_cast<std::uint64_t>(way::count)));
            if (auto h = send_leaving(r, c, p, for_handle(p), how)) handles.push_back({&c, std::move(*h), how});
            for (unsigned k = 0; k < 3; ++k) send<1>(r.next(), succeeds, into(p), [](task_context& t, cell& own) { defer(t, own); });
        }
        for (auto& [c, h, how] : handles) {
            h.wait();
            tell(*c, h);
            try {
                h.get();
            } catch (const std::system_error& e) {
                r.check(e.code() == errc::thread_exited, "P4: a task whose thread was left fails with errc::thread_exited");
            }
            r.count_one(static_cast<unsigned>(how));
        }
        leave_submitters(r);
        r.count_one(static_cast<unsigned>(way::count));
        left -= std::min<std::uint64_t>(left, 4 * together);
    }
    r.close(p);
}

}   // namespace lastly::stress::scenarios
