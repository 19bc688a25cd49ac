// What a thread leaves behind when it ends: each floor that keeps something for threads adds its call here.
// Any thread. Invariant: the calls run on the ending thread, after its thread_local destructors; a thread that uses the library
// again afterwards is armed again.
#pragma once

namespace lastly::detail {

// False: the call at this thread's end could not be set; keep nothing for it.
bool arm_thread_exit() noexcept;

// The same function each time, before any thread has an account: the schedule floor's part, which runs before the frame store's.
void set_account_exit(void (*leave)()) noexcept;

}   // namespace lastly::detail
