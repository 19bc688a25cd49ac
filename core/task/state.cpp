// See state.hpp; the transition table and the edges T1 to T5 are in README.md here.
#include "core/task/state.hpp"

#include "core/base/thread.hpp"
#include "lastly/detail/fault.hpp"

namespace lastly::detail {

namespace {

stop_cause& cause_of(frame& f) noexcept { return *reinterpret_cast<stop_cause*>(f.at(end_of_name(f.type().named))); }

}   // namespace

void free_frame(frame& f) noexcept {
    const frame_ops& ops = f.type();
    f.show(phase::free, 0, 0);
    release_frame(f, ops.size_bytes, ops.named);
}

void drop_reference(frame& f, std::uint32_t which) noexcept {
    const std::uint32_t before = f.state.fetch_and(~which, acq_rel);   // order: [T4] whoever frees sees what the others did
    if ((before & done) != 0 && (before & (husk | handle | pinned) & ~which) == 0) free_frame(f);
}

take_result take_from_queue(frame& f) noexcept {
    const std::uint32_t before = f.state.fetch_or(taken, acq_rel);   // order: [T1] a waiter's claim and this exclude each other
    if ((before & taken) == 0) return take_result::mine;
    if (LASTLY_FAULT("W1")) return take_result::mine;
    drop_reference(f, husk);
    return take_result::was_husk;
}

bool claim_in_place(frame& f) noexcept {
    std::uint32_t now = f.state.load(relaxed);   // order: a first guess
    while ((now & (taken | done)) == 0) {
        if (f.state.compare_exchange_weak(now, now | taken | husk, acq_rel, relaxed)) return true;   // order: [T1] sees the frame as its submitter left it
    }
    return false;
}

bool set_stop(frame& f, std::error_code cause) noexcept {
    const std::uint32_t before = f.state.fetch_or(stop_claimed, acq_rel);   // order: [T2] one writer of the cause
    const bool lost = (before & (stop_claimed | done)) != 0;
    if (lost && !LASTLY_FAULT("E2")) return false;
    cause_of(f) = {&cause.category(), cause.value()};
    return (f.state.fetch_or(stop_set, acq_rel) & done) == 0;   // order: [T3] publishes the cause
}

bool find_stop(frame& f, bool pool_abrupt, std::error_code& cause) noexcept {
    if (!f.type().has_handle_part) {
        cause = errc::pool_shutdown;
        return pool_abrupt;
    }
    std::uint32_t now = f.state.load(acquire);   // order: [T3] sees the cause
    if ((now & stop_set) == 0) {
        if (!pool_abrupt) return false;
        set_stop(f, errc::pool_shutdown);
        now = f.state.load(acquire);   // order: [T3] sees the cause
        while ((now & (stop_set | done)) == 0) {
            yield_thread();                // the winner is two stores away
            now = f.state.load(acquire);   // order: [T3] sees the cause
        }
        if ((now & stop_set) == 0) return false;
    }
    cause = std::error_code(cause_of(f).value, *cause_of(f).category);
    return true;
}

}   // namespace lastly::detail
