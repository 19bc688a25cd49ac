// A measurement in a process of its own, for what an earlier one would spoil: memory that it freed, threads that it left.
// Called while the process has one thread. The child ends without destructors of static objects; if it fails, so does the caller.
#pragma once

#include "workloads/tally.hpp"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <type_traits>

namespace bench {

template <class Result, class F>
    requires std::is_trivially_copyable_v<Result>
Result in_child(F&& measure) {
    int ends[2];
    if (::pipe(ends) != 0) fail("no pipe to a child");
    const pid_t child = ::fork();
    if (child < 0) fail("no child");
    if (child == 0) {
        const Result r = measure();
        ::_exit(::write(ends[1], &r, sizeof r) == static_cast<ssize_t>(sizeof r) ? 0 : 1);
    }
    ::close(ends[1]);
    Result r;
    const bool whole = ::read(ends[0], &r, sizeof r) == static_cast<ssize_t>(sizeof r);   // below PIPE_BUF: one piece
    ::close(ends[0]);
    int status = 0;
    if (::waitpid(child, &status, 0) != child || status != 0 || !whole) fail("a measurement in a child has failed");
    return r;
}

}   // namespace bench
