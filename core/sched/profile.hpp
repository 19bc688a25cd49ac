// A pool's tasks by creation site: how a profile is taken and put in order.
// Any thread; nothing is locked, and no user code is called.
#pragma once

#include "lastly/profile.hpp"

namespace lastly::detail {

class pool_core;

task_profile take_profile(pool_core& pool);   // throws std::bad_alloc
// Puts groups of equal text together, sums the totals, and sorts: most tasks first, of these the oldest, then by text.
void arrange(task_profile& p) noexcept;

}   // namespace lastly::detail
