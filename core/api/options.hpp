// Checks a pool's options, fills in what was left open, and lets LASTLY_* environment variables override the tuning.
// Any thread, before the pool exists.
#pragma once

#include "lastly/options.hpp"

namespace lastly::detail {

// Throws std::invalid_argument naming the option or the variable and its range; std::system_error for an engine not in this build.
pool_options checked(pool_options options);

}   // namespace lastly::detail
