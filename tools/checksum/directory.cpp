// See directory.hpp.
#include "directory.hpp"

#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "file.hpp"
#include "hash_file.hpp"
#include "walk.hpp"

namespace checksum {
namespace {

constexpr std::uint64_t most_under_way = 256;

/// With --abort-after N, once N files are done, files are submitted at this pace until the pool is closed: so that the
/// shutdown meets submissions, however quick the walk is.
constexpr auto pace_before_abort = std::chrono::milliseconds(1);

void tell(work& w, const std::string& text, const std::error_code& code) {
    w.errors.add(text);
    if (code == std::errc::too_many_files_open || code == std::errc::too_many_files_open_in_system) {
        w.counts.add_want_of_descriptors();
    }
}

/// Each task's own error, in words; `doing` is for those that come without words of ours.
void tell_failure(work& w, const lastly::outcome& o, const char* doing, const std::string& path) {
    if (!o.failed()) return;
    try {
        std::rethrow_exception(o.error());
    } catch (const std::system_error& error) {
        tell(w, error.what(), error.code());
    } catch (const std::exception& error) {
        w.errors.add(std::string("cannot ") + doing + " " + printable(path) + ": " + error.what());
    }
}

struct file_body {
    work& shared;
    std::string path;
    std::uint64_t part;

    std::uint64_t operator()(lastly::task_context& task) {
        // Registered first, so it runs after the closes, whose failure would be the task's.
        task.defer([this](const lastly::outcome& o) {
            if (o.succeeded() && shared.list_is_wanted()) shared.hashed.add(path, part);
            tell_failure(shared, o, "hash", path);
        });
        try {
            return hash_file(task, file_to_hash{path, part}, shared.parts);
        } catch (const part_error&) {
            shared.counts.add_part_failure();
            throw;
        }
    }
};

/// A directory's task at work, on the stack of its body.
class directory_reader {
public:
    directory_reader(work& shared, const std::string& path, bool is_top, lastly::task_context& task)
        : shared_(shared), path_(path), is_top_(is_top), task_(task), below_(shared.pool, lastly::group_policy::collect) {}

    void read();

private:
    [[nodiscard]] std::error_code list();
    void add_file(std::string&& path);
    template <class... Parts>
    void hand_over(bool at_once, Parts&&... parts);
    void look_for_stop() const;
    [[nodiscard]] std::string reading() const { return "cannot read the directory " + printable(path_); }

    work& shared_;
    const std::string& path_;
    bool is_top_;
    lastly::task_context& task_;
    std::vector<std::string> names_;                    // of the directories in this one
    std::atomic<std::uint64_t> files_under_way_{0};     // outlives the group, whose members count here
    lastly::task_group below_;
};

void directory_reader::read() {
    const std::error_code trouble = list();
    for (std::string& name : names_) {
        look_for_stop();
        spawn_directory(below_, shared_, joined(path_, std::exchange(name, {}).c_str()), false);
    }
    wait_for_all(below_);
    if (trouble) throw std::system_error(trouble, reading());
}

/// Hands the files over and collects the directories' names. Returns why the rest could not be read, if so.
std::error_code directory_reader::list() {
    lastly::defer_frame until_listed(task_);
    until_listed.defer([this] { shared_.counts.add_listed_directory(); });
    DIR* const directory = open_directory(path_, is_top_);
    if (directory == nullptr) throw_last_error(reading());
    until_listed.defer([directory] { ::closedir(directory); });
    if (is_same(directory, shared_.parts.id())) return {};      // the run's own, should it lie in the tree
    for (;;) {
        const std::optional<directory_entry> entry = next_entry(directory);
        if (!entry) return errno == 0 ? std::error_code() : last_error();
        look_for_stop();
        if (entry->kind == entry_kind::file) add_file(joined(path_, entry->name));
        if (entry->kind == entry_kind::directory) {
            names_.emplace_back(entry->name);
            shared_.counts.add_found_directory();
        }
    }
}

void directory_reader::add_file(std::string&& path) {
    shared_.counts.add_found_file();
    const std::uint64_t part = shared_.next_part.fetch_add(1, std::memory_order_relaxed);   // order: relaxed; any number not yet used
    const auto before = files_under_way_.fetch_add(1, std::memory_order_relaxed);   // order: relaxed; a figure, nothing is read by it
    hand_over(before >= most_under_way, file_body{shared_, std::move(path), part}, lastly::named("file"),
              // Attached finalizers run last listed first: the part is gone before the file counts as done.
              lastly::finally([this](lastly::result<std::uint64_t>& r) {
                  files_under_way_.fetch_sub(1, std::memory_order_relaxed);         // order: relaxed; as above
                  shared_.counts.add_file(r, r.succeeded() ? r.value() : 0);
              }),
              lastly::finally([&w = shared_, part](const lastly::outcome& o) {
                  if (!o.succeeded() || !w.list_is_wanted()) w.parts.remove(part);
              }));
    const std::optional<std::uint64_t>& abort_after = shared_.wanted.abort_after;
    if (abort_after && shared_.counts.now().files.completed() >= *abort_after) std::this_thread::sleep_for(pace_before_abort);
}

/// `at_once`: this thread hashes the file now, unless another one is quicker.
template <class... Parts>
void directory_reader::hand_over(bool at_once, Parts&&... parts) {
    try {
        if (!at_once) {
            below_.spawn(std::forward<Parts>(parts)...);
            return;
        }
        const auto handle = below_.submit(std::forward<Parts>(parts)...);
        handle.wait();
        static_cast<void>(handle.outcome());    // taken, so that the sink is not told what the file's own finalizer tells
    } catch (const lastly::task_rejected&) {
        task_.throw_if_stopped();   // the pool was closed abruptly; the file's finalizers have run, on this thread
        throw;
    }
}

/// With --abort-after, the listing goes on until a submission is rejected.
void directory_reader::look_for_stop() const {
    if (shared_.wanted.abort_after && task_.context().cause() == lastly::errc::pool_shutdown) return;
    task_.throw_if_stopped();
}

}  // namespace

void spawn_directory(lastly::task_group& group, work& w, std::string path, bool is_top) {
    group.spawn(
        [&w, path = std::move(path), is_top](lastly::task_context& task) {
            // What the closure holds outlives the finalizers; what lies on the body's stack does not.
            task.defer([&w, &path](const lastly::outcome& o) { tell_failure(w, o, "read the directory", path); });
            directory_reader(w, path, is_top, task).read();
        },
        lastly::named("directory"), lastly::finally([&w, is_top](const lastly::outcome& o) { w.counts.add_directory(o, is_top); }));
}

void wait_for_all(lastly::task_group& group) {
    try {
        group.wait();
    } catch (const std::exception&) {
        // A member's failure, or the stop: each member's own finalizers have told and counted it.
    }
}

}  // namespace checksum
