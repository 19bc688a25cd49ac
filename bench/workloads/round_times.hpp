// What one round of a workload took.
// A plain value.
#pragma once

namespace bench {

struct round_times {
    double ns;          // an operation: a task, or an invocation
    unsigned threads;   // that ran them; 0: they were not counted
};

}   // namespace bench
