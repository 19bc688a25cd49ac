// A process that runs a part of a test and ends in its own way, and memory that both share.
// The process is this program once more (no thread of this one is in it, as the thread sanitizer wants it), with one case: `run_part`.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace support {

// What a part is told.
struct part_arguments {
    unsigned workers = 1;
    unsigned special = 0;
};

// `Witness` is made in shared memory before the process begins, which has twenty seconds. The object's creator waits for it.
template <class Witness>
class shared_process {
public:
    // `test_case`: the skipped case that calls run_part.
    shared_process(const char* test_case, const char* part, part_arguments a = {}) {
        const int file = ::memfd_create("witness", 0);
        REQUIRE(file >= 0);
        REQUIRE(::ftruncate(file, sizeof(Witness)) == 0);
        witness_ = ::new (map(file)) Witness;
        const std::string cases = std::string("--test-case=") + test_case;
        const std::string told = std::string(part) + " " + std::to_string(file) + " " + std::to_string(a.workers) + " " + std::to_string(a.special);
        std::fflush(nullptr);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::alarm(20);
            ::setenv("LASTLY_TEST_PART", told.c_str(), 1);
            const char* const words[] = {"lastly_tests", "--no-skip", cases.c_str(), nullptr};
            ::execv("/proc/self/exe", const_cast<char* const*>(words));
            std::_Exit(127);
        }
        ::close(file);
        REQUIRE(::waitpid(child, &status_, 0) == child);
    }
    ~shared_process() { ::munmap(witness_, sizeof(Witness)); }
    shared_process(const shared_process&) = delete;
    shared_process& operator=(const shared_process&) = delete;

    // -1 and the signal's number below that, if a signal ended it.
    int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1 - WTERMSIG(status_); }
    const Witness* operator->() const { return witness_; }

    // In that process: calls the part. Does nothing in a run that was told of none.
    template <class Part, std::size_t N>
    static void run_part(const Part (&parts)[N]) {
        const char* const told = std::getenv("LASTLY_TEST_PART");
        if (told == nullptr) return;
        char name[64]{};
        int file = -1;
        part_arguments a;
        REQUIRE(std::sscanf(told, "%63s %d %u %u", name, &file, &a.workers, &a.special) == 4);
        for (const Part& p : parts) {
            if (std::string(p.name) == name) p.run(*std::launder(static_cast<Witness*>(map(file))), a);
        }
    }

private:
    static void* map(int file) {
        void* const page = ::mmap(nullptr, sizeof(Witness), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        REQUIRE(page != MAP_FAILED);
        return page;
    }

    Witness* witness_;
    int status_ = 0;
};

}   // namespace support
