// The error category and the exceptions' home. See lastly/error.hpp.
// Any thread; no state.
#include "lastly/error.hpp"

#include "core/base/process.hpp"

namespace lastly {

namespace {

class lastly_category final : public std::error_category {
public:
    constexpr lastly_category() noexcept = default;
    const char* name() const noexcept override { return "lastly"; }
    std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
        case errc::cancelled: return "cancelled";
        case errc::deadline_exceeded: return "deadline exceeded";
        case errc::sibling_failed: return "another member of the group failed";
        case errc::pool_shutdown: return "the pool was shut down";
        case errc::process_exit: return "the process is ending";
        case errc::pool_closed: return "the pool is closed";
        case errc::pool_full: return "the pool is full";
        case errc::discarded: return "the task was destroyed without being submitted";
        case errc::forked: return "the pool belongs to the parent of this forked process";
        case errc::construction_failed: return "moving the body or a finalizer in threw";
        case errc::thread_exited: return "the task's thread exited";
        }
        return "unknown lastly error " + std::to_string(value);
    }
};

class signals final : public std::error_category {
public:
    constexpr signals() noexcept = default;
    const char* name() const noexcept override { return "signal"; }
    std::string message(int value) const override { return detail::name_of_signal(value); }
};

// There from the start and never destroyed: an error code may be read at any time.
template <class Category>
union immortal {
    Category value;
    constexpr immortal() noexcept : value() {}
    ~immortal() {}
};
constinit const immortal<lastly_category> own_category;
constinit const immortal<signals> category_of_signals;

}   // namespace

const std::error_category& category() noexcept { return own_category.value; }
const std::error_category& signal_category() noexcept { return category_of_signals.value; }

task_cancelled::~task_cancelled() = default;
task_rejected::~task_rejected() = default;

}   // namespace lastly
