// What a user of a pool without capacities, deadlines, outcomes and finalizers writes around each request, as a backend of the service.
// serve, wait: one thread, the only one that submits: so its look at the count and its increment need not be one operation.
// One shared counter a request, since the pools tell nobody how many are in them. The deadline is looked at before the work begins and in it.
#pragma once

#include "workloads/service.hpp"

#include <atomic>
#include <cstddef>

namespace bench {

// `B`: a backend of `submit`.
template <class B>
class service_by_hand {
public:
    service_by_hand(unsigned workers, std::size_t capacity) : capacity_(capacity), pool_(workers, 1), to_(pool_) {}

    void serve(request& r) {
        if (unfinished_.load(std::memory_order_relaxed) >= capacity_) return end(r, service_end::rejected);
        unfinished_.fetch_add(1, std::memory_order_relaxed);
        to_.within([&] {
            to_.submit_any([this, &r] {   // 16 bytes: no allocation for a std::function
                end(r, run(r));
                unfinished_.fetch_sub(1, std::memory_order_relaxed);
            });
        });
    }
    template <class Done>
    void wait(Done done) {
        pool_.wait(done);
        spin_until([this] { return unfinished_.load() == 0; });
    }

private:
    static service_end run(const request& r) noexcept {
        const auto late = [until = r.deadline()](service::clock::time_point now) { return now > until; };
        try {
            return !late(service::clock::now()) && r.work(late) ? service_end::succeeded : service_end::expired;
        } catch (...) {
            return service_end::failed;
        }
    }
    static void end(request& r, service_end how) {
        r.give_back();
        r.give_back();
        r.note(how);
    }

    const std::size_t capacity_;
    alignas(64) std::atomic<std::size_t> unfinished_{0};
    B pool_;
    typename B::producer to_;
};

}   // namespace bench
