// oneTBB's task_group as a backend of getting results: run and wait, within an arena that has a slot for the caller.
// One thread calls everything. While it waits it takes part, so that it mostly runs the task itself: no hand-over to another thread.
#pragma once

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <cstdint>

namespace bench {

class onetbb_group_result {
public:
    explicit onetbb_group_result(unsigned workers)
        : limit_(oneapi::tbb::global_control::max_allowed_parallelism, workers + 1), arena_(static_cast<int>(workers + 1), 1) {
        arena_.initialize();
    }

    std::uint64_t ask(std::uint64_t x) {
        std::uint64_t answer = 0;
        arena_.execute([&] {
            group_.run([&answer, x] { answer = x + 1; });
            group_.wait();
        });
        return answer;
    }

private:
    oneapi::tbb::global_control limit_;
    oneapi::tbb::task_arena arena_;
    oneapi::tbb::task_group group_;
};

}   // namespace bench
