// Taking a pool's task profile: a walk over the frame store, counted by creation site on the way.
// Any thread, while tasks come and go: nothing is locked or stopped, and no user code is called. Invariants: 1. A frame is looked
// at once, so a task is counted at most once. 2. During the walk a site is told by its addresses, which costs no read of text;
// equal texts from several translation units are put together afterwards.
#include "core/sched/profile.hpp"

#include "core/base/clock.hpp"
#include "core/sched/pool_core.hpp"
#include "core/structures/frame_store.hpp"
#include "core/structures/frame_view.hpp"
#include "core/task/group.hpp"
#include "core/task/state.hpp"
#include "lastly/detail/fault.hpp"

#include <algorithm>
#include <cstring>

namespace lastly::detail {

namespace {

using group = task_profile::group;

// Groups by the addresses of files and name, and the lines. Open addressing, at most half full.
class site_table {
public:
    site_table() : slots_(64) {}

    group& of(const frame_view& v, creation_site parent) {
        slot& found = find(slots_, v.site, v.name, parent);
        if (found.used) return found.tasks;
        if (++used_ * 2 > slots_.size()) {
            grow();
            return begin(find(slots_, v.site, v.name, parent), v, parent);
        }
        return begin(found, v, parent);
    }
    std::vector<group> take() {
        std::vector<group> groups;
        groups.reserve(used_);
        for (const slot& s : slots_) {
            if (s.used) groups.push_back(s.tasks);
        }
        return groups;
    }

private:
    struct slot {
        group tasks;
        bool used = false;
    };

    static std::uint64_t mixed(std::uint64_t h, const char* text, std::uint32_t number) noexcept {
        h = (h ^ (reinterpret_cast<std::uintptr_t>(text) + (std::uint64_t{number} << 32))) * 0x9e3779b97f4a7c15u;   // Fibonacci hashing: the high bits are mixed
        return h ^ h >> 32;
    }
    static slot& find(std::vector<slot>& slots, creation_site site, const char* name, creation_site parent) noexcept {
        const std::size_t mask = slots.size() - 1;
        const std::uint64_t hash = mixed(mixed(mixed(0, site.file, site.line), name, 0), parent.file, parent.line);
        for (std::size_t i = static_cast<std::size_t>(hash) & mask;; i = (i + 1) & mask) {
            slot& s = slots[i];
            if (!s.used || (is_same(s.tasks.site, site) && s.tasks.name == name && is_same(s.tasks.parent, parent))) return s;
        }
    }
    static bool is_same(creation_site a, creation_site b) noexcept { return a.file == b.file && a.line == b.line; }
    static group& begin(slot& s, const frame_view& v, creation_site parent) noexcept {
        s.used = true;
        s.tasks.name = v.name;
        s.tasks.site = v.site;
        s.tasks.parent = parent;
        return s.tasks;
    }
    void grow() {
        std::vector<slot> larger(slots_.size() * 2);
        for (const slot& s : slots_) {
            if (s.used) find(larger, s.tasks.site, s.tasks.name, s.tasks.parent) = s;
        }
        slots_.swap(larger);
    }

    std::vector<slot> slots_;   // a power of two
    std::size_t used_ = 0;
};

struct census {
    const pool_anchor* owner;
    std::uint64_t now_ms;
    site_table sites;
};

// A frame that waits where no memory was left to queue it has a link, or 0, in place of its stamp: its age is not known.
std::chrono::milliseconds age_at(std::uint64_t now_ms, std::uint64_t stamp) noexcept {
    return std::chrono::milliseconds(stamp != 0 && stamp < now_ms ? now_ms - stamp : 0);
}

// Of the task that made the frame's group. A task that is over may have a group's number that is a later one's by now.
creation_site parent_of(const frame& f, const frame_view& v) noexcept {
    constexpr creation_site unknown{nullptr, 0};
    if (phase_of(v.progress) == phase::held) return unknown;
    const std::uint32_t number = group_of(f);
    if (number == 0) return unknown;
    const creation_site parent = group_at(number).parent_site();
    const std::uint64_t now = f.progress.load(relaxed);   // order: after the acquiring loads above
    const bool is_still_a_member = now >> 32 == v.progress >> 32 && phase_of(now) != phase::held && phase_of(now) != phase::free;
    return is_still_a_member ? parent : unknown;
}

void count_frame(frame& f, void* argument) {
    auto& all = *static_cast<census*>(argument);
    frame_view v{};
    if (!look(f, v) || v.owner != all.owner) return;
    if (phase_of(v.progress) == phase::held && !is_kept(f)) return;
    if (pending_of(v.progress) != 0 && LASTLY_FAULT("G3-profile")) return;
    group& g = all.sites.of(v, parent_of(f, v));
    switch (phase_of(v.progress)) {
        case phase::queued: ++g.queued; break;
        case phase::running: ++g.running; break;
        case phase::finalizing: ++g.finalizing; break;
        case phase::held: ++g.held; break;
        case phase::free:
        case phase::building: break;   // look() passes these over
    }
    g.finalizers_pending += pending_of(v.progress);
    const auto age = age_at(all.now_ms, v.stamp);
    if (age > g.oldest_age) g.oldest_age = age;
}

int compare(const char* a, const char* b) noexcept { return a == b ? 0 : std::strcmp(a != nullptr ? a : "", b != nullptr ? b : ""); }

int compare(creation_site a, creation_site b) noexcept {
    const int files = compare(a.file, b.file);
    return files != 0 ? files : (a.line > b.line) - (a.line < b.line);
}

// The order of the texts; 0: one group.
int compare(const group& a, const group& b) noexcept {
    if (const int sites = compare(a.site, b.site)) return sites;
    if (const int names = compare(a.name, b.name)) return names;
    return compare(a.parent, b.parent);
}

void add(task_profile::counts& sum, const task_profile::counts& more) noexcept {
    sum.count += more.count;
    sum.queued += more.queued;
    sum.running += more.running;
    sum.finalizing += more.finalizing;
    sum.held += more.held;
    sum.finalizers_pending += more.finalizers_pending;
}

bool is_shown_before(const group& a, const group& b) noexcept {
    if (a.count + a.held != b.count + b.held) return a.count + a.held > b.count + b.held;
    if (a.oldest_age != b.oldest_age) return a.oldest_age > b.oldest_age;
    return compare(a, b) < 0;
}

}   // namespace

void arrange(task_profile& p) noexcept {
    std::sort(p.groups.begin(), p.groups.end(), [](const group& a, const group& b) { return compare(a, b) < 0; });
    std::size_t kept = 0;
    p.total = {};
    for (std::size_t i = 0; i < p.groups.size(); ++i) {
        const group next = p.groups[i];
        add(p.total, next);
        if (kept != 0 && compare(p.groups[kept - 1], next) == 0) {
            group& same = p.groups[kept - 1];
            add(same, next);
            same.oldest_age = std::max(same.oldest_age, next.oldest_age);
        } else {
            p.groups[kept++] = next;
        }
    }
    p.groups.resize(kept);
    std::sort(p.groups.begin(), p.groups.end(), &is_shown_before);
}

task_profile take_profile(pool_core& pool) {
    census all{pool.anchor, coarse_now_ms(), {}};
    walk_frames(&count_frame, &all);
    task_profile p;
    p.pool = pool.options.name;
    p.groups = all.sites.take();
    for (group& g : p.groups) g.count = g.queued + g.running + g.finalizing;
    arrange(p);
    return p;
}

}   // namespace lastly::detail
