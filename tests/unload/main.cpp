// A library that holds a static pool is unloaded (P1): the pool closes abruptly within its budget, and leaves nothing behind.
// usage: lastly_unload PLUGIN      PLUGIN: the path of the library      Ends with `N passed, N failed`.
#include "plugin.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include <dlfcn.h>
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using unload::witness;

std::string plugin_path;

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "lastly_unload: %s: %s\n", what, ::dlerror());
    std::_Exit(3);
}

class library {
public:
    explicit library(const std::string& path = plugin_path) : path_(path), handle_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (handle_ == nullptr) give_up("dlopen");
    }
    void start(witness& w, unload::kind kind) const { symbol<unload::start_function>("start")(&w, kind); }
    unsigned finish() const { return symbol<unload::finish_function>("finish")(); }
    // True: it is gone from memory.
    bool unload() const {
        if (::dlclose(handle_) != 0) give_up("dlclose");
        return ::dlopen(path_.c_str(), RTLD_NOW | RTLD_NOLOAD) == nullptr;
    }

private:
    template <class Function>
    Function* symbol(const char* name) const {
        void* const found = ::dlsym(handle_, name);
        if (found == nullptr) give_up(name);
        Function* function = nullptr;
        std::memcpy(&function, &found, sizeof function);
        return function;
    }

    const std::string path_;
    void* const handle_;
};

std::ptrdiff_t entries_of(const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}
bool comes_true(bool (*condition)()) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::yield();
    }
    return true;
}
bool has_one_thread() {
    return comes_true([] { return entries_of("/proc/self/task") == 1; });
}

bool is_loaded(const char* name) {
    const auto is_it = [](dl_phdr_info* image, std::size_t, void* wanted) { return std::strstr(image->dlpi_name, static_cast<const char*>(wanted)) != nullptr ? 1 : 0; };
    return ::dl_iterate_phdr(is_it, const_cast<char*>(name)) != 0;
}

constexpr unsigned all = unload::workers + unload::queued;

bool with_tasks() {
    for (int i = 0; i < 100; ++i) {
        witness w;
        const library plugin;
        plugin.start(w, unload::kind::gives_way);
        if (!plugin.unload() || w.chains != all || w.wrong != 0 || !has_one_thread()) return false;
    }
    return true;
}

bool after_a_shutdown() {
    const auto files = entries_of("/proc/self/fd");
    for (int i = 0; i < 20; ++i) {
        const library plugin;
        if (plugin.finish() != unload::queued || !plugin.unload() || !has_one_thread()) return false;
    }
    return entries_of("/proc/self/fd") == files;
}

// Another library's static pool is not touched.
bool beside_another() {
    std::string other = std::filesystem::temp_directory_path() / ("lastly_unload_" + std::to_string(::getpid()) + ".so");
    std::filesystem::copy_file(plugin_path, other);
    const library stays(other), goes;
    std::filesystem::remove(other);
    witness w;
    goes.start(w, unload::kind::gives_way);
    return goes.unload() && w.chains == all && stays.finish() == unload::queued;
}

// Its code goes, and a thread is still in it: that is said, and the program goes on. So does the thread's pool, in the library that it comes from.
bool with_a_hang() {
    static witness w;
    const library plugin;
    plugin.start(w, unload::kind::hangs);
    static_cast<void>(plugin.unload());   // comes back
    return w.chains == unload::queued && w.wrong == 0 && is_loaded("liblastly.so");
}

// Nobody unloads it: the end of the process closes the pool.
bool and_exits() {
    static witness w;
    std::atexit([] { std::_Exit(w.chains == all && w.wrong == 0 ? 0 : 1); });   // after all that was registered later
    const library plugin;
    plugin.start(w, unload::kind::gives_way);
    std::exit(2);
}

struct scene {
    const char* name;
    bool (*play)();
    const char* said;   // on stderr; null: nothing
};
constexpr scene scenes[] = {
    {"with tasks queued and running, a hundred times: every chain runs, and library and threads are gone", &with_tasks, nullptr},
    {"after a shutdown, twenty times: nothing is left behind", &after_a_shutdown, nullptr},
    {"another library's pool goes on", &beside_another, nullptr},
    {"a body that hangs past the budget is named, and the program goes on", &with_a_hang, "holds on"},
    {"loaded when the process ends: every chain runs", &and_exits, nullptr},
};

// In a process of its own.
bool passes(const scene& s) {
    int pipe[2];
    std::fflush(nullptr);
    if (::pipe(pipe) != 0) return false;
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(60);
        ::dup2(pipe[1], 2);
        ::close(pipe[0]);
        ::close(pipe[1]);
        std::exit(s.play() ? 0 : 1);
    }
    ::close(pipe[1]);
    std::string said;
    char bytes[4096];
    for (ssize_t n; (n = ::read(pipe[0], bytes, sizeof bytes)) > 0;) said.append(bytes, static_cast<std::size_t>(n));
    ::close(pipe[0]);
    int status = 0;
    const bool well = ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const bool as_told = s.said != nullptr ? said.find(s.said) != std::string::npos : said.empty();
    if (!well || !as_told) std::printf("status %#x; on stderr:\n%s", static_cast<unsigned>(status), said.c_str());
    return well && as_told;
}

}   // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: lastly_unload PLUGIN\n");
        return 2;
    }
    plugin_path = std::filesystem::absolute(argv[1]);
    unsigned passed = 0, failed = 0;
    for (const scene& s : scenes) {
        const bool well = passes(s);
        ++(well ? passed : failed);
        std::printf("%s  %s\n", well ? "ok    " : "FAILED", s.name);
    }
    std::printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
