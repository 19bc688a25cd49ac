// A flat storm: several threads submit small tasks from outside as fast as they can, with one to three finalizers and some deferred ones.
#include "stress/scenarios/scenarios.hpp"

namespace lastly::stress::scenarios {

namespace {

constexpr unsigned submitters = 3;
template <unsigned Attached>
void send_one(round& r, pool& p, unsigned deferred) {
    send<Attached>(r.next(), succeeds, into(p), [deferred](task_context& t, cell& c) {
        for (unsigned i = 0; i < deferred; ++i) defer(t, c);
    });
}

}   // namespace

void storm(round& r) {
    pool p(r.options());
    const watch shown(p);
    on_threads(submitters, [&](unsigned thread) {
        random_numbers random = r.random(thread);
        for (std::uint64_t i = share_of(r.tasks(), thread, submitters); i > 0; --i) {
            const std::uint64_t drawn = random();
            const auto deferred = static_cast<unsigned>(drawn & 15) == 0 ? 3u : static_cast<unsigned>(drawn & 3) == 1 ? 1u : 0u;
            if ((drawn >> 8 & 7) == 0) send_one<3>(r, p, deferred);
            else if ((drawn >> 8 & 7) == 1) send_one<2>(r, p, deferred);
            else send_one<1>(r, p, deferred);
        }
    });
    r.close(p);
    r.check(r.reports(report_kind::failed) == 0, "E5: nothing failed, and nothing is reported");
}

}   // namespace lastly::stress::scenarios
