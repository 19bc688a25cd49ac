// Attachments by themselves: when a finalizer applies, and which signature it is called by.
#include <lastly/detail/attachments.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

using namespace lastly::detail;
using lastly::outcome;
using lastly::result;

namespace {

struct any_call {
    std::string* told;
    void operator()(result<int>&) { *told += "result "; }
    void operator()(const outcome&) { *told += "outcome "; }
    void operator()() { *told += "nothing "; }
};
struct outcome_or_nothing {
    std::string* told;
    void operator()(const outcome&) { *told += "outcome "; }
    void operator()() { *told += "nothing "; }
};
struct only_text { void operator()(const std::string&); };
struct only_result_of_text { void operator()(result<std::string>&); };
struct only_rvalue { void operator()() &&; };

template <class F> using plain = finalizer<F, when::always>;
static_assert(plain<any_call>::accepts<int> && plain<any_call>::accepts<std::string> && plain<outcome_or_nothing>::accepts<void>);
static_assert(!plain<only_text>::accepts<int>);
static_assert(plain<only_result_of_text>::accepts<std::string> && !plain<only_result_of_text>::accepts<int>);
static_assert(!plain<only_rvalue>::accepts<int>);   // called in place
static_assert(takes_result<any_call, result<int>> && takes_result<any_call, result<void>>);   // by its base
static_assert(takes_outcome<outcome_or_nothing> && !takes_outcome<void (*)()>);
static_assert(std::is_empty_v<none>);
static_assert(std::is_trivially_copyable_v<task_name> && sizeof(task_name) == sizeof(const char*));
static_assert(sizeof(plain<void (*)()>) == sizeof(void (*)()));   // the sort costs no room

}   // namespace

TEST_CASE("finalizer: the result comes before the outcome, and that before nothing") {
    std::string told;
    outcome_access::on_stack<int> of_int;
    outcome_access::on_stack<std::string> of_text;
    outcome_access::succeed(of_int.value, 1);
    outcome_access::succeed(of_text.value, "x");
    plain<any_call>{{&told}}(of_int.value);
    CHECK(told == "result ");
    told.clear();
    plain<outcome_or_nothing>{{&told}}(of_text.value);
    CHECK(told == "outcome ");
    told.clear();
    plain<void (*)()>{[] {}}(of_int.value);
    CHECK(told.empty());
}

TEST_CASE("finalizer: a base's signature serves every result") {
    std::string told;
    outcome_access::on_stack<std::string> text;
    outcome_access::succeed(text.value, "x");
    plain<any_call>{{&told}}(text.value);   // no result<std::string>&: the outcome
    CHECK(told == "outcome ");
}

TEST_CASE("finalizer: each sort applies to its own outcomes") {
    outcome_access::on_stack<int> o;
    const auto applied = [&] {
        std::string told;
        const auto note = [&](char c) { return [&told, c] { told += c; }; };
        finalizer<decltype(note('a')), when::always>{note('a')}(o.value);
        finalizer<decltype(note('s')), when::on_success>{note('s')}(o.value);
        finalizer<decltype(note('f')), when::on_failure>{note('f')}(o.value);
        finalizer<decltype(note('c')), when::on_cancelled>{note('c')}(o.value);
        return told;
    };
    outcome_access::succeed(o.value, 1);
    CHECK(applied() == "as");
    o.value.set_error(std::make_exception_ptr(std::runtime_error("x")));
    CHECK(applied() == "af");
    outcome_access::cancel(o.value, lastly::errc::cancelled);
    CHECK(applied() == "ac");
    outcome_access::reject(o.value, lastly::errc::pool_full);
    CHECK(applied() == "ac");
}

TEST_CASE("finalizer: its own state may change from call to call") {
    outcome_access::on_stack<void> o;
    outcome_access::succeed(o.value);
    int last = 0;
    auto counting = [n = std::make_unique<int>(0), &last]() mutable { last = ++*n; };
    plain<decltype(counting)> f{std::move(counting)};
    f(o.value);
    f(o.value);
    CHECK(last == 2);
}
