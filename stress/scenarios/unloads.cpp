// Libraries are unloaded whose static pools have tasks running and queued, have nothing to do, or were shut down: every chain runs before
// dlclose is back, the library is gone, and another pool goes on meanwhile. Rule P1.
#include "stress/image/image.hpp"
#include "stress/scenarios/process.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" const char _binary_lastly_stress_image_so_start[], _binary_lastly_stress_image_so_end[];

namespace lastly::stress::scenarios {

namespace {

enum class way { at_work, at_work_within_a_task, idle, after_a_shutdown, count };

// A copy of the library, with a pool in its static storage.
class loaded_pool {
public:
    loaded_pool(const pool_options& o) {
        static_assert(sizeof(pool) <= sizeof(image::storage) && alignof(pool) <= alignof(image));
        const auto size = static_cast<std::size_t>(_binary_lastly_stress_image_so_end - _binary_lastly_stress_image_so_start);
        const int file = ::memfd_create("lastly_stress_image", MFD_CLOEXEC);
        const bool is_written = file >= 0 && ::write(file, _binary_lastly_stress_image_so_start, size) == static_cast<ssize_t>(size);
        if (is_written) library_ = ::dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
        if (file >= 0) ::close(file);
        if (!is_written) throw std::system_error(errno, std::generic_category(), "the library of the scenario");
        if (library_ == nullptr) throw std::runtime_error(::dlerror());
        image_ = static_cast<image*>(::dlsym(library_, "lastly_stress_image"));
        made_ = ::new (image_->storage) pool(o);
        image_->at_end = [](void* storage) { std::launder(static_cast<pool*>(storage))->~pool(); };
    }
    loaded_pool(const loaded_pool&) = delete;
    loaded_pool& operator=(const loaded_pool&) = delete;

    pool& operator*() const noexcept { return *made_; }
    // True: it is gone from memory.
    bool unload() const noexcept {
        Dl_info found;
        return ::dlclose(library_) == 0 && ::dladdr(image_, &found) == 0;
    }

private:
    void* library_ = nullptr;
    image* image_ = nullptr;
    pool* made_ = nullptr;
};

void unload_one(round& r, pool& beside, way how, unsigned tasks) {
    pool_options o = r.options();
    o.exit_budget = std::chrono::nanoseconds::max();   // nothing is rescued when the time is over
    const loaded_pool loaded(o);
    pool& p = *loaded;
    std::atomic<unsigned> running{0};
    switch (how) {
        case way::idle:
            queue(r, p, tasks, {.ends = ends::succeeded, .must_begin = true, .unbooked = true});
            p.wait_idle();
            break;
        case way::after_a_shutdown:
            queue(r, p, tasks, succeeds);
            r.close(p);
            break;
        default:
            occupy(r, p, p.workers(), running, names_exit(r));
            queue(r, p, tasks, waits_in_vain, names_exit(r));
    }
    queue(r, beside, tasks, succeeds);
    const auto unload = [&] { r.check(loaded.unload(), "P1: a library whose static pool has ended is gone when dlclose is back"); };
    if (how != way::at_work_within_a_task) return unload();
    send<1>(r.next(), succeeds, for_handle(beside), [unload](task_context& t, cell& c) {
        defer(t, c);
        unload();
    })->wait();
}

}   // namespace

void unloads(round& r) {
    random_numbers random = r.random();
    pool beside(r.options());
    const watch shown(beside);
    for (std::uint64_t left = r.tasks(), number = r.index(); left > 0; ++number) {
        const auto how = static_cast<way>(number % static_cast<unsigned>(way::count));
        const auto tasks = static_cast<unsigned>(4 + random.below(60));
        unload_one(r, beside, how, tasks);
        r.count_one(static_cast<unsigned>(how));
        left -= std::min<std::uint64_t>(left, 2 * tasks + r.workers());
    }
    r.close(beside);
}

}   // namespace lastly::stress::scenarios
