// The judge: convicts each kind of broken law by a cell that shows it, and nothing that is lawful.
#include "stress/witness/judge.hpp"

#include <lastly/stress.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>

using namespace lastly::stress;
using detail::arena;
using detail::column;
using detail::round_end;
using detail::verdict;

namespace {

// A round's memory, with one task that the test makes what it likes.
class one_round {
public:
    one_round() : memory_(arena::make(64)) {}
    cell& task() {
        memory_.header().next_cell.store(16);
        return memory_.cells()[0];
    }
    // A round that hung has handed over no ledger to compare with.
    verdict judged(round_end how = round_end::hung) const { return judge(memory_, how); }
    arena& memory() { return memory_; }

private:
    arena memory_;
};

// A task with two attached finalizers and one deferred one, as it should be.
void live_lawfully(cell& c, task_plan plan = {}) {
    plan.attached = 2;
    c.submit(plan);
    c.begin();
    const std::uint16_t place = c.register_one();
    c.registered(static_cast<std::uint16_t>(c.depth - 1), true);
    c.end();
    c.run_deferred(place);
    c.run_attached(1, ends::succeeded, true);
    c.run_attached(0, ends::succeeded, true);
}

bool convicts(const verdict& v, const std::string& law, const std::string& words) {
    return std::any_of(v.findings.begin(), v.findings.end(), [&](const detail::finding& f) { return f.law == law && f.what.find(words) != std::string::npos; });
}

}   // namespace

TEST_CASE("judge: a task that lived lawfully is passed") {
    one_round r;
    live_lawfully(r.task(), {.ends = ends::succeeded, .must_begin = true});
    const verdict v = r.judged();
    CHECK(v.holds());
    CHECK(v.tasks == 1);
    CHECK(v.finalizers == 3);
}

TEST_CASE("judge: a dropped task is convicted") {
    one_round r;
    r.task().submit({.attached = 2});
    const verdict v = r.judged();
    CHECK(convicts(v, "G1, G2", "its attached finalizer 0 ran 0 times"));
    CHECK(convicts(v, "L5", "no outcome"));
}

TEST_CASE("judge: a finalizer that runs twice is convicted") {
    one_round r;
    live_lawfully(r.task());
    r.task().run_attached(0, ends::succeeded, true);
    CHECK(convicts(r.judged(), "G1, G2", "its attached finalizer 0 ran 2 times"));
}

TEST_CASE("judge: finalizers that change places are convicted") {
    one_round r;
    cell& c = r.task();
    c.submit({.attached = 2});
    c.begin();
    c.end();
    c.run_attached(0, ends::succeeded, true);
    c.run_attached(1, ends::succeeded, true);
    CHECK(convicts(r.judged(), "O2", "out of order"));
}

TEST_CASE("judge: deferred finalizers that run first registered first are convicted") {
    one_round r;
    cell& c = r.task();
    c.submit({.attached = 1});
    c.begin();
    const std::uint16_t first = c.register_one(), second = c.register_one();
    c.registered(static_cast<std::uint16_t>(c.depth - 1), true);
    c.end();
    c.run_deferred(first);
    c.run_deferred(second);
    c.run_attached(0, ends::succeeded, true);
    CHECK(convicts(r.judged(), "O2", "a deferred finalizer ran out of order"));
}

TEST_CASE("judge: a deferred finalizer that is lost is convicted") {
    one_round r;
    cell& c = r.task();
    c.submit({.attached = 1});
    c.begin();
    c.register_one();
    c.registered(static_cast<std::uint16_t>(c.depth - 1), true);
    c.end();
    c.run_attached(0, ends::succeeded, true);
    CHECK(convicts(r.judged(), "G1, G2", "0 of its deferred finalizers ran, and 1 were registered"));
}

TEST_CASE("judge: a finalizer beside its body is convicted") {
    one_round r;
    cell& c = r.task();
    c.submit({.attached = 1});
    c.begin();
    c.run_attached(0, ends::succeeded, true);
    c.end();
    CHECK(convicts(r.judged(), "G4, O1", "before its body was over"));
}

TEST_CASE("judge: a body that runs twice, or ends without beginning, is convicted") {
    one_round r;
    live_lawfully(r.task());
    r.task().add(event::begun);
    CHECK(convicts(r.judged(), "G1", "its body ran 2 times"));
    CHECK(convicts(r.judged(), "O1", "did not end as often"));
}

TEST_CASE("judge: a capture that leaks, and one that dies twice, are convicted") {
    one_round r;
    live_lawfully(r.task());
    r.task().add(event::alive);
    CHECK(convicts(r.judged(), "O3, L4", "1 of its captures"));
    r.task().take(event::alive);
    r.task().take(event::alive);
    CHECK(convicts(r.judged(), "O3, L4", "or some twice"));
}

TEST_CASE("judge: a capture that is used where it is not is convicted") {
    one_round r;
    cell& c = r.task();
    live_lawfully(c);
    {
        canary first(c);
        const canary second(std::move(first));
        static_cast<void>(first.task());   // moved from: that is the point
    }
    CHECK(convicts(r.judged(), "O3", "moved from"));
}

TEST_CASE("judge: a finalizer within another, or within its own registration, is convicted") {
    one_round r;
    cell& c = r.task();
    c.submit({.attached = 1});
    c.begin();
    const bool before = c.enter();
    const std::uint16_t place = c.register_one();
    c.run_deferred(place);
    c.registered(place, true);
    CHECK(c.fault == broken::deferred_at_once);
    c.fault = broken::nothing;
    c.enter();   // beside the body
    CHECK(convicts(r.judged(), "G4", "beside, or inside, the body"));
    c.leave(before);
}

TEST_CASE("judge: a finalizer that is told otherwise whether the body began is convicted") {
    one_round r;
    cell& c = r.task();
    c.submit({.attached = 1});
    c.run_attached(0, ends::cancelled, true);
    CHECK(convicts(r.judged(), "E1", "whether the body began"));
}

TEST_CASE("judge: a capture that dies after the waiter was told is convicted") {
    one_round r;
    cell& c = r.task();
    {
        const canary late(c);
        c.submit({.attached = 1, .waiters = 1});
        c.begin();
        c.end();
        c.run_attached(0, ends::succeeded, true);
        c.tell(ends::succeeded);
    }
    CHECK(convicts(r.judged(), "O4", "told before it was over"));
}

TEST_CASE("judge: a pool that shows no ledger is not compared") {
    one_round r;
    live_lawfully(r.task(), {.unbooked = true});
    CHECK(r.judged(round_end::finished).holds());
    CHECK(r.judged(round_end::finished).finalizers == 3);
}

TEST_CASE("judge: a waiter that is never told, and one that is told too early, are convicted") {
    one_round r;
    live_lawfully(r.task(), {.waiters = 1});
    CHECK(convicts(r.judged(), "W1, O4", "0 of its 1 waiters"));
    CHECK(r.judged(round_end::process_ended).holds());   // nobody was left to be told

    one_round early;
    cell& c = early.task();
    c.submit({.attached = 1, .waiters = 1});
    c.begin();
    c.tell(ends::succeeded);
    CHECK(convicts(early.judged(), "O4", "told before it was over"));
}

TEST_CASE("judge: what runs after the waiter was told is convicted") {
    one_round r;
    cell& c = r.task();
    c.submit({.attached = 1, .waiters = 1});
    c.begin();
    c.end();
    c.attached_left = 0;   // as if it had run
    c.tell(ends::succeeded);
    c.run_attached(0, ends::succeeded, true);
    CHECK(convicts(r.judged(), "O4", "after its waiter was told"));
}

TEST_CASE("judge: an outcome that was not planned, two of them, or another than the submitter saw are convicted") {
    one_round r;
    live_lawfully(r.task(), {.ends = ends::cancelled});
    CHECK(convicts(r.judged(), "E1, E2", "it ended succeeded, and should have ended cancelled"));
    r.task().add(event::saw_failed);
    CHECK(convicts(r.judged(), "L5", "succeeded or failed"));

    one_round refused;
    live_lawfully(refused.task());
    refused.task().refuse();
    CHECK(convicts(refused.judged(), "A1", "not what its submitter was told"));
    CHECK(convicts(refused.judged(), "A1", "ran although the submission was refused"));
}

TEST_CASE("judge: a body that had to begin, and one that must not, are convicted") {
    one_round r;
    cell& c = r.task();
    c.submit({.attached = 1, .ends = ends::cancelled, .must_begin = true});
    c.run_attached(0, ends::cancelled, false);
    CHECK(convicts(r.judged(), "S1, C1", "should have run"));
    one_round other;
    live_lawfully(other.task(), {.must_not_begin = true});
    CHECK(convicts(other.judged(), "C1, A6", "should not have begun"));
}

TEST_CASE("judge: an outcome without a body is convicted, unless a finalizer made it") {
    for (const bool edited : {false, true}) {
        one_round r;
        cell& c = r.task();
        c.submit({.attached = 1, .edited = edited});
        c.run_attached(0, ends::succeeded, false);
        CHECK(r.judged().holds() == edited);
    }
}

TEST_CASE("judge: a body that never goes on keeps its captures, and nothing else is let off") {
    for (const bool is_left : {true, false}) {
        CAPTURE(is_left);
        one_round r;
        cell& c = r.task();
        c.submit({.attached = 1, .ends = ends::cancelled});
        c.add(event::alive);
        c.begin();
        if (is_left) c.leave_for_good();
        else c.end();
        c.run_attached(0, ends::cancelled, true);
        CHECK(r.judged().holds() == is_left);
        c.run_attached(0, ends::cancelled, true);
        CHECK(convicts(r.judged(), "G1, G2", "its attached finalizer 0 ran 2 times"));
    }
}

TEST_CASE("judge: of a process that was cut down nothing need be complete, and nothing may be twice or out of order") {
    for (const bool is_cut : {true, false}) {
        CAPTURE(is_cut);
        one_round r;
        cell& c = r.task();
        c.submit({.attached = 2, .waiters = 1, .must_begin = true, .cut = is_cut});
        CHECK(r.judged(round_end::finished).holds() == false);   // it is compared with a ledger, of which there is none
        CHECK(r.judged().holds() == is_cut);
        c.add(event::alive);
        c.begin();
        CHECK(r.judged().holds() == is_cut);
        const std::uint16_t place = c.register_one();
        c.registered(static_cast<std::uint16_t>(c.depth - 1), true);
        c.end();
        c.run_deferred(place);
        c.run_attached(1, ends::succeeded, true);
        CHECK(r.judged().holds() == is_cut);
        c.run_attached(1, ends::succeeded, true);
        CHECK(convicts(r.judged(), "G1, G2", "its attached finalizer 1 ran 2 times"));
        CHECK(convicts(r.judged(), "O2", "out of order"));
    }
    one_round r;
    cell& c = r.task();
    c.submit({.cut = true});
    c.begin();
    c.add(event::begun);
    CHECK(convicts(r.judged(), "G1", "its body ran 2 times"));
}

TEST_CASE("judge: a ledger that says something else than the cells is convicted column by column") {
    one_round r;
    live_lawfully(r.task());
    auto& header = r.memory().header();
    const auto column_is = [&](column c, std::uint64_t n) { header.books[static_cast<std::size_t>(c)].store(n); };
    for (const column c : {column::attempts, column::accepted, column::succeeded}) column_is(c, 1);
    for (const column c : {column::attached, column::run, column::returned}) column_is(c, 3);
    CHECK(r.judged(round_end::finished).holds());
    column_is(column::run, 2);
    CHECK(convicts(r.judged(round_end::finished), "L1, L2, L3, L4", "the ledgers say 2 finalizers run, the witness counted 3"));
    column_is(column::run, 3);
    column_is(column::live, 1);
    CHECK(convicts(r.judged(round_end::finished), "L1, L2, L3, L4", "1 live"));
}

TEST_CASE("judge: reports of what nobody brought about are convicted") {
    one_round r;
    lastly::stress::round seen(r.memory().header(), r.memory().cells());
    const auto options = seen.options();
    const auto tell = [&options](lastly::report_kind kind) { options.error_sink({.kind = kind}); };
    tell(lastly::report_kind::failed);   // other laws speak of it
    CHECK(r.judged().holds());
    tell(lastly::report_kind::worker_lost);
    tell(lastly::report_kind::no_stand_in);
    seen.may_be_reported(lastly::report_kind::no_stand_in);
    CHECK(convicts(r.judged(), "P4", "a worker was reported as lost, 1 times"));
    CHECK_FALSE(convicts(r.judged(), "W2", ""));
}

TEST_CASE("judge: every broken law is counted, and of each the first few are shown") {
    one_round r;
    for (int i = 0; i < 16; ++i) r.memory().cells()[i].submit({.attached = 1});
    r.memory().header().next_cell.store(16);
    const verdict v = r.judged();
    CHECK(v.broken == 32);
    CHECK(v.findings.size() == 6);
    CHECK(convicts(v, "L5", "task 2:"));
    CHECK_FALSE(convicts(v, "L5", "task 3:"));
}

TEST_CASE("judge: a rule that the scenario saw broken is shown with its number") {
    one_round r;
    lastly::stress::round seen(r.memory().header(), r.memory().cells());
    seen.check(true, "W4: not this");
    seen.check(false, "W4: this");
    seen.check(false, "W4: nor this");
    CHECK(convicts(r.judged(), "W4", "this (broken 2 times)"));
}

TEST_CASE("judge: the account is clear after a round, and cells that nobody used are none") {
    one_round r;
    r.task().submit({});
    CHECK(r.judged().tasks == 1);
    r.memory().clear();
    CHECK(r.memory().used() == 0);
    r.memory().header().next_cell.store(16);
    CHECK(r.judged().tasks == 0);
    CHECK(r.judged().holds());
}
