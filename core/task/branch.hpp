// A branch as part of its task's run: whose record stands for the task on which thread.
// Any thread that runs a part of the task. Invariants: 1. A task has one record for its body and one for each stolen branch,
// on the stack of whoever runs it; of several on one thread the innermost stands for the task there. `forked_from` is alive until the
// branch is over. 2. What all of them share, the first
// stop that the body was told of and the task's own context, lies in the body's record behind a word that says whether it is there.
#pragma once

#include "lastly/detail/fork.hpp"

namespace lastly::detail {

// The record of the task's body.
inline run_record& root_of(run_record& r) noexcept { return r.root != nullptr ? *r.root : r; }
inline const run_record& root_of(const run_record& r) noexcept { return r.root != nullptr ? *r.root : r; }

// Which record stands for that task here: the record itself, or that of its branch which a thief runs on this thread; null: none.
run_record* find_here(const run_record& wanted) noexcept;

// The record of a stolen branch, for the thief.
void begin_stolen(run_record& r, branch& b) noexcept;
// What its thief made of it, when it is over.
branch_end end_of(const branch& b) noexcept;
void take_end(branch& b, branch_scope& s) noexcept;
// The branch that runs in the scope never goes on (P2): its chain is run.
void abandon_branch(branch_scope& s, std::error_code cause);

}   // namespace lastly::detail
