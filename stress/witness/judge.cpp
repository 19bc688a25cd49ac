// See judge.hpp.
#include "stress/witness/judge.hpp"

#include <lastly/options.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdarg>
#include <cstdio>

namespace lastly::stress::detail {

namespace {

constexpr std::size_t shown_findings = 12;
constexpr std::ptrdiff_t shown_of_a_law = 3;

__attribute__((format(printf, 1, 2))) std::string text(const char* format, ...) {
    char line[512];
    va_list values;
    va_start(values, format);
    std::vsnprintf(line, sizeof line, format, values);
    va_end(values);
    return line;
}

const char* words_of(broken b) noexcept {
    switch (b) {
        case broken::nothing: return "nothing";
        case broken::body_out_of_turn: return "O1: its body ran when it was not its turn";
        case broken::finalizer_beside_body: return "G4, O1: a finalizer ran before its body was over";
        case broken::deferred_out_of_order: return "O2: a deferred finalizer ran out of order";
        case broken::attached_out_of_order: return "O2: an attached finalizer ran out of order, or before the deferred ones";
        case broken::touched_after_told: return "O4: something of it ran after its waiter was told";
        case broken::told_too_early: return "O4: its waiter was told before it was over";
        case broken::capture_spoiled: return "O3: a capture was used that had been moved from, copied as bytes or destroyed";
        case broken::outcome_changed: return "L5: its waiter was told of another outcome than its last finalizer";
        case broken::finalizer_beside_another: return "G4: a finalizer ran beside, or inside, the body or another finalizer";
        case broken::deferred_at_once: return "O1, O2: a deferred finalizer ran within its own registration";
        case broken::started_wrong: return "E1: an outcome says otherwise whether the body began";
    }
    return "a fault of the witness";
}

std::string ends_text(std::uint8_t ends) {
    std::string list;
    const std::array<const char*, 4> names{"succeeded", "failed", "cancelled", "rejected"};
    for (unsigned i = 0; i < names.size(); ++i) {
        if ((ends & 1u << i) != 0) list += (list.empty() ? "" : " or ") + std::string(names[i]);
    }
    return list.empty() ? "no outcome" : list;
}

// One task under the laws.
class one_task {
public:
    one_task(const cell& c, std::uint64_t number, verdict& v)
        : c_(c), number_(number), word_(c.word.load(std::memory_order_relaxed)), verdict_(v) {}

    void judge(round_end how) {
        submission();
        body();
        finalizers();
        outcome(how);
        const unsigned captures = c_.plan.left || c_.plan.cut ? 1 + c_.plan.attached + count(event::registered) : 0;   // at most; one that dies twice leaves far more
        if (count(event::alive) > captures) broke("O3, L4", text("%u of its captures were never destroyed, or some twice", count(event::alive)));
        if (c_.fault != broken::nothing) {
            const std::string words = words_of(c_.fault);
            const auto colon = words.find(": ");
            broke(words.substr(0, colon), colon == std::string::npos ? words : words.substr(colon + 2));
        }
    }

private:
    unsigned count(event e) const noexcept { return count_of(word_, e); }
    bool refused() const noexcept { return count(event::refused) != 0; }
    std::uint8_t seen() const noexcept {
        return static_cast<std::uint8_t>((count(event::saw_succeeded) != 0 ? ends::succeeded : 0) | (count(event::saw_failed) != 0 ? ends::failed : 0) |
                                         (count(event::saw_cancelled) != 0 ? ends::cancelled : 0) | (count(event::saw_rejected) != 0 ? ends::rejected : 0));
    }
    void broke(std::string law, const std::string& what) {
        verdict_.add(std::move(law), text("task %llu: %s [", static_cast<unsigned long long>(number_), what.c_str()) + story() + "]");
    }
    // What the cell says of the task, shortly.
    std::string story() const {
        return text("submitted %u, refused %u, begun %u, over %u, attached finalizers run %u %u %u of %u, deferred %u of %u, thrown %u, saw %s, told %u of %u, captures %u",
                    count(event::submitted), count(event::refused), count(event::begun), count(event::over), count(event::attached_0), count(event::attached_1),
                    count(event::attached_2), c_.plan.attached, count(event::deferred), count(event::registered), count(event::thrown), ends_text(seen()).c_str(),
                    count(event::told), c_.plan.waiters, count(event::alive));
    }
    void submission() {
        if (count(event::submitted) != 1) broke("A1", text("it was submitted %u times", count(event::submitted)));
        if (count(event::refused) > 1) broke("A1", text("its submission was refused %u times", count(event::refused)));
    }
    void body() {
        if (count(event::begun) > 1) broke("G1", text("its body ran %u times", count(event::begun)));
        if (c_.plan.cut ? count(event::over) > count(event::begun) : count(event::over) != count(event::begun)) broke("O1", "its body did not end as often as it began");
        if (refused() && count(event::begun) != 0) broke("A1", "its body ran although the submission was refused");
        if (c_.plan.must_begin && !c_.plan.cut && count(event::begun) == 0) broke("S1, C1", "its body should have run and never began");
        if (c_.plan.must_not_begin && count(event::begun) != 0) broke("C1, A6", "its body ran and should not have begun");
    }
    void finalizers() {
        for (unsigned i = 0; i < 3; ++i) {
            const unsigned times = count(static_cast<event>(static_cast<unsigned>(event::attached_0) + i));
            const unsigned due = i < c_.plan.attached ? 1 : 0;
            if (c_.plan.cut ? times > due : times != due) broke("G1, G2", text("its attached finalizer %u ran %u times", i, times));
        }
        if (c_.plan.cut ? count(event::deferred) > count(event::registered) : count(event::deferred) != count(event::registered)) {
            broke("G1, G2", text("%u of its deferred finalizers ran, and %u were registered", count(event::deferred), count(event::registered)));
        }
    }
    void outcome(round_end how) {
        if (c_.plan.cut ? count(event::told) > c_.plan.waiters : count(event::told) != c_.plan.waiters && how != round_end::process_ended) broke("W1, O4", text("%u of its %u waiters were told", count(event::told), c_.plan.waiters));
        if (c_.plan.attached == 0 && count(event::told) == 0) return;   // nobody who could have seen it
        if (c_.plan.cut && seen() == 0) return;
        if (std::popcount(seen()) != 1) return broke("L5", "it ended in " + ends_text(seen()));
        if ((seen() & c_.plan.ends) == 0) broke("E1, E2", "it ended " + ends_text(seen()) + ", and should have ended " + ends_text(c_.plan.ends));
        if (c_.plan.cut ? refused() && seen() != ends::rejected : (seen() == ends::rejected) != refused()) broke("A1", "it ended " + ends_text(seen()) + ", which is not what its submitter was told");
        if ((seen() & (ends::succeeded | ends::failed)) != 0 && !c_.plan.edited && count(event::begun) == 0) broke("E1", "it ended " + ends_text(seen()) + " without its body");
    }

    const cell& c_;
    const std::uint64_t number_;
    const std::uint64_t word_;
    verdict& verdict_;
};

using sums = std::array<std::uint64_t, static_cast<std::size_t>(column::count)>;

void add_to(sums& s, const cell& c, std::uint64_t word) {
    if (c.plan.discarded || c.plan.unbooked) return;
    const auto count = [&](column k, std::uint64_t n) { s[static_cast<std::size_t>(k)] += n; };
    const auto of = [&](event e) { return count_of(word, e); };
    const std::uint64_t finalizers = of(event::attached_0) + of(event::attached_1) + of(event::attached_2) + of(event::deferred);
    count(column::attempts, of(event::submitted));
    count(column::rejected, of(event::refused));
    count(column::accepted, of(event::submitted) - of(event::refused));
    count(column::succeeded, of(event::saw_succeeded));
    count(column::failed, of(event::saw_failed));
    count(column::cancelled, of(event::saw_cancelled));
    count(column::attached, static_cast<std::uint64_t>(c.plan.attached) + of(event::registered));
    count(column::run, finalizers);
    count(column::thrown, of(event::thrown));
    count(column::returned, finalizers - of(event::thrown));
}

// The last cross-check: the library's own account against the witness's.
void compare_books(const arena_header& h, const sums& witnessed, verdict& v) {
    constexpr std::array names{"attempts", "accepted", "rejected", "succeeded", "failed", "cancelled", "finalizers attached", "finalizers run", "finalizers returned", "finalizers thrown", "live"};
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::uint64_t claimed = h.books[i].load(std::memory_order_relaxed);
        if (claimed != witnessed[i]) {
            v.add("L1, L2, L3, L4", text("the ledgers say %llu %s, the witness counted %llu", static_cast<unsigned long long>(claimed), names[i], static_cast<unsigned long long>(witnessed[i])));
        }
    }
}

// What the pools told their sinks although nobody brought it about.
void look_at_reports(const arena_header& h, verdict& v) {
    struct unwanted {
        report_kind kind;
        const char* law;
        const char* what;
    };
    constexpr unwanted all[] = {{report_kind::finalizer_overdue, "C4", "a finalizer was reported as overdue"},
                                {report_kind::chain_long, "O2", "a chain was reported as long"},
                                {report_kind::worker_lost, "P4", "a worker was reported as lost"},
                                {report_kind::no_stand_in, "W2", "no stand-in could be made, as was reported"}};
    for (const unwanted& u : all) {
        const auto kind = static_cast<std::size_t>(u.kind);
        const std::uint64_t times = h.reports[kind].load(std::memory_order_relaxed);
        if (times != 0 && (h.lawful_reports.load(std::memory_order_relaxed) >> kind & 1) == 0) v.add(u.law, text("%s, %llu times", u.what, static_cast<unsigned long long>(times)));
    }
}

}   // namespace

void verdict::add(std::string law, std::string what) {
    ++broken;
    if (findings.size() == shown_findings) return;
    if (std::count_if(findings.begin(), findings.end(), [&](const finding& f) { return f.law == law; }) < shown_of_a_law) findings.push_back({std::move(law), std::move(what)});
}

verdict judge(const arena& witness, round_end how) {
    verdict v;
    sums witnessed{};
    const arena_header& h = witness.header();
    const std::uint64_t used = witness.used();
    for (std::uint64_t i = 0; i < used; ++i) {
        const cell& c = witness.cells()[i];
        const std::uint64_t word = c.word.load(std::memory_order_relaxed);
        if (word == 0 && (c.at == cell::stage::unused || c.plan.cut)) continue;   // taken, and not given out, or its process ended just before that
        ++v.tasks;
        one_task(c, i, v).judge(how);
        add_to(witnessed, c, word);
        for (const event e : {event::attached_0, event::attached_1, event::attached_2, event::deferred}) v.finalizers += count_of(word, e);
    }
    for (const column c : {column::attempts, column::rejected}) witnessed[static_cast<std::size_t>(c)] += h.refused_attempts.load(std::memory_order_relaxed);
    if (h.rules_broken.load(std::memory_order_relaxed) != 0) {
        const std::string rule = h.rule;
        const auto colon = rule.find(": ");
        v.add(colon == std::string::npos ? "the scenario's own rule" : rule.substr(0, colon),
              (colon == std::string::npos ? rule : rule.substr(colon + 2)) + text(" (broken %llu times)", static_cast<unsigned long long>(h.rules_broken.load(std::memory_order_relaxed))));
    }
    look_at_reports(h, v);
    if (how == round_end::finished) compare_books(h, witnessed, v);
    return v;
}

std::uint64_t progress_of(const arena& witness) noexcept {
    std::uint64_t sum = witness.used();
    for (std::uint64_t i = 0; i < witness.used(); ++i) sum = sum * 31 + witness.cells()[i].word.load(std::memory_order_relaxed);
    return sum;
}

}   // namespace lastly::stress::detail
