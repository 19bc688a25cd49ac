// See stop_listener.hpp.
#include "core/task/stop_listener.hpp"

#include "core/task/context.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/thread_block.hpp"

#include <new>

namespace lastly::detail {

stop_listener::stop_listener(context_node* attached, context_node* group, void (*told)(void*), void* argument) noexcept {
    try {
        listen(attached, group, {told, argument});
    } catch (const std::bad_alloc&) {
        failed_ = std::make_error_code(std::errc::not_enough_memory);
    } catch (const std::system_error& e) {   // the timer's thread could not be started
        failed_ = e.code();
    }
}

void stop_listener::listen(context_node* attached, context_node* group, call tell) {
    run_record* const r = this_thread.current;
    const context running = r != nullptr && !r->finalizing ? context_of(*r) : context();
    context_node* const parents[] = {attached, group, context_access::node_or_null(running)};
    if (attached == nullptr && group == nullptr && parents[2] == nullptr) return;   // nothing will ever stop it
    heard_ = context_access::adopt(context_node::make(parents));
    callback_.emplace(heard_.stop_token(), tell);
}

}   // namespace lastly::detail
