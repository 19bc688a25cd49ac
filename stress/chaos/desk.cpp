// See desk.hpp.
#include "stress/chaos/desk.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <dirent.h>

namespace lastly::stress::chaos {

void desk::begin(const char* situation, const char* source, std::uint64_t number, shortage s) {
    short_of_ = s;
    pool_ = nullptr;
    also_ = {};
    in_call = false;
    refused_pools_ = 0;
    without_stand_in_ = 0;
    if (s == shortage::none) std::snprintf(where_, sizeof where_, "%s, nothing short", situation);
    else std::snprintf(where_, sizeof where_, "%s, %s %llu", situation, source, static_cast<unsigned long long>(number));
    for (std::size_t kind = 0; kind < reports_before_.size(); ++kind) reports_before_[kind] = round_.reports(static_cast<report_kind>(kind));
    const std::size_t gone = given_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        if (i < gone || i >= taken_) cells_[i] = &round_.next();
    }
    taken_ = cells_.size();
    given_.store(0, std::memory_order_relaxed);
}

cell& desk::next() noexcept {
    const std::size_t i = given_.fetch_add(1, std::memory_order_relaxed);
    if (i >= cells_.size()) {
        std::fprintf(stderr, "lastly-stress: %s: more than %zu tasks\n", where_, cells_.size());
        std::abort();
    }
    return *cells_[i];
}

std::span<cell* const> desk::used() const noexcept { return {cells_.data(), given_.load(std::memory_order_relaxed)}; }

pool_options desk::options(unsigned workers) const {
    const plenty here;
    pool_options o = round_.options();
    if (workers != 0) o.workers = workers;
    o.name = where_;
    return o;
}

void desk::check(bool holds, const char* rule) noexcept {
    if (holds) return;
    char text[300];
    std::snprintf(text, sizeof text, "%s [%s]", rule, where_);
    round_.check(false, text);
}

void desk::check_refusal(std::error_code cause) noexcept {
    const bool no_memory = cause == std::errc::not_enough_memory && is_short_of(shortage::memory);
    if (no_memory || (also_ && cause == also_)) return;
    char text[200];
    std::snprintf(text, sizeof text, "A1: rejected for another reason than what was short: %s:%d", cause.category().name(), cause.value());
    check(false, text);
}

void desk::balance_unseen() noexcept {
    ledger_snapshot books;
    for (const cell* const c : used()) {
        const std::uint64_t word = c->word.load(std::memory_order_relaxed);
        if (c->plan.discarded) continue;
        books.attempts += count_of(word, event::submitted);
        books.rejected += count_of(word, event::refused);
        books.accepted += count_of(word, event::submitted) - count_of(word, event::refused);
        books.succeeded += count_of(word, event::saw_succeeded);
        books.failed += count_of(word, event::saw_failed);
        books.cancelled += count_of(word, event::saw_cancelled);
        books.finalizers_attached += c->plan.attached + count_of(word, event::registered);
        for (const event e : {event::attached_0, event::attached_1, event::attached_2, event::deferred}) books.finalizers_run += count_of(word, e);
        books.finalizers_thrown += count_of(word, event::thrown);
    }
    books.finalizers_returned = books.finalizers_run - books.finalizers_thrown;
    round_.balance(books);
}

std::unique_ptr<pool> make_pool(desk& d, pool_options o) {
    const unsigned before = threads_of_process();
    try {
        return std::make_unique<pool>(std::move(o));
    } catch (const std::system_error& e) {
        const auto lawful = d.is_short_of(shortage::threads) ? std::errc::resource_unavailable_try_again : std::errc::not_enough_memory;
        d.check(d.is_scarce() && e.code() == lawful, "S5: a pool that could not be made threw std::system_error with another cause than what was short");
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
    }
    d.refused_pool();
    d.check(threads_return_to(before), "S5: a pool that could not be made left threads behind");
    return nullptr;
}

own_pool::own_pool(desk& d, pool_options o) : desk_(d), pool_(make_pool(d, std::move(o))) {
    if (!pool_) return;
    const plenty here;
    shown_.emplace(*pool_);
}

own_pool::~own_pool() {
    if (!pool_) return;
    desk_.of_round().finish(pool_->shutdown(), std::nullopt);   // its situation may keep handles
    const plenty here;
    shown_.reset();
}

std::optional<cancel_source> source_below(desk& d, const context& parent) {
    try {
        return with_cancel(parent);
    } catch (const std::bad_alloc&) {
        d.check_no_memory();
        return std::nullopt;
    }
}

namespace {

// Empty: there was no memory, and the group is as it was.
std::optional<group_end> wait_once(task_group& g) {
    try {
        g.wait();
        return group_end::well;
    } catch (const failed_on_purpose&) {
        return group_end::failed;
    } catch (const task_cancelled&) {
        return group_end::stopped;
    } catch (const std::bad_alloc&) {
        return std::nullopt;
    }
}

}   // namespace

group_end wait_for(desk& d, task_group& g) {
    if (const auto end = wait_once(g)) return *end;
    d.check_no_memory();
    const plenty here;
    const auto end = wait_once(g);
    d.check(end.has_value(), "A1: a group's second wait found no memory where there was some");
    return end.value_or(group_end::stopped);
}

unsigned threads_of_process() {
    DIR* const tasks = ::opendir("/proc/self/task");
    if (tasks == nullptr) return 0;
    unsigned count = 0;
    while (const dirent* const entry = ::readdir(tasks)) count += entry->d_name[0] != '.' ? 1u : 0u;
    ::closedir(tasks);
    return count;
}

bool threads_return_to(unsigned count) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (threads_of_process() > count) {
        if (std::chrono::steady_clock::now() >= until) return false;
        std::this_thread::yield();
    }
    return true;
}

}   // namespace lastly::stress::chaos
