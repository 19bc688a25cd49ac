// Threads that live for a few submissions: each leaves its account, its magazine and its producer behind for others; memory does not grow
// with the number of threads that are gone.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>

#include <malloc.h>

namespace lastly::stress::scenarios {

namespace {

// Of the whole process, with the pool at rest; 0 under a sanitizer's allocator.
std::size_t heap_bytes(pool& p) {
    p.wait_idle();
    const struct ::mallinfo2 now = ::mallinfo2();
    return now.uordblks + now.hblkhd;
}

}   // namespace

void short_lived(round& r) {
    constexpr std::uint64_t tasks_a_thread = 64;
    constexpr unsigned threads_at_once = 4;
    pool p(r.options());
    const watch shown(p);
    std::size_t early_heap = 0;
    for (std::uint64_t left = r.tasks(); left >= threads_at_once;) {
        if (early_heap == 0 && left < r.tasks() / 2) early_heap = heap_bytes(p);
        const std::uint64_t each = std::min(tasks_a_thread, left / threads_at_once);
        on_threads(threads_at_once, [&](unsigned) {
            for (std::uint64_t i = 0; i < each; ++i) {
                if (i % 16 != 0) {
                    send<1>(r.next(), succeeds, into(p), [](task_context& t, cell& c) { defer(t, c); });
                    continue;
                }
                cell& c = r.next();
                task_plan waited = succeeds;
                waited.waiters = 1;
                const auto h = send<1>(c, waited, for_handle(p), [] {});
                h->wait();
                tell(c, *h);
            }
        });
        left -= each * threads_at_once;
    }
    r.check(early_heap == 0 || heap_bytes(p) < early_heap + (1u << 20), "memory: threads that are gone leave nothing that grows");
    r.close(p);
}

}   // namespace lastly::stress::scenarios
