// Long churn for memory: sizes of captures that change, threads that come and go, pools that come and go; resident memory has to stay flat.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <array>

namespace lastly::stress::scenarios {

namespace {

template <std::size_t Bytes>
void send_sized(round& r, pool& p) {
    send<1>(r.next(), succeeds, into(p), [block = std::array<std::byte, Bytes>{}](task_context& t, cell& c) {
        defer(t, c, [first = block[0]] { static_cast<void>(first); });
    });
}

void send_some(round& r, pool& p, std::uint64_t n, random_numbers random) {
    for (; n > 0; --n) {
        switch (random.below(4)) {
            case 0: send_sized<8>(r, p); break;
            case 1: send_sized<200>(r, p); break;
            case 2: send_sized<1000>(r, p); break;
            default: send_sized<4000>(r, p); break;
        }
    }
}

}   // namespace

void churn(round& r) {
    constexpr unsigned pools = 4, threads = 3;
    for (unsigned i = 0; i < pools; ++i) {
        pool p(r.options());
        const watch shown(p);
        on_threads(threads, [&](unsigned thread) { send_some(r, p, share_of(r.tasks() / pools, thread, threads), r.random(i * threads + thread)); });
        r.close(p);
    }
}

}   // namespace lastly::stress::scenarios
