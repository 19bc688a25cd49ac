// The thread block's storage. See lastly/detail/thread_block.hpp.
#include "lastly/detail/thread_block.hpp"

namespace lastly::detail {

constinit thread_local thread_block this_thread;

}   // namespace lastly::detail
