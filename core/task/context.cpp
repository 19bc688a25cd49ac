// See context.hpp; the state word's table and the edges Y1 and Y2 in README.md here.
// Cancelling walks the tree breadth first over a list that runs through the nodes: no recursion, no allocation.
#include "core/task/context.hpp"

#include "core/base/clock.hpp"
#include "core/base/futex.hpp"
#include "core/base/test_point.hpp"
#include "core/task/timers.hpp"
#include "lastly/detail/fault.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

namespace lastly::detail {

namespace {

atomic<unsigned> nodes_until_failure{0};

bool node_must_fail() noexcept {
    unsigned left = nodes_until_failure.load(relaxed);   // order: a test's setting, made before the nodes it is for
    while (left != 0) {
        if (nodes_until_failure.compare_exchange_weak(left, left - 1, relaxed, relaxed)) return left == 1;   // order: counts, publishes nothing
    }
    return false;
}

// A token that has stopped: what whoever asks too late is given, so that no callback of others runs on its thread (C6).
std::stop_token stopped_token() {
    union immortal {
        std::stop_source source;
        immortal() : source() { source.request_stop(); }
        ~immortal() {}
    };
    static immortal stopped;
    return stopped.source.get_token();
}

}   // namespace

// There from the start and never destroyed: contexts and the timer thread may outlive static objects.
struct context_roots {
    union immortal_node {
        context_node node;
        constexpr immortal_node() noexcept : node() {}
        ~immortal_node() {}
    };
    union immortal_timers {
        timers value;
        constexpr immortal_timers() noexcept : value(timers::actions{&context_node::hold, &context_node::fire}) {}
        ~immortal_timers() {}
    };
    static constinit immortal_node background;
    static constinit immortal_timers clockwork;
};
constinit context_roots::immortal_node context_roots::background;
constinit context_roots::immortal_timers context_roots::clockwork;

context_node& context_node::background() noexcept { return context_roots::background.node; }
timers& context_node::clockwork() noexcept { return context_roots::clockwork.value; }

void fail_context_nodes(unsigned nth) noexcept { nodes_until_failure.store(nth, relaxed); }   // order: as its reader says, a test's setting

// Making ---------------------------------------------------------------------------------------------------------------------

context_node* context_node::allocate(std::size_t parents, time_point deadline) noexcept {
    if (node_must_fail()) return nullptr;
    void* const memory = ::operator new(context_node_bytes(parents), std::nothrow);
    return memory == nullptr ? nullptr : new (memory) context_node(deadline);
}

// Each reference that a child holds on a parent, and the link that will stand in the parent's list.
void context_node::adopt_parents(std::span<context_node* const> parents) noexcept {
    for (context_node* const parent : parents) {
        parent->retain();
        link& l = *new (links() + parents_++) link;
        l.child = this;
        l.parent = parent;
    }
}

std::error_code context_node::arm() noexcept {
    armed_ = true;   // before the timer may fire
    const std::error_code refused = clockwork().add(*this, deadline_);
    if (refused) armed_ = false;
    return refused;
}

void context_node::join_parents() noexcept {
    for (link* l = links(); l != links() + parents_; ++l) {
        context_node& parent = *l->parent;
        bool late = false;
        {
            const std::lock_guard lock(parent.mutex_);
            late = parent.stopped();
            if (!late) {
                l->next = parent.children_;
                l->back = &parent.children_;
                if (l->next != nullptr) l->next->back = &l->next;
                parent.children_ = l;
            }
        }
        if (late) cancel(parent.cause());
    }
}

context_node* context_node::make(std::span<context_node* const> parents, time_point own_deadline) {
    context_node* distinct[max_parents];
    std::size_t count = 0;
    time_point inherited = time_point::max(), watched = time_point::max();   // by parents; by those whose timers run here
    const context_node* stopped_parent = nullptr;
    for (context_node* const p : parents) {
        if (p == nullptr || p == &background() || std::find(distinct, distinct + count, p) != distinct + count) continue;
        inherited = std::min(inherited, p->deadline_);
        if (stopped_parent == nullptr && p->stopped()) stopped_parent = p;
        if (p->is_inherited()) continue;   // as it was when the process forked
        if (count == max_parents) throw std::invalid_argument("lastly: a context of more than four parents");
        watched = std::min(watched, p->deadline_);
        distinct[count++] = p;
    }
    const time_point deadline = LASTLY_FAULT("C3-deadline") ? own_deadline : std::min(own_deadline, inherited);
    const bool passed = deadline != time_point::max() && deadline <= steady_now();
    if (stopped_parent != nullptr || passed) count = 0;   // it has stopped from the start and needs neither parent nor timer

    context_node* const made = allocate(count, deadline);
    if (made == nullptr) throw std::bad_alloc();
    if (stopped_parent != nullptr || passed) {
        made->claim(stopped_parent != nullptr ? stopped_parent->cause() : make_error_code(errc::deadline_exceeded));
        return made;
    }
    made->adopt_parents({distinct, count});
    if (deadline < watched) {
        if (const std::error_code refused = made->arm()) {
            made->release();
            if (refused == std::errc::not_enough_memory) throw std::bad_alloc();
            throw std::system_error(refused, "lastly: the timer thread cannot be started");
        }
    }
    made->join_parents();
    return made;
}

context_node* context_node::make_stopped(std::error_code cause, time_point deadline) {
    context_node* const made = allocate(0, deadline);
    if (made == nullptr) throw std::bad_alloc();
    made->claim(cause);
    return made;
}

// References -----------------------------------------------------------------------------------------------------------------

void context_node::retain() noexcept {
    if (this != &background()) references_.fetch_add(1, relaxed);   // order: whoever calls has a reference, that publishes all
}

bool context_node::try_retain() noexcept {
    std::uint32_t now = references_.load(relaxed);   // order: the lock that keeps the node linked orders all else
    while (now != 0) {
        if (references_.compare_exchange_weak(now, now + 1, relaxed, relaxed)) return true;   // order: as the load above
    }
    return false;
}

void context_node::release() noexcept {
    if (this == &background()) return;
    if (references_.fetch_sub(1, acq_rel) == 1) free(this);   // order: [Y2] the last one sees what the others did
}

void context_node::leave_parent(link& l) noexcept {
    if (l.parent->is_inherited()) return;   // so is this one
    const std::lock_guard lock(l.parent->mutex_);
    if (l.back == nullptr) return;
    *l.back = l.next;
    if (l.next != nullptr) l.next->back = l.back;
    l.back = nullptr;
}

void context_node::disarm() noexcept {
    if (!std::exchange(armed_, false) || is_inherited()) return;   // the timers have forgotten it
    clockwork().remove(*this);
}

// Frees a node whose last reference is gone, and those above it that nobody else holds: as a list, so that a long chain needs no
// stack.
void context_node::free(context_node* first) noexcept {
    first->next_work_ = nullptr;
    for (context_node* n = first; n != nullptr;) {
        n->disarm();
        context_node* next = n->next_work_;
        for (link* l = n->links(); l != n->links() + n->parents_; ++l) {
            n->leave_parent(*l);
            if (l->parent->references_.fetch_sub(1, acq_rel) != 1) continue;   // order: [Y2] the last one sees what the others did
            l->parent->next_work_ = next;
            next = l->parent;
        }
        n->~context_node();
        ::operator delete(n);
        n = next;
    }
}

// Stopping -------------------------------------------------------------------------------------------------------------------

bool context_node::claim(std::error_code cause) noexcept {
    const bool lost = (state_.fetch_or(stop_claimed, relaxed) & stop_claimed) != 0;   // order: makes one the writer of the cause, publishes nothing
    if (lost && !LASTLY_FAULT("E2-context")) return false;
    cause_value_ = cause.value();
    cause_category_ = &cause.category();
    LASTLY_POINT("stopping");
    const std::uint32_t before = state_.fetch_or(stop_set, detail::release);   // order: [Y1] publishes the cause
    if ((before & sleepers) != 0 && !LASTLY_FAULT("C1-context")) futex_wake_all(state_.address());
    return true;
}

// Another thread has claimed the node and is about to set the stop.
void context_node::await_stop() noexcept { sleep_until(time_point::max()); }

bool context_node::cancel(std::error_code cause) noexcept {
    if (this == &background()) return false;
    if (is_inherited()) return claim(cause ? cause : make_error_code(errc::cancelled));
    if (!claim(cause ? cause : make_error_code(errc::cancelled))) {
        await_stop();
        return false;
    }
    retain();
    spread();
    return true;
}

// First the whole tree below shows the stop, then callbacks run, the higher ones first: none of them meets a part of the tree that
// has not heard, and none holds another part up. The list owns a reference to each node in it.
void context_node::spread() noexcept {
    next_work_ = nullptr;
    context_node* last = this;
    for (context_node* n = this; n != nullptr; n = n->next_work_) {
        n->disarm();
        last = n->stop_children(last);
    }
    for (context_node* n = this; n != nullptr;) {
        context_node* const next = n->next_work_;
        n->run_callbacks();
        n->release();
        n = next;
    }
}

// Appends the children that this call stops behind `last`; returns the new end. The list of children is given up by the handful,
// so that nobody waits long for the lock.
context_node* context_node::stop_children(context_node* last) noexcept {
    constexpr std::size_t handful = 64;
    for (;;) {
        context_node* held[handful];
        std::size_t count = 0;
        bool more = false;
        {
            const std::lock_guard lock(mutex_);
            std::size_t seen = 0;
            for (; children_ != nullptr && seen < handful; ++seen) {
                link& l = *children_;
                children_ = l.next;
                l.back = nullptr;
                if (l.child->try_retain()) held[count++] = l.child;
            }
            more = children_ != nullptr;
            if (more) children_->back = &children_;
        }
        for (std::size_t i = 0; i < count; ++i) {
            context_node& child = *held[i];
            if (LASTLY_FAULT("C3") || !child.claim({cause_value_, *cause_category_})) {
                if (!LASTLY_FAULT("C3")) child.await_stop();
                child.release();
                continue;
            }
            child.next_work_ = nullptr;
            last->next_work_ = &child;
            last = &child;
        }
        if (!more) return last;
    }
}

void context_node::run_callbacks() noexcept {
    // The lock was taken after the stop was set: whoever asks for a token later is given another one, so this one stays as it is.
    if (!source_ || LASTLY_FAULT("C1-callback")) return;
    std::unique_lock lock(mutex_, std::defer_lock);
    if (LASTLY_FAULT("C6")) lock.lock();
    source_->request_stop();
}

std::stop_token context_node::stop_token() {
    if (this == &background()) return {};
    if (stopped()) return stopped_token();
    if (is_inherited()) return {};
    {
        const std::lock_guard lock(mutex_);
        if (source_ && !stopped()) return source_->get_token();
    }
    std::stop_source made;   // without the lock: it allocates
    {
        const std::lock_guard lock(mutex_);
        if (!stopped()) {
            if (!source_) source_.emplace(std::move(made));
            return source_->get_token();
        }
    }
    return stopped_token();
}

bool context_node::sleep_until(time_point moment) noexcept {
    for (;;) {
        std::uint32_t now = state_.load(acquire);   // order: [Y1] sees the cause
        if ((now & stop_set) != 0) return false;
        if (moment != time_point::max() && steady_now() >= moment) return true;
        if ((now & sleepers) == 0) {
            now = state_.fetch_or(sleepers, acquire) | sleepers;   // order: [Y1] sees the cause, if it has just stopped
            if ((now & stop_set) != 0) return false;
        }
        if (moment == time_point::max()) futex_wait(state_, now);
        else futex_wait_until(state_, now, moment);
    }
}

// The timers -----------------------------------------------------------------------------------------------------------------

bool context_node::hold(deadline_heap::entry& e) noexcept { return static_cast<context_node&>(e).try_retain(); }

void context_node::fire(deadline_heap::entry& e) noexcept {
    auto& n = static_cast<context_node&>(e);
    n.cancel(make_error_code(errc::deadline_exceeded));
    n.release();
}

std::size_t context_node_bytes(std::size_t parents) noexcept { return sizeof(context_node) + parents * 4 * sizeof(void*); }
void hold_timers() noexcept { context_roots::clockwork.value.hold(); }
void release_timers(bool in_child) noexcept { context_roots::clockwork.value.release(in_child); }
std::size_t deadlines_waiting() noexcept { return context_roots::clockwork.value.size(); }

}   // namespace lastly::detail
