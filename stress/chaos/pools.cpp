// Situations of pools: their making, their options, their limits, what they tell. See situations.hpp.
#include "stress/chaos/situations.hpp"

#include <stdexcept>
#include <string>

namespace lastly::stress::chaos {

namespace {

void submit_some(desk& d, pool& p, int n = 3) {
    for (int i = 0; i < n; ++i) d.send<1>(d.next(), d.plan(d.fragile(ends::succeeded)), into(p), [](task_context& t, cell& c) { defer(t, c); });
}

void made(desk& d) {
    own_pool p(d, d.options());
    if (p) submit_some(d, *p);
}

void made_and_left(desk& d) { const own_pool p(d, d.options()); }

void several(desk& d) {
    own_pool one(d, d.options()), two(d, d.options(1)), three(d, d.options(2));
    for (own_pool* p : {&one, &two, &three}) {
        if (*p) submit_some(d, **p, 2);
    }
}

// A thread more, which watches finalizers.
void with_a_finalizer_budget(desk& d) {
    pool_options o = d.options();
    o.finalizer_budget = std::chrono::hours(1);
    own_pool p(d, std::move(o));
    if (p) submit_some(d, *p);
}

// The hooks need memory themselves: what they throw goes to the sink.
void with_hooks(desk& d) {
    std::atomic<unsigned> began{0}, ended{0}, thrown{0};
    unsigned made = 0;
    {
        pool_options o = d.options();
        const auto counts = [&thrown](std::atomic<unsigned>& n) {
            return [&n, &thrown](unsigned) {
                n.fetch_add(1, std::memory_order_relaxed);
                try {
                    const std::string words(100, 'x');
                } catch (const std::bad_alloc&) {
                    thrown.fetch_add(1, std::memory_order_relaxed);
                    throw;
                }
            };
        };
        const std::size_t workers = o.workers;
        o.on_worker_start = counts(began);
        o.on_worker_exit = counts(ended);
        own_pool p(d, std::move(o));
        if (p) {
            made = static_cast<unsigned>(workers);
            d.send<1>(d.next(), d.plan(), into(*p), [] {});
        }
    }
    d.check(began.load(std::memory_order_relaxed) == ended.load(std::memory_order_relaxed), "S5: each worker that began its work ends it");
    d.check(began.load(std::memory_order_relaxed) >= made, "S5: each worker of a pool that was made begins");
    d.check(d.reports(report_kind::failed) == thrown.load(std::memory_order_relaxed), "E5: what a hook throws reaches the sink");
}

void with_a_long_name(desk& d) {
    pool_options o = d.options();
    o.name = [] {
        const plenty here;
        return std::string(300, 'n');
    }();
    own_pool p(d, std::move(o));
    if (p) submit_some(d, *p);
}

void full_and_rejecting(desk& d) {
    pool_options o = d.options();
    o.capacity = 2;
    own_pool p(d, std::move(o));
    if (!p) return;
    d.may_be_refused_with(errc::pool_full);
    barrier full;
    for (int i = 0; i < 5; ++i) d.send<2>(d.next(), d.plan(ends::succeeded | ends::rejected), into(*p), [&full] { full.pass(); });
    full.open();
    p->wait_idle();
}

void full_and_run_by_the_caller(desk& d) {
    pool_options o = d.options();
    o.capacity = 1;
    o.overflow = overflow::caller_runs;
    own_pool p(d, std::move(o));
    if (!p) return;
    for (int i = 0; i < 6; ++i) d.send<2>(d.next(), d.plan(d.fragile(ends::succeeded)), into(*p), [](task_context& t, cell& c) { defer(t, c); });
}

// The submitter from outside waits for room; a worker never does.
void full_and_blocking(desk& d) {
    pool_options o = d.options();
    o.capacity = 1;
    o.overflow = overflow::block;
    own_pool p(d, std::move(o));
    if (!p) return;
    pool& all = *p;
    for (int i = 0; i < 4; ++i) {
        d.send<1>(d.next(), d.plan(), into(all), [&d, &all] {
            for (int k = 0; k < 2; ++k) d.send<1>(d.next(), d.plan(), into(all), [] {});
        });
    }
}

void sink_that_submits(desk& d) {
    struct {
        desk& d;
        pool* p = nullptr;
        std::atomic<unsigned> told{0};
    } here{d};
    pool_options o = d.options();
    o.error_sink = [&here](const error_report& r) {
        if (r.kind != report_kind::failed) return;
        here.told.fetch_add(1, std::memory_order_relaxed);
        here.d.send<1>(here.d.next(), here.d.plan(), into(*here.p), [] {});
    };
    own_pool p(d, std::move(o));
    if (!p) return;
    here.p = &*p;
    unsigned accepted = 0;
    for (int i = 0; i < 3; ++i) accepted += d.send<1>(d.next(), d.plan(ends::failed), into(*p), []() { throw failed_on_purpose(); }) ? 1u : 0u;
    p->wait_idle();
    d.check(here.told.load(std::memory_order_relaxed) == accepted, "E5: each error that nobody takes reaches the sink, once");
}

// Reports are words: a sink that asks for them needs memory.
void sink_that_asks(desk& d) {
    pool_options o = d.options();
    std::atomic<unsigned> told{0};
    o.error_sink = [&d, &told](const error_report& r) {
        told.fetch_add(1, std::memory_order_relaxed);
        try {
            d.check(!r.what().empty(), "E5: a report has words");
        } catch (const std::bad_alloc&) {
            d.check_no_memory();
        }
    };
    own_pool p(d, std::move(o));
    if (!p) return;
    d.send<1>(d.next(), d.plan(ends::failed), into(*p), []() { throw failed_on_purpose(); });
    d.send<1>(d.next(), d.plan(ends::failed), into(*p), []() { throw std::runtime_error(std::string(100, 'x')); });
    p->wait_idle();
    d.check(told.load(std::memory_order_relaxed) <= 2, "E5: an error reaches the sink once");
}

// A chain that is long for this pool is reported.
void long_chain(desk& d) {
    pool_options o = d.options();
    o.chain_warning = 4;
    own_pool p(d, std::move(o));
    if (!p) return;
    d.send<1>(d.next(), d.plan(d.fragile(ends::succeeded)), into(*p), [](task_context& t, cell& c) {
        for (int i = 0; i < 12; ++i) defer(t, c);
    });
}

// What it says of itself, while a task runs and others wait.
void profile_and_ledger(desk& d) {
    barrier busy;
    cell& c = d.next();
    const auto h = d.send<1>(c, d.waited(), for_handle(d.p()), [&busy] { busy.pass(); });
    for (int i = 0; i < 3; ++i) d.send<2>(d.next(), d.plan(), into(d.p()), [&busy] { busy.pass(); });
    try {
        const task_profile now = d.p().profile();
        d.check(now.total.count <= 4, "the profile shows the pool's tasks only");
        d.check(!now.to_text().empty(), "a profile has words");
        const task_profile growth = d.p().profile() - now;
        d.check(growth.growth, "a difference of profiles is a growth");
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
    }
    const ledger_snapshot books = d.p().ledger();
    d.check(books.attempts == 4 && books.accepted + books.rejected == 4, "L1: the ledger counts accepted and rejected ones");
    busy.open();
    d.wait(c, h);
    d.p().wait_idle();
}

constexpr situation all[] = {
    {"a pool is made", &made, false},
    {"a pool is made and left", &made_and_left, false},
    {"several pools", &several, false},
    {"a finalizer budget", &with_a_finalizer_budget, false},
    {"hooks", &with_hooks, false},
    {"a long name", &with_a_long_name, false},
    {"full and rejecting", &full_and_rejecting, false},
    {"full and run by the caller", &full_and_run_by_the_caller, false},
    {"full and blocking", &full_and_blocking, false},
    {"a sink that submits", &sink_that_submits, false},
    {"a sink that asks", &sink_that_asks, false},
    {"a long chain", &long_chain, false},
    {"profile and ledger", &profile_and_ledger},
};

}   // namespace

std::span<const situation> pool_situations() noexcept { return all; }

}   // namespace lastly::stress::chaos
