// See exit.hpp, and README.md here.
#include "core/process/exit.hpp"

#include "core/base/process.hpp"
#include "core/process/coordinator.hpp"
#include "core/sched/living.hpp"
#include "lastly/detail/fault.hpp"

#include <cstdlib>
#include <new>

namespace lastly::detail {

namespace {

constexpr int threads_at_once = 8;   // that may call exit before the first of them is in the handler

// Whoever calls exit while another thread does so has to find a handler, or it would end the process at once.
void at_exit(int status) noexcept {
    if (stage_of_process() != process_stage::over) on_exit_call(&at_exit);
    end_process(status);
}
void at_quick_exit() noexcept {
    if (stage_of_process() != process_stage::over) on_quick_exit_call(&at_quick_exit);
    end_process(EXIT_FAILURE);   // the true status is not to be had
}

bool register_handlers(bool quick) {
    for (int i = 0; i < threads_at_once; ++i) {
        if (!(quick ? on_quick_exit_call(&at_quick_exit) : on_exit_call(&at_exit))) throw std::bad_alloc();   // the next caller tries again
    }
    return true;
}

}   // namespace

void guard_exit(bool quick_exit_too) {
    keep_image();   // not under the guard of what follows: it takes the loader's lock, and a library that is being loaded may hold that and come here
    [[maybe_unused]] static const bool is_guarded = register_handlers(false);
    if (!quick_exit_too || LASTLY_FAULT("P3")) return;
    [[maybe_unused]] static const bool is_quick_guarded = register_handlers(true);
}

}   // namespace lastly::detail
