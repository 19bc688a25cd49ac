// The rows of --compare, by way of ending. Each gives its peer's best form; where a form is told apart by a third part of its name, the
// row shows what another form of it comes to.
#include "stress/peers/peers.hpp"

namespace lastly::stress::peers {

namespace {

constexpr scenario rows[] = {
    {.name = "lastly/run-to-the-end", .about = "handles waited for", .run = own::run_to_the_end},
#ifdef LASTLY_STRESS_ONETBB
    {.name = "oneTBB-task_group/run-to-the-end", .about = "wait", .run = onetbb_group::run_to_the_end},
    {.name = "oneTBB-enqueue/run-to-the-end", .about = "promises waited for", .run = onetbb_enqueue::run_to_the_end},
#endif
#ifdef LASTLY_STRESS_ASIO
    {.name = "Asio-thread_pool/run-to-the-end", .about = "join", .run = asio::run_to_the_end},
#endif
    {.name = "plain-pool/run-to-the-end", .about = "promises waited for", .run = plain::run_to_the_end},

    {.name = "lastly/a-body-throws", .about = "the handle has the exception; the others run", .run = own::body_throws},
#ifdef LASTLY_STRESS_ONETBB
    {.name = "oneTBB-task_group/a-body-throws", .about = "cancels the group; wait throws it", .run = onetbb_group::body_throws},
    {.name = "oneTBB-enqueue/a-body-throws", .about = "the exception leaves the task", .run = onetbb_enqueue::body_throws},
    {.name = "oneTBB-enqueue/a-body-throws/caught", .about = "caught in the task, by hand", .run = onetbb_enqueue::body_throws_caught},
#endif
#ifdef LASTLY_STRESS_ASIO
    {.name = "Asio-thread_pool/a-body-throws", .about = "the exception leaves the task", .run = asio::body_throws},
    {.name = "Asio-thread_pool/a-body-throws/caught", .about = "caught in the task, by hand", .run = asio::body_throws_caught},
#endif
    {.name = "plain-pool/a-body-throws/caught", .about = "caught in the task, by hand", .run = plain::body_throws_caught},

    {.name = "lastly/cancelled", .about = "task_group::cancel", .run = own::cancelled},
#ifdef LASTLY_STRESS_ONETBB
    {.name = "oneTBB-task_group/cancelled", .about = "cancel, wait", .run = onetbb_group::cancelled},
    {.name = "oneTBB-task_group/cancelled/guard-in-body", .about = "the same, but with the guard in the body", .run = onetbb_group::cancelled_guard_in_body},
#endif
#ifdef LASTLY_STRESS_ASIO
    {.name = "Asio-thread_pool/cancelled", .about = "stop, join, destruction", .run = asio::cancelled},
    {.name = "Asio-thread_pool/cancelled/guard-in-body", .about = "the same, but with the guard in the body", .run = asio::cancelled_guard_in_body},
#endif
    {.name = "plain-pool/cancelled", .about = "its queue is cleared", .run = plain::cancelled},
    {.name = "plain-pool/cancelled/guard-in-body", .about = "the same, but with the guard in the body", .run = plain::cancelled_guard_in_body},

    {.name = "lastly/destroyed", .about = "on_destroy::cancel", .run = own::destroyed},
#ifdef LASTLY_STRESS_ONETBB
    {.name = "oneTBB-task_group/destroyed", .about = "cancels, waits, throws missing_wait: caught", .run = onetbb_group::destroyed},
    {.name = "oneTBB-enqueue/destroyed", .about = "the arena's destructor returns; tasks run on", .run = onetbb_enqueue::destroyed},
#endif
#ifdef LASTLY_STRESS_ASIO
    {.name = "Asio-thread_pool/destroyed", .about = "stops, joins, drops what is queued", .run = asio::destroyed},
    {.name = "Asio-thread_pool/destroyed/guard-in-body", .about = "the same, but with the guard in the body", .run = asio::destroyed_guard_in_body},
#endif
    {.name = "plain-pool/destroyed", .about = "runs what is queued", .run = plain::destroyed},

    {.name = "lastly/exit-with-a-static-pool", .about = "on_destroy::cancel", .run = own::exit_with_static_pool},
#ifdef LASTLY_STRESS_ONETBB
    {.name = "oneTBB-task_group/exit-with-a-static-pool", .about = "a destructor that cancels and waits", .run = onetbb_group::exit_with_static_pool},
#endif
#ifdef LASTLY_STRESS_ASIO
    {.name = "Asio-thread_pool/exit-with-a-static-pool", .about = "its destructor", .run = asio::exit_with_static_pool},
#endif
    {.name = "plain-pool/exit-with-a-static-pool", .about = "its destructor", .run = plain::exit_with_static_pool},

    {.name = "lastly/exit-with-a-local-pool", .about = "never destroyed: exit closes it all the same", .run = own::exit_with_local_pool},
#ifdef LASTLY_STRESS_ONETBB
    {.name = "oneTBB-task_group/exit-with-a-local-pool", .about = "exit destroys no local object", .run = onetbb_group::exit_with_local_pool},
#endif
#ifdef LASTLY_STRESS_ASIO
    {.name = "Asio-thread_pool/exit-with-a-local-pool", .about = "exit destroys no local object", .run = asio::exit_with_local_pool},
#endif
    {.name = "plain-pool/exit-with-a-local-pool", .about = "exit destroys no local object", .run = plain::exit_with_local_pool},

    {.name = "lastly/exit-inside-a-body", .about = "a static pool, on_destroy::cancel", .run = own::exit_inside_a_body},
#ifdef LASTLY_STRESS_ONETBB
    {.name = "oneTBB-task_group/exit-inside-a-body", .about = "a static one: cancels and waits, for this body too", .run = onetbb_group::exit_inside_a_body},
#endif
#ifdef LASTLY_STRESS_ASIO
    {.name = "Asio-thread_pool/exit-inside-a-body", .about = "a static pool: its destructor", .run = asio::exit_inside_a_body},
#endif
    {.name = "plain-pool/exit-inside-a-body", .about = "a static pool: its destructor", .run = plain::exit_inside_a_body},
};

}   // namespace

std::span<const scenario> all() noexcept { return rows; }

}   // namespace lastly::stress::peers
