// See thread_exit.hpp.
#include "core/structures/thread_exit.hpp"

#include "core/base/thread.hpp"
#include "core/structures/frame_store.hpp"
#include "lastly/detail/thread_block.hpp"

namespace lastly::detail {

namespace {

atomic<void (*)()> account_exit{nullptr};

void leave_thread() {
    this_thread.exit_armed = false;
    if (void (*const leave)() = account_exit.load(acquire)) leave();   // order: [X1] sees the function's own setting
    flush_thread_cache();
}

}   // namespace

bool arm_thread_exit() noexcept {
    if (!this_thread.exit_armed) this_thread.exit_armed = on_thread_exit(&leave_thread);
    return this_thread.exit_armed;
}

void set_account_exit(void (*leave)()) noexcept { account_exit.store(leave, release); }   // order: [X1] for threads that end later

}   // namespace lastly::detail
