// A process that runs a part of a test and ends in its own way, and memory that both share.
// The process is this program once more (no thread of this one is in it, as the thread sanitizer wants it), with one case: `run_part`.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace support {

// What a part is told.
struct part_arguments {
    unsigned workers = 1;
    unsigned special = 0;
};

constexpr unsigned longest_life = 20;   // seconds

// fork; the child has its own time to live, since an alarm is not inherited.
inline pid_t fork_bounded() noexcept {
    const pid_t child = ::fork();
    if (child == 0) ::alarm(longest_life);
    return child;
}

// What happened, in its order, a character each. Of a witness; also from a signal handler.
class diary {
public:
    void say(char c) noexcept {
        const unsigned at = next_.fetch_add(1);
        if (at < most) order_[at] = c;
    }
    std::string said() const {
        std::string s;
        for (unsigned i = 0; i < next_.load() && i < most; ++i) s += order_[i].load();
        return s;
    }

private:
    static constexpr unsigned most = 64;
    std::atomic<unsigned> next_{0};
    std::atomic<char> order_[most]{};
};

// `Witness` is made in shared memory before the process begins, which has `longest_life`. The object's creator waits for it.
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
        int stderr_of_it[2];
        REQUIRE(::pipe(stderr_of_it) == 0);
        std::fflush(nullptr);
        const pid_t child = fork_bounded();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::dup2(stderr_of_it[1], 2);
            ::dup2(::open("/dev/null", O_WRONLY), 1);   // its own count of cases is nobody's
            for (const int end : stderr_of_it) ::close(end);
            ::setenv("LASTLY_TEST_PART", told.c_str(), 1);
            ::setenv("ASAN_OPTIONS", "detect_leaks=0", 0);   // what such a process leaves at its end is not what is tested
            const char* const before = std::getenv("TSAN_OPTIONS");   // likewise; and parts fork, with threads about, and go on in the child
            ::setenv("TSAN_OPTIONS", ("halt_on_error=1:" + std::string(before != nullptr ? before : "") + ":report_thread_leaks=0:atexit_sleep_ms=0:die_after_fork=0").c_str(), 1);
            const char* const words[] = {"lastly_tests", "--no-skip", cases.c_str(), nullptr};
            ::execv("/proc/self/exe", const_cast<char* const*>(words));
            std::_Exit(127);
        }
        ::close(file);
        ::close(stderr_of_it[1]);
        char bytes[4096];
        for (ssize_t n; (n = ::read(stderr_of_it[0], bytes, sizeof bytes)) > 0;) stderr_.append(bytes, static_cast<std::size_t>(n));
        ::close(stderr_of_it[0]);
        REQUIRE(::waitpid(child, &status_, 0) == child);
        const bool hung = WIFSIGNALED(status_) && WTERMSIG(status_) == SIGALRM;
        if (hung || exit_code() == 66 || exit_code() == 23) std::fputs(stderr_.c_str(), stderr);   // the last two: a sanitizer's
    }
    ~shared_process() { ::munmap(witness_, sizeof(Witness)); }
    shared_process(const shared_process&) = delete;
    shared_process& operator=(const shared_process&) = delete;

    // -1 and the signal's number below that, if a signal ended it.
    int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1 - WTERMSIG(status_); }
    const Witness* operator->() const { return witness_; }
    bool said_on_stderr(const char* words) const { return stderr_.find(words) != std::string::npos; }
    // How many lines of stderr contain these words.
    unsigned lines_with(const char* words) const {
        unsigned n = 0;
        std::istringstream all(stderr_);
        for (std::string line; std::getline(all, line);) n += line.find(words) != std::string::npos ? 1u : 0u;
        return n;
    }

    // In that process: calls the part. Does nothing in a run that was told of none.
    template <class Part, std::size_t N>
    static void run_part(const Part (&parts)[N]) {
        const char* const told = std::getenv("LASTLY_TEST_PART");
        if (told == nullptr) return;
        char name[64]{};
        int file = -1;
        part_arguments a;
        REQUIRE(std::sscanf(told, "%63s %d %u %u", name, &file, &a.workers, &a.special) == 4);
        for (const int s : {SIGINT, SIGTERM, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(s, SIG_DFL);   // the test program's own handlers, and a sanitizer's, allocate
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
    std::string stderr_;
};

}   // namespace support
