// The process under test: runs the rounds that its judge orders.
// Its main thread, and one that only waits for questions.
#pragma once

#include <lastly/stress/suite.hpp>

#include <span>

namespace lastly::stress::detail {

// What the judge tells it: its own number, file numbers, and the scenario's name. Null: this process is no child.
inline constexpr const char* child_variable = "LASTLY_STRESS_CHILD";

// Words over the socket, one byte each.
namespace words {
inline constexpr char ready = 'r', run = 'g', done = 'd', question = '?';
}   // namespace words

// Until the judge closes the socket. Returns main's exit code.
int run_child(const char* told, std::span<const scenario> scenarios);

}   // namespace lastly::stress::detail
