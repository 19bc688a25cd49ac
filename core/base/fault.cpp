// Which planted fault is active. See lastly/detail/fault.hpp.
// Any thread.
#include "lastly/detail/atomic.hpp"
#include "lastly/detail/fault.hpp"

namespace lastly::detail {

namespace {
atomic<std::uint64_t> active_fault{0};
}   // namespace

bool fault_active(std::uint64_t id) noexcept { return active_fault.load(relaxed) == id; }   // order: set before the pools it is for are made

void activate_fault(const char* name) noexcept {
    active_fault.store(name != nullptr ? fault_id(name) : 0, relaxed);   // order: as its reader says, set before
}

bool any_fault_active() noexcept { return active_fault.load(relaxed) != 0; }   // order: set before the pools it is for are made

bool built_with_faults() noexcept {
#ifdef LASTLY_FAULTS
    return true;
#else
    return false;
#endif
}

}   // namespace lastly::detail
