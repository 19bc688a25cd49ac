// See group.hpp; edges U1 to U8 in README.md here.
#include "core/task/group.hpp"

#include "core/base/clock.hpp"
#include "core/base/test_point.hpp"
#include "core/base/thread.hpp"
#include "core/structures/frame_store.hpp"
#include "core/structures/tagged_stack.hpp"
#include "core/task/anchor.hpp"
#include "core/task/context.hpp"
#include "core/task/run.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/fault.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

namespace lastly::detail {

namespace {

constexpr unsigned hops_looked_at = 64;

std::mutex growth;              // a new chunk only
std::uint32_t newest_chunk = 0; // the next one's place

tagged_stack<group_store> free_groups;

}   // namespace

atomic<group_core*> group_store::chunks[(group_core::max_groups + 1) / groups_per_chunk];

std::uint32_t group_of(const frame& f) noexcept { return f.state.load(acquire) >> group_shift; }   // order: [U1] sees the group as its owner prepared it

creation_site group_core::parent_site() const noexcept {
    // order (block): [U1] a later group's shows that the members of this one are over
    const char* const file = parent_file_.load(acquire);
    return {file, parent_line_.load(acquire)};
}

void group_core::tell(unsigned place) noexcept {
    const places& p = *places_.load(acquire);   // order: [U1] sees the places
    p.of[std::min(place, p.workers)].left.fetch_add(0, seq_cst);   // order: [U4] what left is seen, or the waiter by this thread
    if (complete_.has_waiters() && is_complete()) complete_.notify_all();
}

bool group_core::is_complete() const noexcept {
    const places& p = *places_.load(acquire);   // order: [U1] sees the places
    std::uint64_t gone = 0, come = 0;
    for (unsigned i = 0; i <= p.workers; ++i) gone += p.of[i].left.load(seq_cst);      // order: [U3] sees what the members did; [U4] after the intent to sleep was published
    for (unsigned i = 0; i <= p.workers; ++i) come += p.of[i].entered.load(seq_cst);   // order: [U3] entered before the members that left; [U8] after the context was replaced
    return gone == come;
}

bool group_core::make_places(unsigned workers) noexcept {
    places* const before = places_.load(relaxed);   // order: the group is this thread's
    if (before != nullptr && before->workers >= workers) return true;
    workers = std::bit_ceil(workers);
    std::unique_ptr<counts[]> fresh(new (std::nothrow) counts[workers + 1]);
    if (fresh == nullptr) return false;
    auto* const made = new (std::nothrow) places{workers, before, fresh.get()};
    if (made == nullptr) return false;
    fresh.release();
    places_.store(made, release);   // order: [U1] for whoever looks at this group from now on
    return true;
}

void group_core::sleep_until_complete() noexcept { complete_.wait([this] { return is_complete(); }); }

bool group_core::add_failure(const run_record& r) noexcept {
    if (LASTLY_FAULT("failure-lost")) return true;
    void* const place = allocate_block({block_kind::node, sizeof(group_failure)});
    if (place == nullptr && reserve_used_.exchange(1, acquire) != 0) return false;   // order: [U5] sees that its last use is over
    auto* const added = place != nullptr ? ::new (place) group_failure{} : &reserve_;
    *added = {failures_.load(relaxed), r.chain->result->error(), name_of(r), r.task->site()};   // order: a first guess
    while (!failures_.compare_exchange_weak(added->next, added, release, relaxed)) {}   // order: [U5] publishes the error
    return true;
}

group_failure* group_core::take_failures() noexcept {
    group_failure* latest = failures_.exchange(nullptr, acquire);   // order: [U5] sees the errors
    group_failure* first = nullptr;
    while (latest != nullptr) {
        group_failure* const before = latest->next;
        latest->next = first;
        first = latest;
        latest = before;
    }
    return first;
}

void group_core::free_failures(group_failure* list) noexcept {
    while (list != nullptr) {
        group_failure* const next = list->next;
        if (list == &reserve_) {
            reserve_ = {};
            reserve_used_.store(0, release);   // order: [U5] its next user sees that this use is over
        } else {
            std::destroy_at(list);
            release_block({block_kind::node, sizeof(group_failure)}, list);
        }
        list = next;
    }
}

void group_core::move_failures(std::vector<std::exception_ptr>& to) {
    to.clear();
    std::size_t count = 0;
    for (const group_failure* f = failures_.load(acquire); f != nullptr; f = f->next) ++count;   // order: [U5] sees the errors
    to.reserve(count);
    group_failure* const all = take_failures();
    for (group_failure* f = all; f != nullptr; f = f->next) to.push_back(std::move(f->error));
    free_failures(all);
}

std::error_code group_core::stopped_from_above() const noexcept {
    const std::error_code cause = context()->cause();
    if (!cause) {
        const bool ended = observes_pool_ && anchor_->serial() == pool_serial_ && anchor_->abrupt() && !LASTLY_FAULT("C3-end");
        return ended ? end_cause(anchor_->gate_now()) : std::error_code{};
    }
    if (cause == errc::deadline_exceeded && context()->deadline() <= steady_now()) return cause;   // only parents have one; its timer may be late
    for (const lastly::context& p : parents_) {
        if (p.stop_requested() && p.cause() == cause) return cause;
    }
    return {};
}

bool group_core::cancel(std::error_code cause) noexcept { return context()->cancel(cause); }

lastly::context group_core::context_from_outside() noexcept {
    observers_.fetch_add(1, seq_cst);                       // order: [U7] before the context is read
    context_node* const node = context_.load(seq_cst);      // order: [U7] after this thread is counted; [U1] sees the node
    lastly::context shared = context_access::share(node);
    observers_.fetch_sub(1, release);                       // order: [U7] the reference is there
    return shared;
}

// Replaces the context; returns when nobody is about to take a reference on the old one.
// The one before it goes: the group was complete since that was replaced.
void group_core::set_context(context_node* node) noexcept {
    context_node* const old = context_.exchange(node, seq_cst);   // order: [U1] for the members that are spawned after this; [U7] before the look at the observers; [U8] before the next look at who entered
    while (observers_.load(seq_cst) != 0) yield_thread();         // order: [U7] those that read the old one have their references
    if (context_node* const before = std::exchange(replaced_, old)) before->release();
}

bool group_core::note_waiter(std::uint32_t group) noexcept {
    std::uint32_t none = 0;
    return group != 0 && needed_by_.compare_exchange_strong(none, group, acq_rel, relaxed);   // order: [U6] before the waiter looks for members
}

void group_core::withdraw_waiter() noexcept { needed_by_.store(0, release); }   // order: [U6] the group is complete

bool group_core::is_needed_by(std::uint32_t awaited) const noexcept {
    const group_core* g = this;
    for (unsigned hop = 0; hop < hops_looked_at; ++hop) {
        if (g->number_ == awaited) return true;
        const std::uint32_t next = g->needed_by_.load(acquire);   // order: [U6] a waiter stays until the group is complete
        if (next == 0) return false;
        g = &group_at(next);
    }
    return false;
}

atomic<std::uint64_t>& group_store::link(std::uint64_t number) noexcept { return group_at(static_cast<std::uint32_t>(number)).next_free_; }

namespace {

// More groups; the number of one of them. Throws std::bad_alloc, and std::system_error at the limit.
std::uint32_t add_chunk() {
    const std::lock_guard lock(growth);
    if (const std::uint64_t meanwhile = free_groups.pop()) return static_cast<std::uint32_t>(meanwhile);
    if (newest_chunk == std::size(group_store::chunks)) {
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                                "lastly: more than " + std::to_string(group_core::max_groups) + " task groups alive at once");
    }
    const std::uint32_t number = group_store::fill_chunk(newest_chunk);
    ++newest_chunk;
    return number;
}

}   // namespace

void group_store::hold_growth() noexcept { growth.lock(); }
void group_store::release_growth() noexcept { growth.unlock(); }

std::uint32_t group_store::fill_chunk(std::uint32_t chunk) {
    auto* const fresh = new group_core[groups_per_chunk];   // never freed: a late thread may look at any group
    const std::uint32_t first = chunk * groups_per_chunk;
    for (std::uint32_t i = 0; i < groups_per_chunk; ++i) fresh[i].number_ = first + i;
    chunks[chunk].store(fresh, release);   // order: [U2] publishes the groups
    for (std::uint32_t i = groups_per_chunk - 1; i > (chunk == 0 ? 1u : 0u); --i) free_groups.push(first + i);
    return chunk == 0 ? 1 : first;   // number 0 means none
}

namespace {

context_node* make_below(const group_parents& parents) {
    context_node* nodes[std::tuple_size_v<group_parents>];
    for (std::size_t i = 0; i < parents.size(); ++i) nodes[i] = context_access::node(parents[i]);
    return context_node::make(nodes);
}

}   // namespace

group_core& group_store::take(pool_anchor& pool, bool fail_fast, group_parents parents, creation_site parent) {
    const lastly::context made = context_access::adopt(make_below(parents));   // goes if there is no group for it
    std::uint64_t number = free_groups.pop();
    if (number == 0) number = add_chunk();
    group_core& g = group_at(static_cast<std::uint32_t>(number));
    if (!g.make_places(pool.workers)) {
        free_groups.push(number);
        throw std::bad_alloc();
    }
    g.fail_fast_ = fail_fast;
    g.anchor_ = &pool;
    g.pool_serial_ = pool.serial();
    g.parents_ = std::move(parents);
    // order (block): [U1] whoever reads this sees that earlier members are over
    g.parent_file_.store(parent.file, release);
    g.parent_line_.store(parent.line, release);

    context_node* const node = context_access::node(made);
    node->retain();
    g.context_.store(node, release);              // order: [U1] for the members that are spawned after this
    return g;
}

void group_store::give(group_core& g) noexcept {
    g.free_failures(g.take_failures());
    g.forget_dropped();
    g.set_context(nullptr);
    std::exchange(g.replaced_, nullptr)->release();   // no member is under way, and none will be
    g.parents_ = {};
    g.observes_pool_ = false;
    free_groups.push(g.number_);
}

lastly::context group_store::another_context(const group_core& g) { return context_access::adopt(make_below(g.parents_)); }

void group_store::renew(group_core& g, lastly::context fresh) noexcept {
    context_node* const node = context_access::node(fresh);
    node->retain();
    g.set_context(node);
}

}   // namespace lastly::detail
