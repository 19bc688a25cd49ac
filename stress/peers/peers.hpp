// What --compare shows: lastly and its peers, each in several ways of ending. A line of the table is a scenario of one round, in a process
// of its own: a peer may hang or take its process with it.
#pragma once

#include <lastly/stress.hpp>

#include <span>

namespace lastly::stress::peers {

// Those in this build, by way of ending: oneTBB's with LASTLY_STRESS_ONETBB, Boost.Asio's with LASTLY_STRESS_ASIO.
std::span<const scenario> all() noexcept;

// lastly.cpp
namespace own {
void run_to_the_end(round& r);
void body_throws(round& r);
void cancelled(round& r);
void destroyed(round& r);
void exit_with_static_pool(round& r);
void exit_with_local_pool(round& r);
void exit_inside_a_body(round& r);
}   // namespace own

// onetbb.cpp
namespace onetbb_group {
void run_to_the_end(round& r);
void body_throws(round& r);
void cancelled(round& r);
void cancelled_guard_in_body(round& r);
void destroyed(round& r);
void exit_with_static_pool(round& r);
void exit_with_local_pool(round& r);
void exit_inside_a_body(round& r);
}   // namespace onetbb_group
namespace onetbb_enqueue {
void run_to_the_end(round& r);
void body_throws(round& r);
void body_throws_caught(round& r);
void destroyed(round& r);
}   // namespace onetbb_enqueue

// asio.cpp
namespace asio {
void run_to_the_end(round& r);
void body_throws(round& r);
void body_throws_caught(round& r);
void cancelled(round& r);
void cancelled_guard_in_body(round& r);
void destroyed(round& r);
void destroyed_guard_in_body(round& r);
void exit_with_static_pool(round& r);
void exit_with_local_pool(round& r);
void exit_inside_a_body(round& r);
}   // namespace asio

// plain.cpp
namespace plain {
void run_to_the_end(round& r);
void body_throws_caught(round& r);
void cancelled(round& r);
void cancelled_guard_in_body(round& r);
void destroyed(round& r);
void exit_with_static_pool(round& r);
void exit_with_local_pool(round& r);
void exit_inside_a_body(round& r);
}   // namespace plain

}   // namespace lastly::stress::peers
