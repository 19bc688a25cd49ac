// What became of a task: its outcome, its result, and the place where it was created.
// An outcome is written by the thread that runs the task, and read by others after it was published (O4).
// Invariants: 1. `category_` is active when cancelled or rejected, `error_` otherwise. 2. A value lives exactly while
// `has_value_` is set, and that is exactly when the kind is succeeded. 3. Sixteen bytes, so that a handle, three small
// finalizers and a small result share two cache lines. 4. The outcome inside a result changes through the result only.
#pragma once

#include <lastly/detail/export.hpp>
#include <lastly/detail/fault.hpp>
#include <lastly/error.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

namespace lastly {

namespace detail {
struct outcome_access;
struct unstorable_outcome;
}

/// The four ends of a task.
enum class outcome_kind : std::uint8_t { succeeded, failed, cancelled, rejected };

/// What became of a body. Copyable; copies share the exception object. Assigning to the outcome inside a `result` throws
/// std::logic_error: an editing finalizer uses the result's setters.
/// Thread safety: immutable once published; a finalizer's reference is valid during its call.
class LASTLY_EXPORT outcome {
public:
    outcome(const outcome& other) noexcept : outcome() { assign(other); }
    outcome& operator=(const outcome& other) {
        if (part_of_result_) throw std::logic_error("lastly: assignment to a task's outcome; use result::set_value or set_error");
        if (this != &other) assign(other);
        return *this;
    }
    ~outcome() { clear(); }

    outcome_kind kind() const noexcept { return kind_; }
    bool succeeded() const noexcept { return kind_ == outcome_kind::succeeded; }
    bool failed() const noexcept { return kind_ == outcome_kind::failed; }
    bool cancelled() const noexcept { return kind_ == outcome_kind::cancelled; }
    bool rejected() const noexcept { return kind_ == outcome_kind::rejected; }
    /// True if the body began, even if it was cancelled or failed afterwards.
    bool started() const noexcept { return started_; }
    /// Why the task was cancelled or rejected; empty for the other two kinds.
    std::error_code cause() const noexcept {
        return has_cause() ? std::error_code(cause_value_, *category_) : std::error_code();
    }
    /// The exception of a failed task; null for the other kinds.
    const std::exception_ptr& error() const noexcept { return has_cause() ? no_error() : error_; }

private:
    friend struct detail::outcome_access;
    template <class> friend class result;
    outcome() noexcept : error_(nullptr) {}
    bool has_cause() const noexcept { return kind_ >= outcome_kind::cancelled; }
    static constexpr std::int32_t failed_in_setter = 1;   // of a failed one: set_value threw that error, and lets it out
    static const std::exception_ptr& no_error() noexcept;
    void clear() noexcept { if (!has_cause()) error_.~exception_ptr(); }
    void set(outcome_kind kind, std::exception_ptr error) noexcept {   // succeeded or failed
        clear();
        ::new (static_cast<void*>(&error_)) std::exception_ptr(std::move(error));
        kind_ = kind;
        cause_value_ = 0;
    }
    void set(outcome_kind kind, std::error_code cause) noexcept {      // cancelled or rejected
        clear();
        category_ = &cause.category();
        kind_ = kind;
        cause_value_ = cause.value();
    }
    void assign(const outcome& other) noexcept {
        if (other.has_cause()) set(other.kind_, other.cause());
        else set(other.kind_, other.error_);
        started_ = other.started_;
    }

    union {
        const std::error_category* category_;
        std::exception_ptr error_;
    };
    std::int32_t cause_value_ = 0;
    outcome_kind kind_ = outcome_kind::succeeded;
    bool started_ = false;
    bool has_value_ = false;
    bool part_of_result_ = false;
};
static_assert(sizeof(outcome) == 16);

/// What an editing finalizer gets (E3): the outcome, and the value if there is one.
/// Thread safety: the thread that runs the finalizer only.
template <class T>
class result : public outcome {
    static_assert(!std::is_rvalue_reference_v<T>, "a body may return a value, a reference or void, but no T&&");
    using stored = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>;

public:
    result(const result&) = delete;
    result& operator=(const result&) = delete;
    ~result() { drop(); }

    /// The value. Requires: succeeded(). Errors: std::logic_error otherwise.
    std::add_lvalue_reference_t<T> value() {
        if (!has_value_) throw std::logic_error("lastly: result::value() of a task that did not succeed");
        if constexpr (std::is_reference_v<T>) return *value_;
        else return value_;
    }
    /// Makes the task succeed with `value`, whatever became of the body (Go's recover).
    /// Errors: std::logic_error on a rejected task; an exception of T's move construction leaves the task failed with it.
    void set_value(T value) {
        refuse_if_rejected();
        drop();
        try {
            emplace(std::forward<T>(value));
        } catch (...) {
            set(outcome_kind::failed, std::current_exception());
            cause_value_ = failed_in_setter;
            throw;
        }
    }
    /// Makes the task fail with `error`. Requires: error is not null. Errors: std::logic_error on a rejected task, or for null.
    void set_error(std::exception_ptr error) {
        refuse_if_rejected();
        if (!error) throw std::logic_error("lastly: set_error(nullptr); pass an exception, or call set_value");
        drop();
        set(outcome_kind::failed, std::move(error));
    }

private:
    friend struct detail::outcome_access;
    result() noexcept { part_of_result_ = true; }
    void refuse_if_rejected() const {
        if (rejected() && !LASTLY_FAULT("E3")) throw std::logic_error("lastly: the outcome of a rejected task cannot be changed");
    }
    template <class... Args>
    void emplace(Args&&... args) {
        if constexpr (std::is_reference_v<T>) value_ = std::addressof(args...);
        else ::new (static_cast<void*>(std::addressof(value_))) stored(std::forward<Args>(args)...);
        has_value_ = true;
        set(outcome_kind::succeeded, std::exception_ptr());
    }
    void drop() noexcept {
        if (std::exchange(has_value_, false)) std::destroy_at(std::addressof(value_));
    }
    union { stored value_; };
};

/// A body that returns nothing has an outcome, but no value.
template <>
class result<void> : public outcome {
public:
    result(const result&) = delete;
    result& operator=(const result&) = delete;
    ~result() = default;

    /// Requires: succeeded(). Errors: std::logic_error otherwise.
    void value() const {
        if (!succeeded()) throw std::logic_error("lastly: result::value() of a task that did not succeed");
    }
    /// Makes the task succeed. Errors: std::logic_error on a rejected task.
    void set_value() {
        refuse_if_rejected();
        set(outcome_kind::succeeded, std::exception_ptr());
    }
    /// Makes the task fail with `error`. Requires: error is not null. Errors: std::logic_error on a rejected task, or for null.
    void set_error(std::exception_ptr error) {
        refuse_if_rejected();
        if (!error) throw std::logic_error("lastly: set_error(nullptr); pass an exception, or call set_value");
        set(outcome_kind::failed, std::move(error));
    }

private:
    friend struct detail::outcome_access;
    friend struct detail::unstorable_outcome;
    result() noexcept { part_of_result_ = true; }
    void refuse_if_rejected() const {
        if (rejected() && !LASTLY_FAULT("E3")) throw std::logic_error("lastly: the outcome of a rejected task cannot be changed");
    }
    void emplace() noexcept { set(outcome_kind::succeeded, std::exception_ptr()); }
    void drop() noexcept {}
};

/// Where a task was created: file and line of the call. One layout under every compiler.
struct creation_site {
    const char* file;     ///< static storage
    std::uint32_t line;
    static constexpr creation_site current(const char* file = __builtin_FILE(), std::uint32_t line = __builtin_LINE()) noexcept {
        return {file, line};
    }
};

namespace detail {

// The only writer of outcomes besides an editing finalizer.
struct outcome_access {
    template <class T> static void construct(void* place) noexcept { ::new (place) result<T>(); }
    template <class T> struct on_stack { result<T> value; on_stack() noexcept {} };
    static void started(outcome& o) noexcept { o.started_ = true; }
    static void fail(outcome& o, std::exception_ptr error) noexcept { o.set(outcome_kind::failed, std::move(error)); }
    static void cancel(outcome& o, std::error_code cause) noexcept { o.set(outcome_kind::cancelled, cause); }
    static void reject(outcome& o, std::error_code cause) noexcept { o.set(outcome_kind::rejected, cause); }
    template <class T, class... Args> static void succeed(result<T>& r, Args&&... args) { r.emplace(std::forward<Args>(args)...); }
    // Is that error the one with which set_value failed?
    static bool failed_in_setter(const outcome& o, const std::exception_ptr& error) noexcept {
        return o.failed() && o.cause_value_ == outcome::failed_in_setter && o.error_ == error;
    }
    // A finalizer's exception makes a task that had succeeded fail (E4); its value goes.
    template <class T> static void drop_value(result<T>& r) noexcept { r.drop(); }
};

// A3: what a finalizer is told that cannot be stored: cancelled, started.
struct unstorable_outcome {
    result<void> value;
    explicit unstorable_outcome(std::error_code cause) noexcept {
        outcome_access::started(value);
        outcome_access::cancel(value, cause);
    }
};

}   // namespace detail

}   // namespace lastly
