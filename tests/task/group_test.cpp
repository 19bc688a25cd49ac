// A group's counting, its failures, its memory, and who needs whom. Without a pool: an anchor is all that a group knows of one.
#include "core/task/group.hpp"

#include "core/structures/frame_store.hpp"
#include "core/structures/slab.hpp"
#include "core/task/anchor.hpp"
#include "core/task/context.hpp"
#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace lastly::detail;
using texts = std::vector<std::string>;

namespace {

// A group that goes back to the store.
class held_group {
public:
    // Of a pool with so many workers: from that number on, places are one shared place.
    explicit held_group(group_parents parents = {}, bool fail_fast = true, unsigned workers = 1)
        : group_((lease_.get()->workers = workers, group_store::take(*lease_.get(), fail_fast, std::move(parents), {"made.cpp", 7}))) {}
    ~held_group() { group_store::give(group_); }
    held_group(const held_group&) = delete;
    held_group& operator=(const held_group&) = delete;
    group_core& operator*() const { return group_; }
    group_core* operator->() const { return &group_; }
    pool_anchor& anchor() const { return *lease_.get(); }

private:
    anchor_lease lease_;
    group_core& group_;
};

// A member that has failed so, as completion shows it to its group.
struct failed_member {
    explicit failed_member(const char* what) {
        outcome_access::fail(ended.value, std::make_exception_ptr(std::runtime_error(what)));
        place->line.store(11, relaxed);
        record.task = place.get();
        record.body_chain.result = &ended.value;
        record.name = "a member";
    }
    std::unique_ptr<lastly::detail::frame> place = std::make_unique<lastly::detail::frame>();
    outcome_access::on_stack<void> ended;
    run_record record;
};
bool fail_member(group_core& g, const char* what) { return g.add_failure(failed_member(what).record); }

texts read_all(const std::vector<std::exception_ptr>& errors) {
    texts all;
    for (const auto& e : errors) {
        try {
            std::rethrow_exception(e);
        } catch (const std::exception& x) {
            all.emplace_back(x.what());
        }
    }
    return all;
}
texts taken_from(group_core& g) {
    std::vector<std::exception_ptr> errors;
    g.move_failures(errors);
    return read_all(errors);
}

// Takes every free block of a failure's size, so that the next one needs a slab.
class no_small_blocks {
public:
    no_small_blocks() {
        fail_slabs(1);
        while (void* const block = allocate_block({block_kind::node, sizeof(group_failure)})) blocks_.push_back(block);
    }
    ~no_small_blocks() {
        fail_slabs(0);
        for (void* const block : blocks_) release_block({block_kind::node, sizeof(group_failure)}, block);
    }
    no_small_blocks(const no_small_blocks&) = delete;
    no_small_blocks& operator=(const no_small_blocks&) = delete;

private:
    std::vector<void*> blocks_;
};

}   // namespace

TEST_CASE("group: it is complete when as many members have left as have entered, in whatever place") {
    const held_group g;
    CHECK(g->is_complete());
    for (unsigned place = 0; place < 9; ++place) g->enter(place, 64);
    CHECK_FALSE(g->is_complete());
    for (unsigned place = 9; place > 1; --place) g->leave(place, 64);
    g->leave(0, 63);
    CHECK_FALSE(g->is_complete());
    g->leave(1);
    CHECK(g->is_complete());
}

TEST_CASE("group: a later pool's has a place for each of its workers, and goes on from a complete group's sums") {
    lastly::detail::group_core* first = nullptr;
    {
        const held_group g;
        first = &*g;
        g->enter(0, 3);
        g->leave(7, 3);
    }
    const held_group more({}, true, 9);
    REQUIRE(&*more == first);   // the last one that was given back is taken first
    CHECK(more->is_complete());
    std::vector<std::thread> workers;
    for (unsigned place = 0; place < 9; ++place) {
        workers.emplace_back([&more, place] {
            for (int i = 0; i < 10'000; ++i) more->enter(place);
            for (int i = 0; i < 10'000; ++i) more->leave(place);
            more->tell(place);
        });
    }
    for (std::thread& w : workers) w.join();
    CHECK(more->is_complete());
}

TEST_CASE("group: the last one that leaves, and tells, wakes whoever sleeps") {
    for (int round = 0; round < 200; ++round) {
        const held_group g;
        g->enter(0, 3);
        std::atomic<int> left{0};
        std::thread sleeper([&] {
            g->sleep_until_complete();
            CHECK(left == 3);
        });
        std::thread other([&] {
            left += 2;
            g->leave(group_core::shared_place, 2);
            g->tell(group_core::shared_place);
        });
        ++left;
        g->leave(0);
        g->tell(0);
        sleeper.join();
        other.join();
    }
}

TEST_CASE("group: many threads that enter and leave never show it complete while somebody is under way") {
    const held_group g;
    g->enter(0, 1);   // this thread is under way throughout
    std::vector<std::thread> threads;
    std::atomic<bool> seen{false};
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5'000; ++i) {
                g->enter(group_core::shared_place, 2);
                if (g->is_complete()) seen = true;
                g->leave(group_core::shared_place);
                g->leave(group_core::shared_place);
            }
        });
    }
    for (auto& t : threads) t.join();
    CHECK_FALSE(seen);
    CHECK_FALSE(g->is_complete());
    g->leave(1);
    CHECK(g->is_complete());
}

TEST_CASE("group: failures come out in the order in which they came, once") {
    const held_group g;
    CHECK(taken_from(*g).empty());
    CHECK(fail_member(*g, "first"));
    CHECK(fail_member(*g, "second"));
    CHECK(fail_member(*g, "third"));
    CHECK(taken_from(*g) == texts{"first", "second", "third"});
    CHECK(taken_from(*g).empty());
    CHECK(fail_member(*g, "fourth"));
    group_failure* const all = g->take_failures();
    REQUIRE(all != nullptr);
    CHECK(all->next == nullptr);
    CHECK(std::string(all->name) == "a member");
    CHECK(all->site.line == 11);
    g->free_failures(all);
}

TEST_CASE("group: without memory one failure is kept, further ones are refused, until it is taken") {
    const held_group g;
    for (int round = 0; round < 3; ++round) {
        CHECK(fail_member(*g, "with memory"));
        {
            const no_small_blocks none;
            fail_slabs(1);
            CHECK(fail_member(*g, "kept"));
            fail_slabs(1);
            CHECK_FALSE(fail_member(*g, "refused"));
        }
        CHECK(taken_from(*g) == texts{"with memory", "kept"});
    }
    const no_small_blocks none;
    fail_slabs(1);
    CHECK(fail_member(*g, "alone"));
    g->free_failures(g->take_failures());
    fail_slabs(1);
    CHECK(fail_member(*g, "again"));   // what was freed without being read is free, too
    CHECK(taken_from(*g) == texts{"again"});
}

TEST_CASE("group: failures of many threads are all kept") {
    const held_group g;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 250; ++i) CHECK(fail_member(*g, "one"));
        });
    }
    for (auto& t : threads) t.join();
    CHECK(taken_from(*g).size() == 1000);
}

TEST_CASE("group: a later one goes on from the counts of the one before, with a context and failures of its own") {
    std::uint32_t number = 0;
    lastly::context before;
    {
        const held_group g;
        number = g->number();
        CHECK(number >= 1);
        CHECK(number <= group_core::max_groups);
        CHECK(&group_at(number) == &*g);
        g->enter(1, 5);
        g->leave(1, 5);
        g->note_dropped(gate_abrupt);
        CHECK(fail_member(*g, "nobody takes it"));
        CHECK(g->cancel(lastly::errc::discarded));
        CHECK_FALSE(g->cancel(lastly::errc::cancelled));
        before = context_access::share(g->context());
    }
    CHECK(before.cause() == lastly::errc::discarded);
    const held_group next({}, false);
    CHECK(next->number() == number);   // the stack of free ones gives the last one back first
    CHECK(next->is_complete());
    CHECK_FALSE(next->cancels_siblings());
    CHECK_FALSE(next->context()->stopped());
    CHECK_FALSE(next->drop() != 0);
    CHECK(taken_from(*next).empty());
    CHECK(next->parent_site().line == 7);
    CHECK(&next->anchor() == &next.anchor());
    CHECK(next->pool_serial() == next.anchor().serial());
    next->enter(3, 1);
    CHECK_FALSE(next->is_complete());
    next->leave(1);
    CHECK(next->is_complete());
}

TEST_CASE("group: more than a chunk of them are alive at once, each with its number") {
    std::vector<std::unique_ptr<held_group>> all;
    std::vector<bool> seen(1024 + group_core::max_groups / 256, false);
    for (int i = 0; i < 600; ++i) {
        all.push_back(std::make_unique<held_group>());
        const std::uint32_t number = (**all.back()).number();
        REQUIRE(number < seen.size());
        CHECK_FALSE(seen[number]);
        seen[number] = true;
    }
}

TEST_CASE("group: without memory for a context none is made, and none is lost") {
    fail_context_nodes(1);
    CHECK_THROWS_AS(held_group{}, std::bad_alloc);
    fail_context_nodes(0);
    const held_group g;
    CHECK(g->is_complete());
}

TEST_CASE("group: what stopped one of its parents stopped it, its own cancel did not come from above") {
    auto upper = lastly::with_cancel();
    auto other = lastly::with_cancel();
    const held_group g({upper.context(), other.context()});
    CHECK_FALSE(g->stopped_from_above());
    CHECK(g->cancel(lastly::errc::sibling_failed));
    CHECK_FALSE(g->stopped_from_above());
    group_store::renew(*g, group_store::another_context(*g));
    CHECK_FALSE(g->context()->stopped());
    other.cancel(std::make_error_code(std::errc::interrupted));
    CHECK(g->stopped_from_above() == std::errc::interrupted);
    CHECK_FALSE(g->cancel(lastly::errc::cancelled));
    group_store::renew(*g, group_store::another_context(*g));
    CHECK(g->stopped_from_above() == std::errc::interrupted);   // below a stopped parent for ever
}

TEST_CASE("group: who needs whom is followed from waiter to waiter, as long as they wait") {
    const held_group a, b, c, d;
    CHECK(a->is_needed_by(a->number()));
    CHECK_FALSE(a->is_needed_by(b->number()));
    CHECK_FALSE(a->note_waiter(0));
    CHECK(a->note_waiter(b->number()));         // a member of b waits for a
    CHECK_FALSE(a->note_waiter(d->number()));   // one waiter is noted, and no second
    CHECK(b->note_waiter(c->number()));
    CHECK(a->is_needed_by(b->number()));
    CHECK(a->is_needed_by(c->number()));
    CHECK(b->is_needed_by(c->number()));
    CHECK_FALSE(c->is_needed_by(a->number()));
    CHECK_FALSE(a->is_needed_by(d->number()));
    b->withdraw_waiter();
    CHECK_FALSE(a->is_needed_by(c->number()));
    CHECK(a->is_needed_by(b->number()));
    a->withdraw_waiter();
    CHECK_FALSE(a->is_needed_by(b->number()));
    CHECK(a->note_waiter(d->number()));
    CHECK(a->is_needed_by(d->number()));
    a->withdraw_waiter();
}

TEST_CASE("group: a long line of waiters is followed for a bounded number of steps, a circle ends") {
    std::vector<std::unique_ptr<held_group>> line;
    for (int i = 0; i < 80; ++i) line.push_back(std::make_unique<held_group>());
    const auto at = [&](std::size_t i) -> group_core& { return **line[i]; };
    for (std::size_t i = 0; i + 1 < line.size(); ++i) CHECK(at(i).note_waiter(at(i + 1).number()));
    CHECK(at(0).is_needed_by(at(50).number()));
    CHECK_FALSE(at(0).is_needed_by(at(79).number()));   // not found, so not helped with: that costs a thread, no more
    CHECK(at(40).is_needed_by(at(79).number()));
    CHECK(at(79).note_waiter(at(0).number()));          // what no correct program does
    const held_group stranger;
    CHECK_FALSE(at(3).is_needed_by(stranger->number()));
    for (std::size_t i = 0; i < line.size(); ++i) at(i).withdraw_waiter();
}

TEST_CASE("group: a context that was replaced stays until the group was complete once more") {
    held_group g;
    REQUIRE(g->is_complete());
    g->enter(0, 1);                               // from outside, after the owner's look
    context_node* const seen = g->context();
    g->cancel(lastly::errc::cancelled);
    group_store::renew(*g, group_store::another_context(*g));
    CHECK(g->context() != seen);
    CHECK(seen->stopped());                       // the member reads it: the address sanitizer looks on
    CHECK_FALSE(g->is_complete());
    g->leave(1);
    REQUIRE(g->is_complete());
    group_store::renew(*g, group_store::another_context(*g));
    CHECK_FALSE(g->context()->stopped());
}
