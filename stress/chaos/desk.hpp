// What a situation is given: cells, its pool, and what may lawfully happen while something is short.
// begin and the constructor: the sweep, between runs. next, check, and what only reads: any thread. The others: the situation's thread.
#pragma once

#include <lastly/stress/send.hpp>

#include "stress/chaos/allocation.hpp"

#include <array>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

namespace lastly::stress::chaos {

// What runs out in a run, if anything does.
enum class shortage : std::uint8_t { none, memory, threads };

class desk {
public:
    explicit desk(round& r) : round_(r) {}
    desk(const desk&) = delete;
    desk& operator=(const desk&) = delete;

    // The next run, told apart by these words in whatever goes wrong. Takes cells for it.
    void begin(const char* situation, const char* source, std::uint64_t number, shortage s);
    void use(pool* p) noexcept { pool_ = p; }

    const char* where() const noexcept { return where_; }
    pool& p() const noexcept { return *pool_; }
    stress::round& of_round() const noexcept { return round_; }
    bool is_short_of(shortage s) const noexcept { return short_of_ == s; }
    bool is_scarce() const noexcept { return short_of_ != shortage::none; }
    cell& next() noexcept;
    // Those that this run has given out.
    std::span<cell* const> used() const noexcept;

    // The round's, with as many workers, or the round's number, and a name that tells the run.
    pool_options options(unsigned workers = 0) const;

    // Outcomes: `e`, and rejected where a frame or an account may be missing; `fragile`: and failed, of a body that needs memory itself.
    std::uint8_t refusable(std::uint8_t e) const noexcept { return is_short_of(shortage::memory) ? static_cast<std::uint8_t>(e | ends::rejected) : e; }
    std::uint8_t fragile(std::uint8_t e) const noexcept { return refusable(is_short_of(shortage::memory) ? static_cast<std::uint8_t>(e | ends::failed) : e); }
    task_plan plan(std::uint8_t e = ends::succeeded) const noexcept { return {.ends = refusable(e)}; }
    task_plan waited(std::uint8_t e = ends::succeeded) const noexcept { return {.waiters = 1, .ends = refusable(e)}; }
    // Another cause of rejection that is lawful in this situation.
    void may_be_refused_with(std::error_code cause) noexcept { also_ = cause; }

    void check(bool holds, const char* rule) noexcept;
    // The cause of a rejection, as a finalizer or the submitter is told it.
    void check_refusal(std::error_code cause) noexcept;
    // std::bad_alloc came out of the library.
    void check_no_memory() noexcept { check(is_short_of(shortage::memory), "A1: std::bad_alloc while there was memory"); }
    // Reports of one kind since the run began.
    std::uint64_t reports(report_kind kind) const noexcept { return round_.reports(kind) - reports_before_[static_cast<std::size_t>(kind)]; }

    // Waits that nobody stands in for, because the situation has it so.
    void has_no_stand_in_for(unsigned waits) noexcept { without_stand_in_ = waits; }
    unsigned without_stand_in() const noexcept { return without_stand_in_; }

    // Pools of this run that could not be made.
    void refused_pool() noexcept { ++refused_pools_; }
    unsigned refused_pools() const noexcept { return refused_pools_; }
    // For a situation whose pools end unseen: nobody can ask them for their ledgers, so this run's cells stand in for them.
    void balance_unseen() noexcept;

    // Submits under witness, as stress::send, and looks at the cause of a refusal wherever it is shown.
    template <unsigned Attached, class How, class Body>
    auto send(cell& c, task_plan plan, How how, Body body) {
        return stress::send<Attached>(c, plan, judged(std::move(how)), std::move(body), looks{this});
    }
    // The same with finalizers that do something.
    template <unsigned Attached, class How, class Body, class Action>
    auto send(cell& c, task_plan plan, How how, Body body, const Action& action) {
        return stress::send<Attached>(c, plan, judged(std::move(how)), std::move(body), action);
    }
    // make_task under witness. Empty: there was no memory; no ledger knows of it.
    template <unsigned Attached, class Body>
    auto made(cell& c, task_plan plan, Body body) {
        auto t = send<Attached>(c, plan, [](auto&&... parts) { return make_task(std::forward<decltype(parts)>(parts)...); }, std::move(body));
        if (!t) c.plan.discarded = true;
        return t;
    }
    // Submits what `made` returned.
    template <class T>
    bool hand_over(cell& c, task<T>&& t) {
        try {
            p().detach(std::move(t));
            return true;
        } catch (const task_rejected& e) {
            check_refusal(e.code());
        } catch (const std::bad_alloc&) {
            check_no_memory();
        }
        c.refuse();
        return false;
    }
    // Waits for an accepted task and tells its cell; one that was refused was over when its submitter heard of it.
    template <class T>
    bool wait(cell& c, const std::optional<task_handle<T>>& h) {
        if (h) {
            h->wait();
            tell(c, *h);
        } else {
            c.tell(ends::rejected);
        }
        return h.has_value();
    }

    struct looks {
        desk* d;
        void operator()(const outcome& o) const {
            if (o.rejected()) d->check_refusal(o.cause());
        }
    };

    // A switch that one task's own thread sets and reads: inside a call that may run a finalizer or move a body.
    bool in_call = false;

private:
    template <class How>
    auto judged(How how) {
        return [this, how = std::move(how)](auto&&... parts) mutable -> decltype(auto) {
            try {
                return how(std::forward<decltype(parts)>(parts)...);
            } catch (const task_rejected& e) {
                check_refusal(e.code());
                throw;
            } catch (const std::bad_alloc&) {
                check_no_memory();
                throw;
            }
        };
    }

    stress::round& round_;
    pool* pool_ = nullptr;
    shortage short_of_ = shortage::none;
    std::error_code also_;
    unsigned refused_pools_ = 0, without_stand_in_ = 0;
    char where_[96]{};
    std::array<std::uint64_t, 16> reports_before_{};
    std::array<cell*, 64> cells_{};
    std::size_t taken_ = 0;                // cells that wait in cells_
    std::atomic<std::size_t> given_{0};    // of these, to this run
};

// A pool, or nothing, if it could not be made for a lawful reason (S5).
std::unique_ptr<pool> make_pool(desk& d, pool_options o);

// A pool of a situation's own, or nothing. Its end shuts it down and hands over its ledger.
class own_pool {
public:
    own_pool(desk& d, pool_options o);
    ~own_pool();
    own_pool(const own_pool&) = delete;
    own_pool& operator=(const own_pool&) = delete;
    explicit operator bool() const noexcept { return pool_ != nullptr; }
    pool& operator*() noexcept { return *pool_; }
    pool* operator->() noexcept { return &*pool_; }

private:
    desk& desk_;
    std::unique_ptr<pool> pool_;
    std::optional<watch> shown_;
};

// An outside thread, made although memory is short.
class other_thread {
public:
    template <class F>
    explicit other_thread(F f) {
        const plenty here;
        thread_ = std::thread(std::move(f));
    }
    ~other_thread() { join(); }
    other_thread(const other_thread&) = delete;
    other_thread& operator=(const other_thread&) = delete;
    void join() {
        if (thread_.joinable()) thread_.join();
    }

private:
    std::thread thread_;
};

// Bodies that wait here hold their workers until somebody opens it; it is opened whatever becomes of those who would pass.
class barrier {
public:
    ~barrier() { open(); }
    void open() noexcept { open_.store(true, std::memory_order_release); }
    void pass() const noexcept {
        while (!open_.load(std::memory_order_acquire)) std::this_thread::yield();
    }

private:
    std::atomic<bool> open_{false};
};

// with_cancel, or nothing for want of memory.
std::optional<cancel_source> source_below(desk& d, const context& parent = context::background());

// An exception that needs no memory of its own.
struct failed_on_purpose {};

enum class group_end { well, failed, stopped };
// Waits for the group; once more if there was no memory for that.
group_end wait_for(desk& d, task_group& g);

// The threads of this process.
unsigned threads_of_process();
// Until there are so many; false: they did not become so few within seconds. Threads that are detached leave in their own time.
bool threads_return_to(unsigned count);

}   // namespace lastly::stress::chaos
