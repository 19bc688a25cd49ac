// See trial.hpp.
#include "stress/runner/trial.hpp"

#include "stress/runner/subject.hpp"

#include <lastly/detail/fault.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lastly::stress::detail {

namespace {

using namespace std::chrono_literals;

constexpr auto finish_limit = 60s;
constexpr std::uint64_t enough_for_chaos = 10'000;   // tasks: fewer may meet no test point at which to wait

// Resident memory after each round, and whether it grew once the pools' caches were warm.
class memory_track {
public:
    void add(std::uint64_t bytes) { samples_.push_back(bytes); }
    // Empty: flat, or too few rounds to tell. Least squares over the second half; growth beyond two per cent and 2 MiB over it counts.
    std::string growth() const {
        const std::size_t n = samples_.size() / 2;
        if (n < 8) return {};
        double sx = 0, sy = 0, sxx = 0, sxy = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const double x = static_cast<double>(i), y = static_cast<double>(samples_[samples_.size() - n + i]);
            sx += x, sy += y, sxx += x * x, sxy += x * y;
        }
        const double count = static_cast<double>(n);
        const double slope = (count * sxy - sx * sy) / (count * sxx - sx * sx);
        const double grown = slope * count, mean = sy / count;
        if (grown < std::max(mean * 0.02, 2.0 * 1024 * 1024)) return {};
        return "resident memory grew by " + std::to_string(static_cast<std::uint64_t>(grown) / 1024) + " KiB over the last " + std::to_string(n) + " rounds, from about " +
               std::to_string(static_cast<std::uint64_t>(mean - grown / 2) / 1024) + " KiB";
    }

private:
    std::vector<std::uint64_t> samples_;
};

class trial {
public:
    trial(const scenario& s, const options& o, std::uint64_t run_seed)
        : scenario_(s), options_(o), run_seed_(run_seed), witness_(arena::make(room_for(s, o))) {
        result_.name = s.name;
        result_.counts = s.counts;
    }

    // False: it failed.
    bool run_round(std::uint64_t index, std::uint64_t tasks, unsigned workers, bool tbb) {
        last_ = {scenario_.name, index, run_seed_, tasks, workers, tbb};
        try {
            if (!subject_) subject_.emplace(scenario_, witness_);
        } catch (const std::exception& e) {
            return fail(end::crash, {}, e.what());
        }
        witness_.clear();
        arena_header& h = witness_.header();
        h.round = index;
        h.seed = round_seed(run_seed_, scenario_.name, index);
        h.tasks = tasks;
        h.room = witness_.room();
        h.workers = workers;
        h.tbb = tbb;
        h.chaos = index % 2 == 1 ? h.seed | 1 : 0;   // in every other round, where there are test points
        h.one_cpu = index % 5 == 4;
        ++h.turn;
        const round_end how = subject_->run_round(options_.hang_after);
        if (how == round_end::finished && h.is_unsupported.load(std::memory_order_relaxed)) {
            result_.kind = end::skipped;
            result_.reason = h.rule;
            return false;
        }
        std::string left = how == round_end::finished ? subject_->leftovers() : std::string();   // first: threads that are late still write
        verdict v = judge(witness_, how);
        ++result_.rounds;
        result_.tasks += v.tasks;
        result_.finalizers += v.finalizers;
        for (std::size_t way = 0; way < most_ways; ++way) {
            counted_[way] += h.counted[way].load(std::memory_order_relaxed);
            result_.counted += h.counted[way].load(std::memory_order_relaxed);
        }
        if (h.chaos != 0) tasks_in_chaos_ += v.tasks;
        held_up_ += h.held_up.load(std::memory_order_relaxed);
        if (how == round_end::hung) return fail(end::hang, std::move(v), subject_->show_hang());
        if (how == round_end::process_ended) return fail(end::crash, std::move(v), subject_->last_words());
        if (!left.empty()) v.add("S1, S3", std::move(left));
        memory_.add(subject_->resident_bytes());
        return v.holds() || fail(end::broken, std::move(v), {});
    }

    // How often the rarest of the scenario's ways was counted.
    std::uint64_t of_rarest_way() const noexcept {
        return scenario_.ways == 0 ? 0 : *std::min_element(counted_.begin(), counted_.begin() + scenario_.ways);
    }

    scenario_result finish(std::uint64_t of_each_way = 0) {
        result_.again = again_over_all();
        if (subject_) {
            if (std::string how = subject_->finish(finish_limit); !how.empty()) fail_over_all(end::crash, {}, "after its last round, " + how);
            subject_.reset();
        }
        if (result_.tasks == 0 && result_.kind == end::passed) {
            result_.kind = end::skipped;
            result_.reason = "there was nothing to do with so few tasks, or that number of workers";
        }
        if (std::string grown = memory_.growth(); scenario_.flat_memory && !is_sanitized() && !grown.empty()) broken_over_all("memory", std::move(grown));
        if (result_.kind == end::passed && of_rarest_way() < of_each_way) {
            broken_over_all("ways", std::string("of one of its ways it counted ") + std::to_string(of_rarest_way()) + " " + scenario_.counts + " in all, and of each there have to be " + std::to_string(of_each_way));
        }
        if (lastly::detail::built_with_faults() && !scenario_.forks && tasks_in_chaos_ >= enough_for_chaos && held_up_ == 0) broken_over_all("chaos", "in rounds with test points no thread was held up at any");
        return std::move(result_);
    }
    const scenario_result& so_far() const noexcept { return result_; }

private:
    static std::uint64_t room_for(const scenario& s, const options& o) {
        const std::uint64_t tasks = o.replay ? std::max(o.replay->tasks, s.round_tasks) : s.round_tasks;
        return tasks + tasks * s.spare / 100 + 4096;   // threads take cells in blocks, and may leave some
    }
    void broken_over_all(const char* law, std::string what) {
        verdict v;
        v.add(law, std::move(what));
        fail_over_all(end::broken, std::move(v), {});
    }
    void fail_over_all(end kind, verdict v, std::string details) {
        fail(kind, std::move(v), std::move(details));
        result_.failures.back().is_of_all_rounds = true;
    }
    std::string again_over_all() const {
        if (options_.replay) return "--replay " + options_.replay->to_text();
        return std::string("--filter ") + scenario_.name + " --seed " + seed_text(run_seed_) + " --tasks " + std::to_string(last_.tasks * std::max<std::uint64_t>(result_.rounds, 1)) +
               (options_.workers != 0 ? " --workers " + std::to_string(options_.workers) : std::string()) + (options_.tbb ? " --engine tbb" : "");
    }
    bool fail(end kind, verdict v, std::string details) {
        result_.failures.push_back({kind, last_, false, v.broken, std::move(v.findings), std::move(details)});
        if (result_.kind == end::passed || kind > result_.kind) result_.kind = kind;
        subject_.reset();   // what it left behind would spoil later rounds
        memory_ = {};
        return false;
    }

    const scenario& scenario_;
    const options& options_;
    const std::uint64_t run_seed_;
    arena witness_;
    std::optional<subject> subject_;
    memory_track memory_;
    std::uint64_t tasks_in_chaos_ = 0, held_up_ = 0;
    std::array<std::uint64_t, most_ways> counted_{};
    replay_order last_;
    scenario_result result_;
};

}   // namespace

std::uint64_t round_seed(std::uint64_t run_seed, const char* scenario, std::uint64_t index) noexcept {
    random_numbers mixed(run_seed ^ lastly::detail::fault_id(scenario));   // a hash of any name
    return random_numbers(mixed() + index)();
}

scenario_result run_trial(const scenario& s, const options& o, std::uint64_t run_seed, trial_plan plan, progress& shown) {
    constexpr unsigned workers_in_turn[] = {1, 2, 8};
    trial t(s, o, run_seed);
    const auto began = std::chrono::steady_clock::now();
    const auto time = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began); };
    const std::uint64_t most_rounds = plan.rounds + s.ways * plan.of_each_way;   // a round that counts nothing does not go on for ever
    const auto is_enough = [&](std::uint64_t rounds) {
        return rounds >= plan.rounds && time() >= plan.at_least && (t.of_rarest_way() >= plan.of_each_way || rounds >= most_rounds);
    };
    for (std::uint64_t i = 0; !is_enough(i); ++i) {
        const bool passed = t.run_round(i, plan.round_tasks, o.workers != 0 ? o.workers : workers_in_turn[i % std::size(workers_in_turn)], o.tbb);
        shown.advance(t.so_far().rounds, t.so_far().tasks);
        if (!passed && (!o.keep_going || t.so_far().kind == end::skipped)) break;
    }
    scenario_result r = t.finish(plan.of_each_way);
    r.time = time();
    return r;
}

scenario_result run_replay(const scenario& s, const options& o, progress& shown) {
    const replay_order& order = *o.replay;
    trial t(s, o, order.seed);
    const auto began = std::chrono::steady_clock::now();
    for (unsigned i = 0; i < o.times; ++i) {
        t.run_round(order.round, order.tasks, order.workers, order.tbb);
        shown.advance(t.so_far().rounds, t.so_far().tasks);
    }
    scenario_result r = t.finish();
    r.time = std::chrono::steady_clock::now() - began;
    return r;
}

}   // namespace lastly::stress::detail
