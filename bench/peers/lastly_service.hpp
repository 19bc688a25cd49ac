// lastly as a backend of the service: `try_submit` to a pool with a capacity, a context with a deadline a request, three attached finalizers
// of which one gets the outcome. Errors that nobody takes, the planted ones, go to a sink that drops them.
// serve, wait: one thread. A refused task is destroyed here, which runs its chain with a rejected outcome. The finalizer that notes owns
// the deadline: it is over when the request is.
#pragma once

#include "workloads/service.hpp"

#include <lastly/lastly.hpp>

#include <cstddef>
#include <utility>

namespace bench {

class lastly_service {
public:
    lastly_service(unsigned workers, std::size_t capacity)
        : pool_({.workers = workers, .capacity = capacity, .error_sink = [](const lastly::error_report&) {}}) {}

    void serve(request& r) {
        lastly::cancel_source deadline = lastly::with_deadline(lastly::context::background(), r.deadline());
        lastly::context until = deadline.context();
        auto task = lastly::make_task(
            [&r](lastly::task_context& t) {
                r.work([&](service::clock::time_point) {
                    t.throw_if_stopped();
                    return false;
                });
            },
            std::move(until),
            lastly::finally([&r, owned = std::move(deadline)](const lastly::outcome& how) { r.note(end_of(how)); }),   // listed first, runs last
            lastly::finally([&r] { r.give_back(); }), lastly::finally([&r] { r.give_back(); }));
        if (const std::error_code refused = pool_.try_submit(std::move(task)); refused && refused != lastly::errc::pool_full) {
            fail("a request was refused for another reason than a full pool");
        }
    }
    template <class Done>
    void wait(Done&&) { pool_.wait_idle(); }

private:
    static service_end end_of(const lastly::outcome& how) {
        switch (how.kind()) {
            case lastly::outcome_kind::succeeded: return service_end::succeeded;
            case lastly::outcome_kind::failed: return service_end::failed;
            case lastly::outcome_kind::cancelled: return service_end::expired;
            case lastly::outcome_kind::rejected: return service_end::rejected;
        }
        return service_end::none;
    }
    lastly::pool pool_;
};

}   // namespace bench
