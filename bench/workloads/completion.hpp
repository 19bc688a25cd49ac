// The workload "end of a task": from the end of its body to the end of its last cleanup, and from there until its waiter is released.
// Written once, over a backend (../peers/). end_all is called by the thread that made the backend. Invariants: 1. The body lasts long
// enough for the waiter to wait as the row says: still searching, or asleep. 2. Whichever cleanup comes last stamps; all of them have run
// when the wait returns, or the program aborts. A stamp costs about 20 ns, the same for all.
#pragma once

#include "workloads/percentiles.hpp"
#include "workloads/tally.hpp"

#include <chrono>
#include <cstddef>

namespace bench {

struct ending {
    using clock = std::chrono::steady_clock;
    clock::time_point body_over;
    clock::time_point cleanups_over;
    unsigned cleanups_left = 0;
};

struct lasting_body {   // 16 bytes
    ending* of;
    std::chrono::nanoseconds lasts;
    void operator()() const {
        const auto until = ending::clock::now() + lasts;
        while (ending::clock::now() < until) {}
        of->body_over = ending::clock::now();
    }
};
struct stamping_cleanup {   // 8 bytes
    ending* of;
    void operator()() const {
        if (--of->cleanups_left == 0) of->cleanups_over = ending::clock::now();
    }
};

// A backend is made with a number of workers beside its caller. `see_through(body, cleanups...)` returns when all of it is over.
template <class B>
concept end_backend = requires(B& in, lasting_body body, stamping_cleanup c, unsigned workers) {
    B(workers);
    in.see_through(body, c);
    in.see_through(body, c, c, c);
};

struct end_shape {
    unsigned workers;
    bool three_cleanups;
    std::chrono::nanoseconds body_lasts;
    std::size_t times;
};

struct end_times {
    distribution cleanups;   // body's end to the last cleanup's
    distribution release;    // from there until the waiter goes on
};

template <end_backend B>
double end_all(B& in, const end_shape& shape, end_times& into) {
    double all = 0;
    const auto ns = [](auto d) { return std::chrono::duration<double, std::nano>(d).count(); };
    for (std::size_t i = 0; i < shape.times; ++i) {
        ending e{.body_over = {}, .cleanups_over = {}, .cleanups_left = shape.three_cleanups ? 3u : 1u};
        const lasting_body body{&e, shape.body_lasts};
        const stamping_cleanup c{&e};
        if (shape.three_cleanups) in.see_through(body, c, c, c);
        else in.see_through(body, c);
        const auto released = ending::clock::now();
        if (e.cleanups_left != 0 || e.cleanups_over < e.body_over) fail("a waiter went on before the cleanups were over");
        into.cleanups.add(ns(e.cleanups_over - e.body_over));
        into.release.add(ns(released - e.cleanups_over));
        all += ns(released - e.body_over);
    }
    return all;
}

}   // namespace bench
