// lastly-stress: every scenario, judged from outside.
#include "stress/chaos/scarcity.hpp"
#include "stress/peers/peers.hpp"
#include "stress/scenarios/scenarios.hpp"

#include <lastly/stress/suite.hpp>

namespace {

namespace s = lastly::stress::scenarios;

// Shares in ten thousandths; none above 3000. Slow ones have little, so that the profile ci stays within minutes.
constexpr lastly::stress::scenario all[] = {
    {.name = "storm", .about = "small tasks from three outside threads, as fast as they come", .run = s::storm, .round_tasks = 65536, .share = 2774},
    {.name = "trees", .about = "tasks that spawn tasks, in groups", .run = s::trees, .round_tasks = 65536, .share = 2870},
    {.name = "bursts", .about = "thousands spawned at once onto a deque that grows under thieves", .run = s::bursts, .share = 200},
    {.name = "short-lived", .about = "threads that live for a few submissions", .run = s::short_lived, .share = 200, .flat_memory = true},
    {.name = "bounded", .about = "full pools that reject, block, or run the task on the caller", .run = s::bounded, .share = 400, .spare = 50},
    {.name = "groups", .about = "groups that fail, are cancelled, are left, are nested", .run = s::groups, .share = 700, .spare = 100},
    {.name = "handles", .about = "handles waited for, polled, cancelled, dropped, also on workers", .run = s::handles, .share = 200},
    {.name = "trickle", .about = "one task at a time, with workers that fall asleep", .run = s::trickle, .round_tasks = 4096, .share = 40, .spare = 10},
    {.name = "contexts", .about = "trees of contexts, cancelled at a random depth", .run = s::contexts, .share = 800},
    {.name = "deadlines", .about = "deadlines that pass while tasks are queued or run", .run = s::deadlines, .share = 600},
    {.name = "throwing", .about = "bodies and finalizers that throw", .run = s::throwing, .share = 200},
    {.name = "busy-finalizers", .about = "finalizers that defer, submit and wait", .run = s::busy_finalizers, .share = 200, .spare = 50},
    {.name = "discarded", .about = "tasks made ahead: destroyed, refused, offered again", .run = s::discarded, .share = 200},
    {.name = "shutdown", .about = "orderly ends while others submit", .run = s::shutdown, .round_tasks = 4096, .share = 60, .spare = 120},
    {.name = "abrupt", .about = "abrupt ends with running bodies and full queues", .run = s::abrupt, .round_tasks = 4096, .share = 160, .spare = 50, .counts = "shutdowns"},
    {.name = "own-worker", .about = "pools destroyed by their own tasks", .run = s::own_worker, .round_tasks = 1024, .share = 5},
    {.name = "combinations", .about = "2,988 different cases of what becomes of a task, each compared exactly with a model", .run = s::combinations, .round_tasks = 32768, .share = 20, .may_be_skipped = "it has 1, 2 and 8 workers"},
    {.name = "scarce-memory", .about = "91 situations in which each allocation fails in turn", .run = s::scarce_memory, .round_tasks = 8192, .share = 5, .spare = 300},
    {.name = "scarce-threads", .about = "the same, in which each start of a thread fails in turn", .run = s::scarce_threads, .round_tasks = 1024, .share = 1, .spare = 300},
    {.name = "many-pools", .about = "pools made and destroyed in a loop", .run = s::many_pools, .round_tasks = 2048, .share = 20, .spare = 300},
    {.name = "branches", .about = "fork-join inside tasks, with finalizers in branches", .run = s::branches, .round_tasks = 4096, .share = 100},
    {.name = "shielded", .about = "finalizers of stopped tasks, blocks that nest, branches that finalizers fork", .run = s::shielded, .round_tasks = 4096, .share = 40},
    {.name = "causes", .about = "handles, contexts, groups and the pool's end race for the same tasks", .run = s::causes, .round_tasks = 4096, .share = 40},
    {.name = "stops", .about = "stops that come to own contexts, groups, sleepers and callbacks", .run = s::stops, .round_tasks = 2048, .share = 15},
    {.name = "waiting", .about = "workers that wait, what runs on top of them, waiting for oneself", .run = s::waiting, .round_tasks = 4096, .share = 20},
    {.name = "fair", .about = "tasks from outside among tasks that submit others without end", .run = s::fair, .share = 20},
    {.name = "exits", .about = "processes that call exit, from outside and within tasks, finalizers and branches", .run = s::exits, .round_tasks = 2048, .share = 10, .spare = 300, .forks = true, .counts = "endings", .ways = 13},
    {.name = "unloads", .about = "libraries with static pools that are unloaded", .run = s::unloads, .round_tasks = 2048, .share = 5, .spare = 100, .counts = "unloadings", .ways = 4},
    {.name = "leaves", .about = "threads that leave, in bodies, finalizers, blocks and branches", .run = s::leaves, .round_tasks = 2048, .share = 5, .spare = 20, .counts = "threads left", .ways = 7},
    {.name = "signals", .about = "signals that end a guarded process, or let it go on", .run = s::signals, .round_tasks = 1024, .share = 3, .spare = 300, .forks = true, .counts = "endings", .ways = 5},
    {.name = "forks", .about = "processes that fork under load and inside tasks", .run = s::forks, .round_tasks = 1024, .share = 3, .spare = 200, .forks = true, .counts = "endings", .ways = 3, .may_be_skipped = "GCC's sanitizers hold locks of their allocator across a fork"},
    {.name = "kills", .about = "processes that are killed, crash, or leave at once", .run = s::kills, .round_tasks = 2048, .share = 5, .spare = 100, .forks = true, .counts = "endings", .ways = 7},
    {.name = "crowd", .about = "64 workers on few CPUs", .run = s::crowd, .share = 60},
    {.name = "churn", .about = "changing sizes, threads and pools; memory stays flat", .run = s::churn, .share = 50, .ci_seconds = 60, .flat_memory = true},
};

}   // namespace

int main(int argc, char** argv) { return lastly::stress::run_suite(argc, argv, all, lastly::stress::peers::all()); }
