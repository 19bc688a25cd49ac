// One workload on one backend, once and cold, in a process of its own: for whole-process timing.
//   lastly_bench_whole --workload=W --backend=B --threads=N [--n=N]   prints one line of JSON
//   lastly_bench_whole --list                                         prints a line for each: workload, backend, default n
// `wall_ms` is counted from before the backend is made until it has ended. `threads`: those that compute, the caller included where it
// takes part. `check` is the result, which was checked: a wrong one aborts. Exit code 2: called wrongly.
#include "fork_join_whole.hpp"
#include "rows.hpp"
#include "whole.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace {

struct settings {
    std::string_view workload;
    std::string_view backend;
    std::size_t threads = 0;
    std::size_t n = 0;   // 0: the workload's default
    bool list = false;

    bool read(std::string_view argument) {
        if (argument == "--list") return list = true;
        return read_word(argument, "--workload=", workload) || read_word(argument, "--backend=", backend) ||
               (bench::read_number(argument, "--threads=", 1, threads) && threads < bench::tally::slots) ||
               bench::read_number(argument, "--n=", 1, n);
    }

private:
    static bool read_word(std::string_view argument, std::string_view option, std::string_view& word) {
        if (!argument.starts_with(option)) return false;
        word = argument.substr(option.size());
        return !word.empty();
    }
};

int print_list(const bench::whole_table& table) {
    for (const bench::whole_run& r : table) std::printf("%s %s %zu\n", r.workload.c_str(), r.backend.c_str(), r.default_n);
    return 0;
}

int run(const bench::whole_table& table, const settings& s, const char* program) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.workload == s.workload && r.backend == s.backend; });
    if (found == table.end() || s.threads == 0) {
        std::fprintf(stderr, "%s: --workload and --backend as --list has them, and --threads\n", program);
        return 2;
    }
    const std::size_t n = s.n != 0 ? s.n : found->default_n;
    if (!found->can_be(n)) {
        std::fprintf(stderr, "%s: %s cannot have --n=%zu\n", program, found->workload.c_str(), n);
        return 2;
    }
    const bench::whole_result result = found->run(static_cast<unsigned>(s.threads), n);
    std::printf(R"({"workload":"%s","backend":"%s","threads":%zu,"n":%zu,"wall_ms":%.3f,"check":%llu})"
                "\n",
                found->workload.c_str(), found->backend.c_str(), s.threads, n, result.wall_ms, static_cast<unsigned long long>(result.check));
    return 0;
}

}   // namespace

int main(int argc, char** argv) {
    settings s;
    for (int i = 1; i < argc; ++i) {
        if (s.read(argv[i])) continue;
        std::fprintf(stderr, "%s: unknown or wrong: %s\n", argv[0], argv[i]);
        return 2;
    }
    bench::whole_table table;
    bench::add_whole_fork_join(table);
    return s.list ? print_list(table) : run(table, s, argv[0]);
}
