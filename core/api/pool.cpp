// The pool's compiled members. See lastly/pool.hpp.
// Any thread.
#include "lastly/pool.hpp"

#include "core/api/options.hpp"
#include "core/base/process.hpp"
#include "core/process/exit.hpp"
#include "core/process/fork.hpp"
#include "core/sched/pool_core.hpp"
#include "core/sched/profile.hpp"

#include <new>

namespace lastly {

pool::pool(pool_options options) : core_(nullptr) {
    options = detail::checked(std::move(options));
    detail::guard_exit(options.guard_quick_exit);   // first: what is registered later runs earlier
    if (!detail::guard_fork()) throw std::bad_alloc();
    core_ = detail::open_pool(std::move(options), detail::lies_in_an_image(this));   // now: at its end the loader's lock may be taken
}
pool::~pool() { detail::destroy_pool(core_); }

void pool::close() { detail::close_gate(*core_, detail::gate_closed); }
void pool::wait_idle() { detail::wait_idle(*core_); }
shutdown_report pool::shutdown(std::chrono::nanoseconds limit) { return detail::shut_down(*core_, false, limit); }
shutdown_report pool::shutdown_now(std::chrono::nanoseconds limit) { return detail::shut_down(*core_, true, limit); }
ledger_snapshot pool::ledger() const { return detail::take_ledger(*core_); }
context pool::context() const { return core_->root; }
task_profile pool::profile() const { return detail::take_profile(*core_); }
unsigned pool::workers() const { return core_->options.workers; }

}   // namespace lastly
