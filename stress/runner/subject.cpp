// See subject.hpp.
#include "stress/runner/subject.hpp"

#include "stress/runner/child.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lastly::stress::detail {

namespace {

using namespace std::chrono_literals;

constexpr auto start_limit = std::chrono::milliseconds(60'000);

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

struct ends_of_socket {
    int ours, theirs;
};
ends_of_socket make_socket() {
    int two[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two) != 0) fail("lastly-stress: a socket to the process under test");
    return {two[0], two[1]};
}

void close_file(int& file) {
    if (file >= 0) ::close(std::exchange(file, -1));
}

std::string first_line(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line;
}

std::string words_of(int status) {
    if (WIFEXITED(status)) {
        if (WEXITSTATUS(status) == 0) return {};
        return "it ended with status " + std::to_string(WEXITSTATUS(status)) + (WEXITSTATUS(status) == 23 ? " (the address sanitizer's)" : WEXITSTATUS(status) == 66 ? " (the thread sanitizer's)" : "");
    }
    return std::string("it was ended by signal ") + std::to_string(WTERMSIG(status)) + ", " + ::strsignal(WTERMSIG(status));
}

void set_option(const char* variable, std::string words) {
    if (const char* const chosen = std::getenv(variable)) words += chosen;
    ::setenv(variable, words.c_str(), 1);
}

}   // namespace

subject::subject(const scenario& s, const arena& witness) : witness_(witness) {
    const ends_of_socket orders = make_socket(), questions = make_socket();
    const std::string told = std::to_string(::getpid()) + " " + std::to_string(witness.file()) + " " + std::to_string(orders.theirs) + " " + std::to_string(questions.theirs) + " " + s.name;
    std::fflush(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
        for (const int file : {witness.file(), orders.theirs, questions.theirs}) ::fcntl(file, F_SETFD, 0);
        ::setenv(child_variable, told.c_str(), 1);   // this process has one thread
        // Unless somebody chose. What is left where a process ends is not what is judged, nor is its end put off.
        set_option("TSAN_OPTIONS", s.forks ? "halt_on_error=1:die_after_fork=0:report_thread_leaks=0:atexit_sleep_ms=0:" : "halt_on_error=1:die_after_fork=0:");
        if (s.forks) set_option("ASAN_OPTIONS", "detect_leaks=0:");
        const char* const arguments[] = {"lastly-stress: process under test", nullptr};
        ::execv("/proc/self/exe", const_cast<char* const*>(arguments));
        std::_Exit(127);
    }
    const int error = errno;
    int theirs[] = {orders.theirs, questions.theirs};
    for (int& file : theirs) close_file(file);
    socket_ = orders.ours;
    questions_ = questions.ours;
    if (process_ < 0) {
        close_file(socket_);
        close_file(questions_);
        errno = error;
        fail("lastly-stress: a process for the scenario");
    }
    pollfd on{socket_, POLLIN, 0};
    char word = 0;
    if (::poll(&on, 1, static_cast<int>(start_limit.count())) != 1 || ::read(socket_, &word, 1) != 1 || word != words::ready) {
        throw std::runtime_error("lastly-stress: the process under test cannot be started: " + last_words());
    }
    threads_ = count_entries("task");
    descriptors_ = count_entries("fd");
    if (threads_ == 0 || descriptors_ == 0) {
        static_cast<void>(last_words());   // it has nothing to do
        throw std::runtime_error("lastly-stress: /proc shows no threads or descriptors of the process under test; it has to be mounted");
    }
}

subject::~subject() {
    close_file(socket_);
    close_file(questions_);
    if (process_ > 0) {
        ::kill(process_, SIGKILL);
        reap(0);
    }
}

std::string subject::reap(int options) {
    int status = 0;
    const pid_t ended = ::waitpid(process_, &status, options);
    if (ended == 0) return "it is still there";
    process_ = -1;
    return words_of(status);
}

round_end subject::run_round(std::chrono::seconds hang_after) {
    if (::send(socket_, &words::run, 1, MSG_NOSIGNAL) != 1) return round_end::process_ended;
    std::uint64_t progress = progress_of(witness_);
    auto moved = std::chrono::steady_clock::now();
    for (;;) {
        pollfd on{socket_, POLLIN, 0};
        if (::poll(&on, 1, 1000) > 0) {
            char word = 0;
            return ::read(socket_, &word, 1) == 1 && word == words::done ? round_end::finished : round_end::process_ended;
        }
        const std::uint64_t now = progress_of(witness_);
        if (std::exchange(progress, now) != now) moved = std::chrono::steady_clock::now();
        if (std::chrono::steady_clock::now() - moved >= hang_after) return round_end::hung;
    }
}

std::string subject::finish(std::chrono::seconds limit) {
    close_file(socket_);
    close_file(questions_);
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
        std::string how = reap(WNOHANG);
        if (process_ < 0) return how;
        if (std::chrono::steady_clock::now() >= until) return "it did not return from main within " + std::to_string(limit.count()) + " s";
        std::this_thread::sleep_for(1ms);
    }
}

std::string subject::last_words() {
    std::string how = finish(5s);
    if (process_ >= 0) {
        ::kill(process_, SIGKILL);
        reap(0);
        return "it closed its socket and did not end; it was killed";
    }
    return how.empty() ? "it ended with status 0 in the middle of a round" : how;
}

std::string subject::show_hang() {
    std::string states;
    const std::string tasks = "/proc/" + std::to_string(process_) + "/task";
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(tasks, error)) {
        const std::string at = entry.path().string();
        const std::string stat = first_line(at + "/stat");
        const auto name_end = stat.rfind(')');
        const char state = name_end != std::string::npos && name_end + 2 < stat.size() ? stat[name_end + 2] : '?';
        const std::string call = first_line(at + "/syscall");
        std::string waits = first_line(at + "/wchan");
        if (waits.empty() || waits == "0") waits = state == 'R' ? "runs" : "waits";
        char line[200];
        std::snprintf(line, sizeof line, "thread %-8s %-16s %c  %s, system call %s\n", entry.path().filename().c_str(), first_line(at + "/comm").c_str(), state, waits.c_str(),
                      call.substr(0, call.find(' ')).c_str());
        states += line;
    }
    if (::send(questions_, &words::question, 1, MSG_NOSIGNAL) == 1) std::this_thread::sleep_for(2s);   // it may not be able to answer
    return states;
}

unsigned subject::count_entries(const char* what) const {
    std::error_code error;
    unsigned n = 0;
    for (std::filesystem::directory_iterator i("/proc/" + std::to_string(process_) + "/" + what, error), end; !error && i != end; i.increment(error)) ++n;
    return n;
}

std::string subject::leftovers() {
    const auto until = std::chrono::steady_clock::now() + 5s;
    for (;;) {
        const unsigned threads = count_entries("task"), descriptors = count_entries("fd");
        if (threads <= threads_ && descriptors <= descriptors_) return {};
        if (std::chrono::steady_clock::now() >= until) {
            return std::to_string(threads) + " threads and " + std::to_string(descriptors) + " descriptors are there after the round; before the first there were " +
                   std::to_string(threads_) + " and " + std::to_string(descriptors_);
        }
        std::this_thread::sleep_for(1ms);
    }
}

std::uint64_t subject::resident_bytes() const {
    std::ifstream in("/proc/" + std::to_string(process_) + "/statm");
    std::uint64_t total = 0, resident = 0;
    in >> total >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}   // namespace lastly::stress::detail
