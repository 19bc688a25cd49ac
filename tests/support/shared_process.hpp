// A process that runs a part of a test and ends in its own way, and memory that both share.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace support {

// `Witness` is made in the shared memory before the child begins; the child runs `part`, and ends with code 0 if that returns. It has ten
// seconds. The object's creator waits for it.
template <class Witness>
class shared_process {
public:
    template <class Part>
    explicit shared_process(Part part) {
        void* const page = ::mmap(nullptr, sizeof(Witness), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        REQUIRE(page != MAP_FAILED);
        witness_ = ::new (page) Witness;
        std::fflush(nullptr);   // or the child writes it once more
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::alarm(10);
            part(*witness_);
            std::_Exit(0);
        }
        REQUIRE(::waitpid(child, &status_, 0) == child);
    }
    ~shared_process() { ::munmap(witness_, sizeof(Witness)); }
    shared_process(const shared_process&) = delete;
    shared_process& operator=(const shared_process&) = delete;

    // -1 and the signal's number below that, if a signal ended it.
    int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1 - WTERMSIG(status_); }
    const Witness* operator->() const { return witness_; }

private:
    Witness* witness_;
    int status_ = 0;
};

}   // namespace support
