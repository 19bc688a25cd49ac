// The sweeps: each situation for each source and for each thing of it that may fail, until a run in which nothing did. After every run the pools
// and their threads are gone, every frame is free and no deadline waits; after every sweep the process has as many blocks as before, or the
// sweep is repeated: caches fill once, leaks grow each time.
// A round of fewer tasks than a whole sweep takes every n-th of these things, from a number on that its seed gives.
#include "stress/chaos/scarcity.hpp"

#include "stress/chaos/situations.hpp"
#include "stress/chaos/sources.hpp"

#include "core/structures/frame_store.hpp"
#include "core/task/context.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

namespace lastly::stress::chaos {

namespace {

constexpr unsigned most_repetitions = 4;

std::size_t frames_in_use() {
    std::size_t count = 0;
    lastly::detail::walk_frames([](lastly::detail::frame&, void* n) { ++*static_cast<std::size_t*>(n); }, &count);
    return count;
}

// What the judge will say of a task, where the situation's name is still known. Null: nothing.
const char* first_word_on(const cell& c) {
    const std::uint64_t word = c.word.load(std::memory_order_relaxed);
    const auto count = [word](event e, unsigned next = 0) { return count_of(word, static_cast<event>(static_cast<unsigned>(e) + next)); };
    if (count(event::submitted) == 0) return nullptr;
    if (count(event::alive) != 0) return "O3, L4: a capture is alive when the situation is over";
    if (count(event::deferred) != count(event::registered)) return "G1, G2: a deferred finalizer did not run, or ran twice";
    unsigned seen = 0;
    for (unsigned i = 0; i < 3; ++i) {
        if (count(event::attached_0, i) != (i < c.plan.attached ? 1u : 0u)) return "G1, G2: an attached finalizer did not run, or ran twice";
    }
    for (unsigned i = 0; i < 4; ++i) seen |= count(event::saw_succeeded, i) != 0 ? 1u << i : 0u;   // as the bits of `ends`
    const bool refused = count(event::refused) != 0;
    if (refused && count(event::begun) != 0) return "A1: a body ran although the submission was refused";
    if ((seen & ~unsigned{c.plan.ends}) != 0) return "E1, E2: a task ended in another way than it might";
    if ((seen == ends::rejected) != refused) return "A1: a task ended in another way than its submitter was told";
    if (count(event::told) != c.plan.waiters) return "W1, O4: not as many were told as waited";
    return c.fault == broken::nothing ? nullptr : "O1 to O4: the order of a task's life was broken";
}

// Where the process is when a run ends it.
const desk* at_work = nullptr;
std::terminate_handler terminate_before = nullptr;

[[noreturn]] void tell_and_terminate() {
    if (at_work != nullptr) std::fprintf(stderr, "lastly-stress: terminated in %s\n", at_work->where());
    if (terminate_before != nullptr) terminate_before();
    std::abort();
}

class sweep {
public:
    explicit sweep(round& r, std::uint64_t whole)
        : desk_(r), stride_(static_cast<unsigned>(std::max<std::uint64_t>(1, (whole + r.tasks() / 2) / r.tasks()))),
          first_(1 + static_cast<unsigned>(r.random().below(stride_))) {
        at_work = &desk_;
        terminate_before = std::set_terminate(&tell_and_terminate);
    }
    ~sweep() {
        std::set_terminate(terminate_before);
        at_work = nullptr;
    }
    sweep(const sweep&) = delete;
    sweep& operator=(const sweep&) = delete;

    void over(std::span<const situation> situations, std::span<const source> sources) {
        for (const situation& s : situations) {
            run(s, nullptr, 0);
            for (const source& from : sources) until_flat(s, from);
        }
    }

private:
    void until_flat(const situation& s, const source& from) {
        for (unsigned i = 0; i < most_repetitions; ++i) {
            const std::int64_t before = blocks_alive();
            unsigned nth = first_;
            while (run(s, &from, nth)) nth += stride_;
            if (blocks_alive() <= before) return;
        }
        desk_.check(false, "no leak: after each sweep of a situation there are more blocks than before");
    }

    // One run, on a thread whose caches are as new. Returns: did anything fail?
    bool run(const situation& s, const source* from, unsigned nth) {
        desk_.begin(s.name, from != nullptr ? from->name : "", nth, from != nullptr ? from->runs_out : shortage::none);
        const unsigned threads = threads_of_process();
        const std::size_t deadlines = lastly::detail::deadlines_waiting();
        bool failed = false;
        std::thread([&] { failed = on_its_thread(s, from, nth); }).join();
        desk_.check(threads_return_to(threads), "S1, S3: a situation is over, and threads are left of it");
        desk_.check(frames_in_use() == 0, "L4: a situation is over, and frames are left of it");
        desk_.check(lastly::detail::deadlines_waiting() == deadlines, "C3: a situation is over, and its deadlines wait");
        const std::uint64_t reports = desk_.reports(report_kind::no_stand_in) + desk_.reports(report_kind::worker_lost);
        desk_.check(desk_.is_scarce() || reports == desk_.without_stand_in(), "W2, P4: a worker was lost, or not stood in for, while nothing was short");
        if (failed && desk_.is_short_of(shortage::threads) && desk_.refused_pools() == 0) {
            desk_.check(reports != 0, "W2, P4: a thread that could not be started in a worker's place is reported");
        }
        for (const cell* const c : desk_.used()) {
            if (const char* const word = first_word_on(*c)) desk_.check(false, word);
        }
        return failed;
    }

    // Threads run out for the situation's pool, too; memory does so once it is made: making pools has situations of its own.
    bool on_its_thread(const situation& s, const source* from, unsigned nth) {
        std::optional<own_pool> early;
        if (s.has_pool && !desk_.is_short_of(shortage::threads)) early.emplace(desk_, desk_.options(s.workers));
        if (from != nullptr) from->arm(nth);
        try {
            std::optional<own_pool> p;
            if (s.has_pool && !early) p.emplace(desk_, desk_.options(s.workers));
            own_pool* const given = early ? &*early : p ? &*p : nullptr;
            if (given != nullptr && *given) desk_.use(&**given);
            if (given == nullptr || *given) s.run(desk_);
            early.reset();
        } catch (const std::exception& e) {
            left_by(e.what());
        } catch (...) {
            left_by("an exception that is no std::exception");
        }
        return from != nullptr && from->disarm(nth);
    }
    void left_by(const char* what) {
        char text[200];
        std::snprintf(text, sizeof text, "the situation was left by an exception: %s", what);
        desk_.check(false, text);
    }

    desk desk_;
    const unsigned stride_, first_;
};

void sweep_all(round& r, std::span<const source> sources, std::uint64_t whole) {
    const std::span<const situation> tables[] = {task_situations(),   handle_situations(), group_situations(), context_situations(),
                                                 branch_situations(), pool_situations(),   ending_situations()};
    for (const report_kind kind : {report_kind::worker_lost, report_kind::no_stand_in, report_kind::chain_long}) r.may_be_reported(kind);   // the last in a situation of its own
    count_blocks(true);
    sweep all(r, whole);
    for (const auto& table : tables) all.over(table, sources);
    count_blocks(false);
}

}   // namespace

}   // namespace lastly::stress::chaos

namespace lastly::stress::scenarios {

void scarce_memory(round& r) { chaos::sweep_all(r, chaos::memory_sources(), 8192); }
void scarce_threads(round& r) { chaos::sweep_all(r, chaos::thread_sources(), 1024); }

}   // namespace lastly::stress::scenarios
