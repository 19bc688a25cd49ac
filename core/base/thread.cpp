// See thread.hpp. POSIX threads directly: a name and a signal mask from the start, and an error code where std::thread throws.
// Any thread.
#include "core/base/thread.hpp"

#include "lastly/detail/atomic.hpp"
#include "lastly/detail/frame.hpp"
#include "lastly/detail/thread_block.hpp"

#include <csignal>
#include <cxxabi.h>
#include <cstdio>
#include <new>
#include <utility>
#include <pthread.h>
#include <sched.h>

namespace lastly::detail {

namespace {

atomic<unsigned> starts_until_failure{0};

struct start_data {
    void (*entry)(void*);
    void* argument;
    char name[16];
};

// The address below which less than a quarter of this thread's stack is left; 0: not known.
std::uintptr_t begin_of_scarce_stack() noexcept {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return 0;
    void* lowest = nullptr;
    std::size_t bytes = 0;
    const bool known = ::pthread_attr_getstack(&attributes, &lowest, &bytes) == 0;
    ::pthread_attr_destroy(&attributes);
    return known ? reinterpret_cast<std::uintptr_t>(lowest) + bytes / 4 : 0;
}

void* enter(void* raw) {
    const start_data data = *static_cast<start_data*>(raw);
    delete static_cast<start_data*>(raw);
    ::pthread_setname_np(::pthread_self(), data.name);
    this_thread.scarce_stack = begin_of_scarce_stack();
    data.entry(data.argument);
    return nullptr;
}

atomic<std::uint64_t> exit_key{0};   // the key + 1; 0: not made yet

void call_at_exit(void* callback) {
    void (*function)() = nullptr;
    static_assert(sizeof function == sizeof callback);
    __builtin_memcpy(&function, &callback, sizeof function);
    function();
}

// The process's one key; false: there are no more.
bool find_exit_key(pthread_key_t& key) noexcept {
    std::uint64_t made = exit_key.load(acquire);   // order: [H1] sees a key that was made
    if (made == 0) {
        pthread_key_t fresh;
        if (::pthread_key_create(&fresh, &call_at_exit) != 0) return false;
        if (exit_key.compare_exchange_strong(made, std::uint64_t{fresh} + 1, acq_rel, acquire)) made = std::uint64_t{fresh} + 1;   // order: [H1] publishes the key
        else ::pthread_key_delete(fresh);   // another thread was faster
    }
    key = static_cast<pthread_key_t>(made - 1);
    return true;
}

bool start_must_fail() noexcept {
    unsigned left = starts_until_failure.load(relaxed);   // order: a test's setting, made before the threads it is for
    while (left != 0) {
        if (starts_until_failure.compare_exchange_weak(left, left - 1, relaxed, relaxed)) return left == 1;   // order: counts, publishes nothing
    }
    return false;
}

}   // namespace

void fail_thread_start(unsigned nth) noexcept { starts_until_failure.store(nth, relaxed); }   // order: as its reader says, a test's setting

std::error_code thread::start(void (*entry)(void*), void* argument, const char* name) noexcept {
    if (start_must_fail()) return std::make_error_code(std::errc::resource_unavailable_try_again);
    auto* const data = new (std::nothrow) start_data{entry, argument, {}};
    if (data == nullptr) return std::make_error_code(std::errc::not_enough_memory);
    std::snprintf(data->name, sizeof data->name, "%s", name);
    sigset_t blocked, before;
    ::sigemptyset(&blocked);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&blocked, signal);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
    pthread_t made;
    const int error = ::pthread_create(&made, nullptr, &enter, data);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) {
        delete data;
        return {error, std::system_category()};
    }
    static_assert(sizeof made == sizeof id_);
    __builtin_memcpy(&id_, &made, sizeof id_);
    joinable_ = true;
    return {};
}

namespace {
pthread_t handle_of(std::uintptr_t id) noexcept {
    pthread_t handle;
    __builtin_memcpy(&handle, &id, sizeof handle);
    return handle;
}
}   // namespace

void thread::join() noexcept {
    const no_cancellation meanwhile;   // it would be a cancellation point
    if (joinable_) ::pthread_join(handle_of(id_), nullptr);
    joinable_ = false;
}

void thread::detach() noexcept {
    if (joinable_) ::pthread_detach(handle_of(id_));
    joinable_ = false;
}

bool is_stack_scarce() noexcept { return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) < this_thread.scarce_stack; }

namespace {
// The first word of what the C++ ABI keeps for a thread: the innermost exception that a catch has.
void*& caught_here() noexcept {
    if (this_thread.caught == nullptr) this_thread.caught = reinterpret_cast<void**>(abi::__cxa_get_globals());
    return *this_thread.caught;
}
}   // namespace

nothing_caught::nothing_caught() noexcept : caught_(caught_here()), is_ours_(caught_ != nullptr && !is_forced_unwind()) { caught_here() = nullptr; }
void nothing_caught::restore() noexcept {
    caught_here() = caught_;
    is_ours_ = false;
}

no_cancellation::no_cancellation() noexcept : before_(0) { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
no_cancellation::~no_cancellation() { ::pthread_setcancelstate(before_, nullptr); }

void yield_thread() noexcept { ::sched_yield(); }

void pause_cpu() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}

bool on_thread_exit(void (*callback)()) noexcept {
    pthread_key_t key;
    if (!find_exit_key(key)) return false;
    void* value = nullptr;
    __builtin_memcpy(&value, &callback, sizeof value);
    return ::pthread_setspecific(key, value) == 0;
}

}   // namespace lastly::detail
