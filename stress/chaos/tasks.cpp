// Situations of one task at a time: its making, its captures, its finalizers. See situations.hpp.
#include "stress/chaos/situations.hpp"

#include <stdexcept>
#include <string>

namespace lastly::stress::chaos {

namespace {

// For stress::defer: where this_task::defer registers.
struct this_tasks {
    template <class F>
    void defer(F&& f) { this_task::defer(std::forward<F>(f)); }
};

constexpr auto defers_one = [](task_context& t, cell& c) { defer(t, c); };

void submitted(desk& d) {
    cell& c = d.next();
    d.wait(c, d.send<1>(c, d.waited(d.fragile(ends::succeeded)), for_handle(d.p()), defers_one));
}

void detached_with_three(desk& d) {
    d.send<3>(d.next(), d.plan(d.fragile(ends::succeeded)), into(d.p()), defers_one);
    d.send<3>(d.next(), d.plan(), into(d.p()), [] {});
    d.p().wait_idle();
}

void ran(desk& d) {
    cell& c = d.next();
    const bool accepted = d.send<2>(c, d.waited(), [&d](auto&&... parts) { d.p().run(std::forward<decltype(parts)>(parts)...); }, [] {});
    c.tell(accepted ? ends::succeeded : ends::rejected);
}

// Each that cannot be stored runs at once, and its exception ends the body.
void defers_many(desk& d) {
    d.send<1>(d.next(), d.plan(d.fragile(ends::succeeded)), into(d.p()), [](task_context& t, cell& c) {
        for (int i = 0; i < 50; ++i) defer(t, c);
    });
}

// The body goes on; large ones, so that several classes of blocks are needed.
void defers_and_goes_on(desk& d) {
    d.send<1>(d.next(), d.plan(), into(d.p()), [&d](task_context& t, cell& c) {
        const auto one = [&](auto more) {
            c.add(event::registered);
            d.in_call = true;
            try {
                t.defer([&d, more, capture = canary(c)](const outcome& o) {
                    static_cast<void>(more);
                    capture.task().add(event::deferred);
                    const bool at_once = o.cancelled() && o.started() && o.cause() == std::errc::not_enough_memory;
                    d.check(d.in_call ? at_once : o.succeeded(), "A3: a deferred finalizer that cannot be stored is told so, others of the body's outcome");
                });
            } catch (const std::bad_alloc&) {
                d.check_no_memory();
            }
            d.in_call = false;
        };
        for (int i = 0; i < 8; ++i) {
            one(std::array<char, 16>{});
            one(std::array<char, 500>{});
            one(std::array<char, 3000>{});
        }
        one(std::array<char, 12'000>{});
    });
}

void defers_in_finalizers(desk& d) {
    cell& c = d.next();
    const auto action = [&d, &c](const outcome& o) {
        desk::looks{&d}(o);
        this_tasks here;
        for (int i = 0; i < 12; ++i) {
            defer(here, c, [&c, i] {
                this_tasks deeper;
                if (i % 4 == 0) defer(deeper, c);
            });
        }
    };
    d.send<2>(c, d.plan(d.fragile(ends::succeeded)), into(d.p()), [] {}, action);
    d.p().wait_idle();   // `c` outlives what refers to it; the cell itself outlives all
}

void finalizer_that_recovers(desk& d) {
    cell& c = d.next();
    task_plan plan = d.waited();
    plan.edited = true;
    const auto h = d.send<1>(c, plan, for_handle(d.p()), [](task_context& t, cell& own) -> int {
        defer(t, own);
        throw failed_on_purpose();
    }, [&d](result<int>& o) {
        desk::looks{&d}(o);
        if (!o.rejected()) o.set_value(5);
    });
    d.wait(c, h);
}

void frame_of_defers(desk& d) {
    d.send<1>(d.next(), d.plan(d.fragile(ends::succeeded)), into(d.p()), [](task_context& t, cell& c) {
        for (int round = 0; round < 3; ++round) {
            defer_frame block(t);
            for (int i = 0; i < 12; ++i) {
                c.add(event::registered);
                block.defer([capture = canary(c)] { capture.task().add(event::deferred); });
            }
        }
    });
}

void made_and_submitted(desk& d) {
    cell& c = d.next();
    auto t = d.made<2>(c, d.plan(d.fragile(ends::succeeded)), defers_one);
    if (t) d.hand_over(c, std::move(*t));
}

void made_and_discarded(desk& d) {
    cell& c = d.next();
    task_plan plan = d.plan(ends::rejected);
    plan.must_not_begin = plan.discarded = true;
    d.may_be_refused_with(errc::discarded);
    auto t = d.made<3>(c, plan, defers_one);
    if (!t) return;
    const auto moved = std::move(*t);
    c.refuse();
}

// A refused one is intact (A2), and offered again; in the end it is given up.
void offered(desk& d) {
    d.may_be_refused_with(errc::discarded);
    cell& c = d.next();
    auto t = d.made<2>(c, d.waited(d.fragile(ends::succeeded)), defers_one);
    if (!t) return c.tell(ends::rejected);
    for (int i = 0; i < 3; ++i) {
        task_handle<void> h;
        const std::error_code refused = d.p().try_submit(std::move(*t), &h);
        if (!refused) {
            d.wait(c, std::optional(std::move(h)));
            return;
        }
        d.check_refusal(refused);
        d.check(t->valid() && !h.valid(), "A2: a task that was refused is intact");
        d.of_round().refused_attempt();
    }
    c.plan.discarded = true;
    t.reset();
    c.refuse();
    c.tell(ends::rejected);
}

template <std::size_t Bytes>
void send_sized(desk& d) {
    cell& c = d.next();
    d.wait(c, d.send<1>(c, d.waited(), for_handle(d.p()), [ballast = std::array<char, Bytes>{}] { return ballast[Bytes / 2] == 0; }));
}

void big_capture(desk& d) {
    send_sized<20 << 10>(d);
    send_sized<200 << 10>(d);
}

void captures_of_many_sizes(desk& d) {
    send_sized<16>(d);
    send_sized<100>(d);
    send_sized<300>(d);
    send_sized<700>(d);
    send_sized<1500>(d);
    send_sized<3000>(d);
    send_sized<6000>(d);
    send_sized<9000>(d);
}

void big_result(desk& d) {
    cell& c = d.next();
    d.wait(c, d.send<1>(c, d.waited(), for_handle(d.p()), [] { return std::array<char, 10'000>{}; }));
}

// Its move into the frame needs memory: then the finalizers run where they are.
void capture_that_allocates(desk& d) {
    struct costly {
        desk* d;
        explicit costly(desk& on) noexcept : d(&on) {}
        costly(costly&& o) : d(o.d) {
            if (d->in_call) ::operator delete(::operator new(64));
        }
    };
    d.may_be_refused_with(errc::construction_failed);
    const auto how = [&d](auto&&... parts) {
        d.in_call = true;
        const struct over {
            desk& d;
            ~over() { d.in_call = false; }
        } at_end{d};
        d.p().detach(std::forward<decltype(parts)>(parts)...);
    };
    d.send<3>(d.next(), d.plan(), how, [held = costly(d)] { static_cast<void>(held); });
}

void named_and_observing(desk& d) {
    const auto source = source_below(d);
    if (!source) return;
    cell& c = d.next();
    const auto how = for_handle(d.p(), named("scarce"), source->context());
    d.wait(c, d.send<2>(c, d.waited(d.fragile(ends::succeeded)), how, [&d](task_context& t, cell& own) {
        d.check(std::string_view(t.name()) == "scarce", "a task has its name");
        defer(t, own);
    }));
}

// An exception that nobody takes reaches the sink, once.
void failing_detached(desk& d) {
    const bool accepted = d.send<1>(d.next(), d.plan(ends::failed), into(d.p()), []() { throw failed_on_purpose(); });
    d.p().wait_idle();
    d.check(d.reports(report_kind::failed) == (accepted ? 1 : 0), "E5: the error of a detached task reaches the sink, once");
}

void failing_with_a_message(desk& d) {
    d.send<1>(d.next(), d.plan(ends::failed), into(d.p()), []() { throw std::runtime_error(std::string(200, 'x')); });
}

void failing_finalizers(desk& d) {
    cell& c = d.next();
    const auto action = [&d](const outcome& o) {
        desk::looks{&d}(o);
        throw failed_on_purpose();
    };
    const auto h = d.send<3>(c, d.waited(ends::failed), for_handle(d.p()), [](task_context& t, cell& own) {
        for (int i = 0; i < 3; ++i) {
            try {
                defer(t, own, [] { throw failed_on_purpose(); });
            } catch (const std::bad_alloc&) {}
        }
    }, action);
    const bool accepted = d.wait(c, h);
    d.check(d.reports(report_kind::finalizer_failed) == (accepted ? 6 : 3), "E4: each exception of a finalizer reaches the sink");
}

void submitted_inside(desk& d) {
    d.send<1>(d.next(), d.plan(), into(d.p()), [&d] {
        cell& c = d.next();
        const auto how = [](auto&&... parts) { return this_task::submit(std::forward<decltype(parts)>(parts)...); };
        d.wait(c, d.send<2>(c, d.waited(d.fragile(ends::succeeded)), how, defers_one));
        for (int i = 0; i < 3; ++i) d.send<1>(d.next(), d.plan(), into(d.p()), [] {});
    });
}

constexpr situation all[] = {
    {"submitted for a handle", &submitted},
    {"detached with three finalizers", &detached_with_three},
    {"run", &ran},
    {"defers many", &defers_many},
    {"defers and goes on", &defers_and_goes_on},
    {"defers in finalizers", &defers_in_finalizers},
    {"a finalizer that recovers", &finalizer_that_recovers},
    {"defer_frame in a loop", &frame_of_defers},
    {"made, then submitted", &made_and_submitted},
    {"made, then discarded", &made_and_discarded},
    {"try_submit", &offered},
    {"big captures", &big_capture},
    {"captures of many sizes", &captures_of_many_sizes},
    {"a big result", &big_result},
    {"a capture that allocates when moved", &capture_that_allocates},
    {"a name and a context", &named_and_observing},
    {"a detached task fails", &failing_detached},
    {"a task fails with a message", &failing_with_a_message},
    {"finalizers fail", &failing_finalizers},
    {"submitted inside a task", &submitted_inside},
};

}   // namespace

std::span<const situation> task_situations() noexcept { return all; }

}   // namespace lastly::stress::chaos
