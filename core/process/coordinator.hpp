// The exit coordinator: ends the runs of the thread that ends the process, then every pool, within the largest budget (P1, P2).
// The thread that ends the process; any other that comes meanwhile stays. What is here is constant-initialised and never destroyed.
#pragma once

namespace lastly::detail {

// Returns when all is over, or its time is; at once, when it was over. Never on another thread than the first, unless a signal's end was released.
void end_process(int status) noexcept;
// The same for a signal that is about to be raised again: every thread may end the process afterwards.
void end_process_by_signal(int signal) noexcept;

// In the child of a fork: nobody ends this process yet.
void forget_the_end() noexcept;

}   // namespace lastly::detail
