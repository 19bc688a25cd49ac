// What a scenario's process does with the arena. See lastly/stress/round.hpp.
#include <lastly/stress/round.hpp>

#include "stress/witness/arena.hpp"
#include "stress/witness/watched.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

namespace lastly::stress {

namespace {

constexpr std::uint64_t block = 16;   // cells that a thread takes at once

// The cells that this thread has taken and not yet given out.
struct own_cells {
    std::uint64_t turn = 0, next = 0, end = 0;
};
thread_local own_cells mine;

std::mutex watched_mutex;
std::vector<const pool*> watched;

void add(detail::arena_header& shared, detail::column c, std::uint64_t n) noexcept {
    shared.books[static_cast<std::size_t>(c)].fetch_add(n, std::memory_order_relaxed);
}

}   // namespace

std::uint64_t round::tasks() const noexcept { return shared_.tasks; }
std::uint64_t round::room() const noexcept { return shared_.room; }
unsigned round::workers() const noexcept { return shared_.workers; }
std::uint64_t round::index() const noexcept { return shared_.round; }

random_numbers round::random(std::uint64_t stream) const noexcept {
    random_numbers mixed(shared_.seed ^ stream * 0xd1342543de82ef95u);
    return random_numbers(mixed());
}

cell& round::next() noexcept {
    own_cells& own = mine;
    if (own.turn != shared_.turn || own.next == own.end) {
        const std::uint64_t first = shared_.next_cell.fetch_add(block, std::memory_order_relaxed);
        if (first + block > shared_.room) {
            std::fprintf(stderr, "lastly-stress: a scenario that was asked for %llu tasks used more than its room of %llu\n",
                         static_cast<unsigned long long>(shared_.tasks), static_cast<unsigned long long>(shared_.room));
            std::abort();
        }
        own = {shared_.turn, first, first + block};
    }
    return cells_[own.next++];
}

void round::renew() noexcept { mine = {}; }

pool_options round::options() const {
    pool_options o;
    o.workers = shared_.workers;
    o.engine = shared_.tbb ? engine::tbb : engine::work_stealing;
    o.error_sink = [&shared = shared_](const error_report& r) {
        shared.reports[static_cast<std::size_t>(r.kind)].fetch_add(1, std::memory_order_relaxed);
    };
    return o;
}

std::uint64_t round::reports(report_kind kind) const noexcept {
    return shared_.reports[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
}

void round::may_be_reported(report_kind kind) noexcept { shared_.lawful_reports.fetch_or(std::uint64_t{1} << static_cast<unsigned>(kind), std::memory_order_relaxed); }

void round::finish(const shutdown_report& end, std::optional<std::uint64_t> held) {
    check(end.complete, "S1: a shutdown without a limit is complete");
    check(!held || end.ledger.held == *held, "L4: as many tasks are held as handles were kept");
    balance(end.ledger);
}
void round::close(pool& p) { finish(p.shutdown()); }

void round::balance(const ledger_snapshot& books) noexcept {
    using detail::column;
    add(shared_, column::attempts, books.attempts);
    add(shared_, column::accepted, books.accepted);
    add(shared_, column::rejected, books.rejected);
    add(shared_, column::succeeded, books.succeeded);
    add(shared_, column::failed, books.failed);
    add(shared_, column::cancelled, books.cancelled);
    add(shared_, column::attached, books.finalizers_attached);
    add(shared_, column::run, books.finalizers_run);
    add(shared_, column::returned, books.finalizers_returned);
    add(shared_, column::thrown, books.finalizers_thrown);
    add(shared_, column::live, books.live);
}

void round::refused_attempt() noexcept { shared_.refused_attempts.fetch_add(1, std::memory_order_relaxed); }

void round::count_one(unsigned way) noexcept { shared_.counted[way].fetch_add(1, std::memory_order_relaxed); }

void round::check(bool holds, const char* rule) noexcept {
    if (holds) return;
    if (shared_.rules_broken.fetch_add(1, std::memory_order_relaxed) == 0) std::snprintf(shared_.rule, sizeof shared_.rule, "%s", rule);
}

watch::watch(const pool& p) : pool_(p) {
    const std::lock_guard lock(watched_mutex);
    watched.push_back(&p);
}
watch::~watch() {
    const std::lock_guard lock(watched_mutex);
    std::erase(watched, &pool_);
}

namespace detail {

void show_watched_pools() {
    const std::lock_guard lock(watched_mutex);
    if (watched.empty()) std::fputs("  (the scenario watches no pool: see lastly::stress::watch)\n", stderr);
    for (const pool* const p : watched) {
        std::fputs(p->profile().to_text().c_str(), stderr);
        const ledger_snapshot l = p->ledger();
        std::fprintf(stderr, "ledger: %llu attempts, %llu accepted, %llu rejected, %llu succeeded, %llu failed, %llu cancelled, finalizers %llu attached, %llu run\n",
                     static_cast<unsigned long long>(l.attempts), static_cast<unsigned long long>(l.accepted), static_cast<unsigned long long>(l.rejected),
                     static_cast<unsigned long long>(l.succeeded), static_cast<unsigned long long>(l.failed), static_cast<unsigned long long>(l.cancelled),
                     static_cast<unsigned long long>(l.finalizers_attached), static_cast<unsigned long long>(l.finalizers_run));
    }
    std::fflush(stderr);
}

}   // namespace detail

}   // namespace lastly::stress
