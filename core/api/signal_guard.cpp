// The compiled half of lastly/signal_guard.hpp, over core/process.
// As each declaration says.
#include "lastly/signal_guard.hpp"

#include "core/base/process.hpp"
#include "core/process/crash.hpp"
#include "core/process/signals.hpp"
#include "lastly/pool.hpp"

namespace lastly {

signal_guard::signal_guard(pool& p, signal_options options) : watch_(new detail::signal_watch(detail::pool_access::core(p), std::move(options), detail::lies_in_an_image(this))) {}
signal_guard::~signal_guard() { detail::signal_watch::end(std::unique_ptr<detail::signal_watch>(watch_)); }

bool on_crash(void (*callable)(void*), void* argument) noexcept { return detail::add_crash_callable(callable, argument); }

}   // namespace lastly
