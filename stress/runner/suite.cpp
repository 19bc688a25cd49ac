// What a suite's program does: reads its command line, runs the scenarios that are asked for, and tells how they ended.
// One thread.
#include <lastly/detail/fault.hpp>
#include <lastly/stress/suite.hpp>

#include "stress/runner/child.hpp"
#include "stress/runner/compare.hpp"
#include "stress/runner/options.hpp"
#include "stress/runner/report.hpp"
#include "stress/runner/trial.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <fnmatch.h>
#include <unistd.h>

namespace lastly::stress {

namespace detail {

namespace {

constexpr int usage_error = 2;

bool is_wanted(const scenario& s, const options& o) {
    return o.filters.empty() || std::any_of(o.filters.begin(), o.filters.end(), [&](const std::string& f) { return ::fnmatch(f.c_str(), s.name, 0) == 0; });
}

// Those that are asked for, of what is run or of what is compared. Errors: std::invalid_argument for a pattern that fits none.
std::vector<const scenario*> chosen(std::span<const scenario> all, const options& o) {
    for (const std::string& f : o.filters) {
        if (std::none_of(all.begin(), all.end(), [&](const scenario& s) { return ::fnmatch(f.c_str(), s.name, 0) == 0; })) {
            throw std::invalid_argument("--filter " + f + (o.what == options::action::compare
                                                               ? ": no line of the table is called like that; such a name is PEER/ENDING, with '-' for a blank"
                                                               : ": no scenario is called like that; --list shows them"));
        }
    }
    std::vector<const scenario*> list;
    unsigned number = 0;
    for (const scenario& s : all) {
        if (is_wanted(s, o) && number++ % o.shards == o.shard - 1) list.push_back(&s);
    }
    return list;
}

const scenario& named_in(const replay_order& order, std::span<const scenario> all) {
    for (const scenario& s : all) {
        if (order.scenario == s.name) return s;
    }
    throw std::invalid_argument("--replay " + order.to_text() + ": there is no scenario \"" + order.scenario + "\"; --list shows them");
}

std::size_t widest_name(std::span<const scenario> all) {
    std::size_t widest = 0;
    for (const scenario& s : all) widest = std::max(widest, std::strlen(s.name));
    return widest;
}

void list_scenarios(std::span<const scenario> all, const options& o) {
    for (const scenario* const s : chosen(all, o)) std::printf("%-*s  %s\n", static_cast<int>(widest_name(all)), s->name, s->about);
}

// Its share of the run, in rounds for 1, 2 and 8 workers, with and without chaos where there are test points, of at most its own size.
trial_plan plan_for(const scenario& s, std::uint64_t tasks, std::uint64_t shares, const options& o) {
    constexpr std::uint64_t least_tasks = 256;
    const std::uint64_t least_rounds = s.flat_memory ? 18 : lastly::detail::built_with_faults() ? 6 : 3;
    const std::uint64_t own = tasks / shares * s.share;
    const std::uint64_t rounds = std::max(least_rounds, (own + s.round_tasks - 1) / s.round_tasks);
    const double ci_seconds = s.flat_memory && is_sanitized() ? 0 : s.ci_seconds;   // a sanitizer's memory is not judged
    const double least_seconds = o.profile == profile::ci ? ci_seconds : o.profile == profile::nightly ? 10 * ci_seconds : 0;
    const double its_part = std::chrono::duration<double>(o.duration).count() * s.share / static_cast<double>(shares);
    const std::uint64_t of_each_way = s.ways == 0 || o.tasks != 0 ? 0 : o.profile == profile::nightly ? 1000 : 100;
    return {rounds, std::min(s.round_tasks, std::max(least_tasks, own / rounds)), std::chrono::duration<double>(std::max(least_seconds, its_part)), of_each_way};
}

// A scenario that did not run has shown nothing: beside others that did, it has failed, unless it says why that may be.
void convict_skipped(run_result& result, const std::vector<const scenario*>& list, const std::string& program) {
    if (result.exit_code() == 77) return;
    for (std::size_t i = 0; i < result.scenarios.size(); ++i) {
        scenario_result& r = result.scenarios[i];
        if (r.kind != end::skipped || list[i]->may_be_skipped != nullptr) continue;
        r.kind = end::broken;
        failure f;
        f.is_of_all_rounds = true;
        f.broken = 1;
        f.findings = {{"skipped", "it may not be skipped: " + r.reason}};
        r.failures.push_back(std::move(f));
        std::fputs(failure_block(program, r, r.failures.back()).c_str(), stdout);
    }
}

run_result run_chosen(std::span<const scenario> all, const options& o, const std::string& program) {
    run_result result;
    std::random_device entropy;
    result.seed = o.replay ? o.replay->seed : o.seed ? *o.seed : (std::uint64_t{entropy()} << 32 | entropy());
    result.profile = o.profile;
    result.build = build_words() + (lastly::detail::built_with_faults() ? ", test points" : "");
    const std::vector<const scenario*> list = o.replay ? std::vector{&named_in(*o.replay, all)} : chosen(all, o);
    std::printf("lastly-stress: seed %s, profile %s, %s\n", seed_text(result.seed).c_str(), to_string(o.profile), result.build.c_str());
    std::fflush(stdout);
    const std::uint64_t tasks = o.tasks != 0 ? o.tasks : tasks_of(o.profile);
    std::uint64_t shares = 0;
    for (const scenario* const s : list) shares += s->share;
    progress shown(stdout, ::isatty(STDOUT_FILENO) != 0, widest_name(all));
    const auto began = std::chrono::steady_clock::now();
    for (const scenario* const s : list) {
        const trial_plan plan = plan_for(*s, tasks, shares, o);
        shown.begin(s->name, o.replay ? o.replay->tasks * o.times : plan.rounds * plan.round_tasks, result.scenarios.size() + 1, list.size());
        result.scenarios.push_back(o.replay ? run_replay(*s, o, shown) : run_trial(*s, o, result.seed, plan, shown));
        const scenario_result& r = result.scenarios.back();
        shown.end(r);
        for (const failure& f : r.failures) {
            std::fputs(failure_block(program, r, f).c_str(), stdout);
            if (o.replay) break;   // the others are of the same round
        }
        std::fflush(stdout);
        if (!r.failures.empty() && !o.keep_going && !o.replay) break;
    }
    result.time = std::chrono::steady_clock::now() - began;
    convict_skipped(result, list, program);
    return result;
}

// Returns: main's exit code.
int write_files(int code, const std::string& program, const std::function<void()>& write) {
    try {
        write();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s: %s\n", program.c_str(), e.what());
        return code != 0 ? code : usage_error;
    }
    return code;
}

int run_comparison(const options& o, const std::string& program, std::span<const scenario> peers) {
    const std::vector<const scenario*> list = chosen(peers, o);
    const bool is_terminal = ::isatty(STDERR_FILENO) != 0;
    const std::vector<compared> lines = compare(list, o, [&](const scenario& s, std::size_t number) {
        if (is_terminal) std::fprintf(stderr, "\r[%zu/%zu] %s\033[K", number, list.size(), s.name);
    });
    if (is_terminal) std::fputs("\r\033[K", stderr);
    std::fputs((comparison_head(o) + "\n" + table(lines)).c_str(), stdout);
    return write_files(0, program, [&] {
        if (!o.json.empty()) write_file(o.json, json(lines, o));
    });
}

int run(const options& o, const std::string& program, std::span<const scenario> all, std::span<const scenario> peers) {
    switch (o.what) {
        case options::action::help: std::fputs(help(program, !peers.empty()).c_str(), stdout); return 0;
        case options::action::version: std::printf("lastly-stress, %s\n", build_words().c_str()); return 0;
        case options::action::list: list_scenarios(all, o); return 0;
        case options::action::compare: return run_comparison(o, program, peers);
        case options::action::run: break;
    }
    const run_result result = run_chosen(all, o, program);
    std::fputs(summary(result).c_str(), stdout);
    if (o.replay && result.scenarios.size() == 1) {
        std::printf("Replayed %u times, the same workload each time: it failed in %zu.\n", o.times, result.scenarios[0].failures.size());
    }
    return write_files(result.exit_code(), program, [&] {
        if (!o.junit.empty()) write_file(o.junit, junit(result, program));
        if (!o.json.empty()) write_file(o.json, json(result, program));
    });
}

}   // namespace

}   // namespace detail

int run_suite(int argc, char** argv, std::span<const scenario> scenarios, std::span<const scenario> peers) {
    if (const char* const told = std::getenv(detail::child_variable)) {
        std::vector<scenario> all(scenarios.begin(), scenarios.end());
        all.insert(all.end(), peers.begin(), peers.end());
        return detail::run_child(told, all);
    }
    const std::string program = argc > 0 ? argv[0] : "lastly-stress";
    if (std::getenv("LASTLY_FAULT") != nullptr && !lastly::detail::built_with_faults()) {
        std::fprintf(stderr, "%s: LASTLY_FAULT is set, but the library was built without faults; configure with -DLASTLY_FAULTS=ON, in Meson -Dfaults=true\n", program.c_str());
        return detail::usage_error;
    }
    try {
        return detail::run(detail::parse(argc, argv, !peers.empty()), program, scenarios, peers);
    } catch (const std::invalid_argument& e) {
        std::fprintf(stderr, "%s: %s\n", program.c_str(), e.what());
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s: cannot go on: %s\n", program.c_str(), e.what());
    }
    return detail::usage_error;
}

}   // namespace lastly::stress
