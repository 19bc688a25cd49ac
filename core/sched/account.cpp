// See account.hpp; edges B1 and B2 in README.md here.
#include "core/sched/account.hpp"

#include "core/sched/pool_core.hpp"
#include "core/structures/thread_exit.hpp"
#include "core/task/group.hpp"
#include "core/task/run.hpp"
#include "lastly/detail/fault.hpp"
#include "lastly/detail/thread_block.hpp"

#include <cstddef>
#include <new>

namespace lastly::detail {

namespace {

// Frees what dead pools left to this thread; at the thread's end, leaves the rest to the pools.
void sweep(bool leaving) noexcept {
    account** link = &this_thread.all_books;
    while (account* const a = *link) {
        account* const next = a->next_of_thread;       // a vacant account is no longer ours to read
        std::uint32_t now = a->tenure.load(acquire);   // order: [B2] sees what the pool did last
        if (leaving && now == tenanted && !a->tenure.compare_exchange_strong(now, vacant, acq_rel, acquire)) now = orphaned;   // order: [B2] the next tenant, or the pool, sees what this thread wrote
        if (now == orphaned) {
            *link = next;
            delete a;
        } else if (leaving) {
            *link = next;
        } else {
            link = &a->next_of_thread;
        }
    }
}

void leave_all() {
    this_thread.books = nullptr;
    this_thread.pool_serial = 0;
    sweep(true);
}

account* take_vacant(pool_core& pool) noexcept {
    if (LASTLY_FAULT("account-kept")) return nullptr;
    for (account* a = pool.accounts.load(acquire); a != nullptr; a = a->next) {   // order: [B1] sees the account
        std::uint32_t now = vacant;
        if (a->tenure.load(relaxed) == vacant && a->tenure.compare_exchange_strong(now, tenanted, acq_rel, relaxed)) return a;   // order: [B2] sees what the last tenant wrote
    }
    return nullptr;
}

account* find_or_make(pool_core& pool) noexcept {
    const std::uint64_t serial = pool.anchor->serial();
    if (pool.anchor->is_inherited()) return nullptr;   // its lists and queues may be as a thread that is gone left them
    for (account* a = this_thread.all_books; a != nullptr; a = a->next_of_thread) {
        if (a->pool_serial == serial) return a;
    }
    sweep(false);
    set_account_exit(&leave_all);
    if (!arm_thread_exit()) return nullptr;
    account* a = take_vacant(pool);
    if (a == nullptr) a = add_account(pool, false);
    if (a == nullptr) return nullptr;
    a->next_of_thread = this_thread.all_books;
    this_thread.all_books = a;
    return a;
}

}   // namespace

namespace {

constexpr frame_ops part_ops{nullptr, nullptr, nullptr, nullptr, {block_kind::named_frame, sizeof(part_header)}, 0, true, false, false};

}   // namespace

static_assert(offsetof(part_header, name) == sizeof(frame), "where a walker looks for a task's name");

part_header::part_header() noexcept {
    header.progress.store(0, relaxed);   // order: not shared yet
}

void part_header::begin(const run_record& r) noexcept {
    const creation_site site = site_of(r);
    header.progress.store(make_progress(header.generation() + 1, 0, 0, phase::building), release);   // order: [F2] the fields that follow are newer
    // order (block): [F2] each newer field shows the watchdog the building phase stored before it
    header.owner.store(r.pool, release);
    header.ops.store(&part_ops, release);
    header.line.store(site.line, release);
    header.file.store(site.file, release);
    header.stamp.store(0, release);
    name.store(name_of(r), release);
    header.show(r.finalizing ? phase::finalizing : phase::running, 0, 0);
}

account* account_for(pool_core& pool) noexcept {
    const std::uint64_t serial = pool.anchor->serial();
    if (this_thread.pool_serial == serial) return this_thread.books;
    account* const a = find_or_make(pool);
    if (a != nullptr && this_thread.self == nullptr) {   // a worker's cached account stays its own pool's
        this_thread.pool_serial = serial;
        this_thread.books = a;
    }
    return a;
}

namespace {

atomic<unsigned> accounts_until_failure{0};

bool account_must_fail() noexcept {
    const unsigned left = accounts_until_failure.load(relaxed);   // order: a test's setting, made before what it is for
    if (left > 1) accounts_until_failure.store(left - 1, relaxed);   // order: counts, publishes nothing
    return left == 1;
}

}   // namespace

void fail_accounts(unsigned nth) noexcept { accounts_until_failure.store(nth, relaxed); }   // order: a test's setting, made before what it is for

account* add_account(pool_core& pool, bool worker) noexcept {
    if (account_must_fail()) return nullptr;
    auto* const a = new (std::nothrow) account;
    if (a == nullptr) return nullptr;
    a->worker = worker;
    a->pool_serial = pool.anchor->serial();
    if (!worker) a->door = pool.entrance.make_producer();
    account* head = pool.accounts.load(relaxed);   // order: a first guess
    do {
        a->next = head;
    } while (!pool.accounts.compare_exchange_weak(head, a, seq_cst, relaxed));   // order: [B1] publishes the account; [A1] before its first attempt
    return a;
}

void turn_away(account& books, group_core* g) noexcept {
    if (group_core* const before = std::exchange(books.works_for, g)) before->tell(books.place_in_groups);
}

void leave_accounts(pool_core& pool) noexcept {
    account* a = pool.accounts.load(acquire);   // order: [B1] sees every account
    while (a != nullptr) {
        account* const next = a->next;
        a->door.reset();   // its queue goes now
        if (a->worker || a->tenure.exchange(orphaned, acq_rel) == vacant) delete a;   // order: [B2] whoever frees sees what the other did
        a = next;
    }
}

}   // namespace lastly::detail
