// What is written to stderr while it lives, also by the library's threads.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

class captured_stderr {
public:
    captured_stderr() {
        std::fflush(stderr);
        saved_ = ::dup(2);
        file_ = std::tmpfile();
        if (file_ == nullptr || saved_ < 0) std::abort();
        ::dup2(::fileno(file_), 2);
    }
    ~captured_stderr() {
        restore();
        std::fclose(file_);
    }
    captured_stderr(const captured_stderr&) = delete;
    captured_stderr& operator=(const captured_stderr&) = delete;

    // All that was written so far. Reads without moving the place where others write.
    std::string so_far() const {
        std::string all;
        char part[4096];
        for (::ssize_t n = 0; (n = ::pread(::fileno(file_), part, sizeof part, static_cast<::off_t>(all.size()))) > 0;) all.append(part, static_cast<std::size_t>(n));
        return all;
    }
    // The same; stderr is the old one afterwards.
    std::string text() {
        restore();
        return so_far();
    }

private:
    void restore() {
        if (saved_ < 0) return;
        std::fflush(stderr);
        ::dup2(saved_, 2);
        ::close(saved_);
        saved_ = -1;
    }
    int saved_ = -1;
    std::FILE* file_ = nullptr;
};
