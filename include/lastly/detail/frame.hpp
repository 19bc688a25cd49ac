// A task's frame as compiled code sees it: the header, the ops table, and the record of a run.
//
//   byte 0   ops        what the task's type knows how to do
//        8   progress   generation | deferred finalizers pending | attached ones pending | phase: written by the holder only
//       16   state      the handle's protocol (core/task/state.hpp), untouched in a detached task; above it the group's number
//       20   line       creation site
//       24   file
//       32   stamp      submission time in ms, or the link while the frame stands in the overflow list; of a task made ahead, before that: which
//                       process made it
//       40   owner      the anchor of the pool that accepted it; null before
//       48   the name, if it has one; the attached context, likewise; with a handle: stop slot, 16 bytes, and result; then body,
//            finalizers, spare room
//
// Who may touch what: the holder of the frame (a caller's hand, a worker's hand) writes the header; a handle touches
// `state`, and the stop slot after it won the right to; a walker reads header fields at any time.
// Invariants: 1. A header word is always accessed atomically, from the slab's first use to its end. 2. Fields change only while
// `progress` says building or free, but for `state`, `stamp` in the list for want of memory, and `owner` at the pool's end; the phase is
// stored last: a walker that reads the same generation before and after saw one task.
#pragma once

#include <lastly/context.hpp>
#include <lastly/detail/atomic.hpp>
#include <lastly/detail/export.hpp>
#include <lastly/detail/size_classes.hpp>
#include <lastly/outcome.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <system_error>

namespace lastly::detail {

// Within catch (...): is this a thread that leaves, by pthread_exit or cancellation (P4)? Its unwinding must go on: rethrow it.
// No C++ exception is at hand then; a handler for abi::__forced_unwind& would bind a reference to nothing. An exception of
// another language looks the same, and goes on, too.
inline bool is_forced_unwind() noexcept { return std::current_exception() == nullptr; }

// Until `restore`, or its end, nothing seems to be caught on this thread: forced unwinding can be noticed only by a catch within no other (P4).
class LASTLY_EXPORT nothing_caught {
public:
    nothing_caught() noexcept;
    ~nothing_caught() {
        if (is_ours_) restore();   // the thread is left: the catch that lies beneath ends. Not a catch of forced unwinding: the new one goes on in its place
    }
    void restore() noexcept;
    nothing_caught(const nothing_caught&) = delete;
    nothing_caught& operator=(const nothing_caught&) = delete;

private:
    void* const caught_;
    bool is_ours_;   // a C++ exception, that is still hidden
};

// Within catch (...): what has to be done before it goes on, in which the thread may be left (once more).
template <class Rest>
void do_in_passing(Rest&& rest) {
    nothing_caught here;
    rest();
    here.restore();
}

// Calls `act`. If that leaves the thread, `rest` is called before the unwinding goes on.
template <class Act, class Rest>
[[gnu::always_inline]] inline void with_rest(Act&& act, Rest&& rest) {
    try {
        act();
    } catch (...) {
        do_in_passing(rest);
        throw;
    }
}

struct frame;
struct run_record;
struct account;
struct chain_node;
struct inner_chain;
struct branch;
struct branch_scope;
class branch_deque;
class context_node;
class group_core;
class pool_anchor;
class pool_core;

enum class phase : std::uint8_t { free, building, queued, running, finalizing, held };

// progress: bits 0-7 phase, 8-15 attached pending, 16-31 deferred pending (saturating), 32-63 generation
constexpr std::uint64_t make_progress(std::uint64_t generation, std::uint64_t deferred, std::uint64_t attached, phase p) noexcept {
    return generation << 32 | (deferred < 0xffff ? deferred : 0xffff) << 16 | attached << 8 | static_cast<std::uint64_t>(p);
}
constexpr phase phase_of(std::uint64_t progress) noexcept { return static_cast<phase>(progress & 0xff); }
constexpr unsigned pending_of(std::uint64_t progress) noexcept {
    return static_cast<unsigned>((progress >> 8 & 0xff) + (progress >> 16 & 0xffff));
}

// What a task's type knows: constant-initialised, one a type.
struct frame_ops {
    void (*execute)(frame&, run_record&);   // body if the record says start; then the chain; then destruction
    void (*finish)(frame&, run_record&);    // the body, or a finalizer, was left for good: what remains of the chain
    void (*destroy_result)(frame&);         // with a handle only: what the handle did not take
    outcome* (*outcome_in)(frame&);         // with a handle only: where the outcome lies
    block_size size;                        // what a block holds beyond the frame is spare room for deferred finalizers
    std::uint8_t attached;                  // attached finalizers
    bool named;
    bool has_handle_part;
    bool has_context;
    bool is_plain = !has_handle_part && !has_context;
};

struct frame {
    atomic<const frame_ops*> ops;
    atomic<std::uint64_t> progress;
    atomic<std::uint32_t> state;
    atomic<std::uint32_t> line;
    atomic<const char*> file;
    atomic<std::uint64_t> stamp;
    atomic<pool_anchor*> owner;

    std::byte* at(std::size_t offset) noexcept { return reinterpret_cast<std::byte*>(this) + offset; }
    // The holder's own view: nobody else writes these while it holds the frame.
    const frame_ops& type() const noexcept { return *ops.load(relaxed); }   // order: the holder got the frame through a synchronising hand-over
    creation_site site() const noexcept { return {file.load(relaxed), line.load(relaxed)}; }   // order: the holder got the frame through a synchronising hand-over
    std::uint64_t generation() const noexcept { return progress.load(relaxed) >> 32; }   // order: only the holder writes it
    void show(phase p, std::uint64_t deferred, std::uint64_t attached) noexcept {
        progress.store(make_progress(generation(), deferred, attached, p), release);   // order: [F1] a walker that sees the phase sees the fields stored before it
    }
    // With as much pending as before.
    void show_phase(phase p) noexcept {
        progress.store((progress.load(relaxed) & ~std::uint64_t{0xff}) | static_cast<std::uint64_t>(p), release);   // order: [F1] as above; the load is the holder's own
    }
    // In the same phase.
    void show_attached(std::uint64_t attached) noexcept {
        progress.store((progress.load(relaxed) & ~std::uint64_t{0xff00}) | attached << 8, release);   // order: [F1] as above; the load is the holder's own
    }
};
static_assert(sizeof(frame) == 48, "a 16-byte capture fits a cache line");

// Behind the header of a named task: a walker may read it at any time, like the header.
using name_slot = atomic<const char*>;
constexpr std::size_t end_of_name(bool named) noexcept { return sizeof(frame) + (named ? sizeof(name_slot) : 0); }
// Behind that, for a task that observes a context: that one. It goes with the frame, so that a handle may look at it.
constexpr std::size_t end_of_context(bool named, bool has_context) noexcept {
    return end_of_name(named) + (has_context ? sizeof(context) : 0);
}
inline context& context_in(frame& f) noexcept { return *reinterpret_cast<context*>(f.at(end_of_name(f.type().named))); }
// Behind that, for a task with a handle: the cause of a stop, valid once the state says stop_set; or the task's own context,
// valid once it says node_set.
struct stop_slot {
    union {
        const std::error_category* category;
        context_node* node;
    };
    std::int32_t value;
};
static_assert(sizeof(stop_slot) == 16);

// A thread is busy with a pool, for as long as this lies on its stack, and no account of it tells so.
struct stay {
    pool_anchor* pool;
    stay* outer;
    bool is_visit;     // in the sink of that pool, not in a call of it
    bool frees_pool;   // its thread was the last one inside: the pool goes when this ends

    void begin(pool_anchor& a, bool visits) noexcept;
    void end() noexcept;
    // This thread's outermost one with that pool; null: none.
    static stay* of(const pool_anchor& a) noexcept;
};

// An error code that costs nothing to make as long as it is empty.
class late_code {
public:
    late_code& operator=(std::error_code code) noexcept {
        category_ = &code.category();
        value_ = code.value();
        return *this;
    }
    operator std::error_code() const noexcept { return category_ != nullptr ? std::error_code(value_, *category_) : std::error_code(); }

private:
    const std::error_category* category_ = nullptr;
    int value_ = 0;
};

// A chain of deferred finalizers: a task's, or that of a branch of it.
struct chain_state {
    chain_node* deferred = nullptr;      // to run, last registered first
    chain_node* spent = nullptr;         // ran; destroyed with the body
    std::byte* spare = nullptr;          // room for nodes: the frame's, then the record's own; a branch's: its scope's
    std::byte* spare_end = nullptr;
    outcome* result = nullptr;           // what the finalizers are told
    std::size_t deferred_pending = 0;
    chain_state* outer = nullptr;        // of a branch's: the chain that waits until this one is over
    bool has_errors = false;             // of a branch's: it did not succeed, or one of its errors, here or in branch_chain, was set
    std::exception_ptr reported{};       // a failure that came from a finalizer: the sink knows it
    std::exception_ptr early{};          // likewise, from one that ran at its defer (A3): fails the task if what is running now succeeds
};

// How far a run is, and what became of it: plain values, which a record that is used again takes anew.
struct alignas(16) run_marks {   // one store
    outcome_kind ended = outcome_kind::succeeded;   // what became of it in the end
    std::uint8_t attached_pending = 0;   // the cursor: lowered before each attached finalizer's call
    bool start = true;
    bool rejected = false;
    bool late = false;                   // refused by a gate that was closed before: counted apart
    bool finalizing = false;
    bool body_is_over = false;           // or never began: the task's own chain runs
    bool is_dropped = false;             // by its pool's end: nobody need be told of that
    bool is_settled = false;             // its error has found somebody
    bool is_destroyed = false;           // body and finalizers
    bool is_counted = false;             // in the ledger
    bool is_unheld = false;              // nobody has its handle: result and report are this thread's to end
    bool abandoned = false;              // its body, or a finalizer, never goes on (P2): nothing of it is destroyed
    bool uses_room = false;
    bool is_touched = false;             // more than attached finalizers that return: there may be deferred ones, or errors, in the record
    bool is_worn = false;                // more of its record than these marks may be left changed: it is not used again
};

static_assert(sizeof(run_marks) == 16);

// A run of one task, or of a stolen branch of it: lives on the stack of the thread that runs it, which may use it again for a later one. Touched
// by that thread only, but for what a task's branches share (core/task/branch.hpp).
struct run_record : run_marks {
    frame* task = nullptr;               // null: the frame could not be allocated
    frame* shown = nullptr;              // the header in which walkers and the watchdog see how far this run is; null: none
    run_record* outer = nullptr;         // the run that this one interrupts on the same thread
    pool_anchor* pool = nullptr;         // null: a discarded task
    account* books = nullptr;            // where it is counted; null: nowhere (no memory, a stolen branch, a refused or discarded frame)
    stay bare;                           // a refusal's, where there are no books
    group_core* group = nullptr;         // null: a member of none
    context own{};                       // the task's own, once somebody asked for it (`shared_word` says so)
    run_record* root = nullptr;          // of a stolen branch: the record of the task's body
    run_record* forked_from = nullptr;   // likewise: the one on whose thread it was forked
    branch* part = nullptr;              // likewise: that branch
    branch_scope* scope = nullptr;       // where this run forks, innermost first
    branch_deque* forks = nullptr;       // where its branches can be stolen; null: its thread is no worker of the pool
    chain_state* chain = &body_chain;    // where finalizers are deferred to: a branch's, while it has one
    chain_state body_chain;              // the task's, or the stolen branch's
    inner_chain* inner = nullptr;        // the open defer_frames, innermost first (O6)
    const char* name = nullptr;          // set with `site` where there is no frame
    creation_site site{nullptr, 0};
    late_code cause{};                   // why the body does not start; later the first stop that it was told of (`shared_word` says so)
    std::exception_ptr told_before{};    // an error that a branch's finalizer threw and a fork rethrew, the last one: the sink knows it
    std::size_t inner_pending = 0;       // of all open defer_frames together
    std::size_t long_at = ~std::size_t{0};   // a longer chain is reported, once
    std::uint64_t attached = 0;          // the ledger's finalizer columns, each counted at its event
    std::uint64_t run = 0;
    std::uint64_t returned = 0;
    std::uint64_t thrown = 0;
    atomic<std::uint32_t> shared_word{0};   // which of `cause` and `own` are there: branches on other threads write and read them, too
    static constexpr std::size_t room_bytes = 160;   // some deferred finalizers
    alignas(std::max_align_t) std::byte room[room_bytes];   // not before it is used

    run_record() noexcept {}   // not `= default`: value-initialising it would clear the room
};

// The frame's header shows how far the task is, and what is pending in its chain and its blocks.
LASTLY_EXPORT void show_pending(run_record& r) noexcept;
// One more is pending, in the same phase.
inline void show_one_more(run_record& r) noexcept {
    if (r.shown == nullptr) return;
    const std::uint64_t now = r.shown->progress.load(relaxed);   // order: only the holder writes it
    if (static_cast<std::uint32_t>(now) < 0xfffeu << 16) r.shown->progress.store(now + (1u << 16), release);   // order: [F1] a walker that sees the count sees the fields stored before it
    else show_pending(r);
}
// A deferred finalizer is about to be called: one less is pending, in the phase that this is.
inline void show_call(run_record& r) noexcept {
    if (r.shown == nullptr) return;
    const std::uint64_t now = r.shown->progress.load(relaxed);   // order: only the holder writes it
    const std::uint64_t called = (now & ~std::uint64_t{0xff}) - (1u << 16) + static_cast<std::uint64_t>(r.finalizing ? phase::finalizing : phase::running);
    if (static_cast<std::uint32_t>(now) - (1u << 16) < 0xfffeu << 16) r.shown->progress.store(called, release);   // order: [F1] a walker that sees the count sees the fields stored before it
    else show_pending(r);
}

// The run of a chain whose frame could not be built; only such a one is rejected before its body is over.
struct refusal_record : run_record {
    void (*finish_chain)(refusal_record&) = nullptr;   // what remains of it, from the cursor on
};

// A deferred finalizer. The callable and its arguments follow.
struct chain_node {
    chain_node* next;
    void (*call)(chain_node&, const outcome&);   // not noexcept: forced unwinding passes through
    void (*destroy)(chain_node&) noexcept;       // null: nothing to do
    std::size_t block_bytes;                     // of the slab block that this is; 0: it lies in the frame's spare room
};

// Where a node will be made. Null: no memory.
struct node_room {
    void* place;
    std::size_t block_bytes;   // as above
};

// Compiled halves ------------------------------------------------------------------------------------------------------
// The frame store: aligned to a cache line; null when out of memory. Never throws, never locks.
LASTLY_EXPORT frame* allocate_frame(block_size size) noexcept;
LASTLY_EXPORT std::uint64_t first_generation(const frame& f) noexcept;   // for a frame whose memory is fresh
LASTLY_EXPORT void release_frame(frame& f, block_size size) noexcept;

LASTLY_EXPORT run_record* current_run() noexcept;                   // this thread's innermost; null outside a task
LASTLY_EXPORT run_record& run_of_this_thread(run_record* wanted);   // that, or the record of its branch that runs here; else std::logic_error
LASTLY_EXPORT run_record& find_run_to_defer_to(run_record* wanted);   // likewise; a branch that defers for the first time gets its own chain
LASTLY_EXPORT node_room reserve_elsewhere(run_record& r, std::size_t size_bytes, std::size_t alignment) noexcept;   // there is no spare room
LASTLY_EXPORT void warn_of_length(run_record& r, std::size_t length) noexcept;
LASTLY_EXPORT void unreserve_node(node_room room) noexcept;
// A finalizer that does not wait for the chain (A3): counted as attached and run, shielded between begin and end.
LASTLY_EXPORT bool begin_early(run_record& r) noexcept;             // returns what `end` is given
LASTLY_EXPORT void end_early(run_record& r, bool was_finalizing) noexcept;
LASTLY_EXPORT void early_threw(run_record& r, bool fails_the_task) noexcept;   // within the catch
LASTLY_EXPORT void settle_early(run_record& r) noexcept;            // E4, once the body or the finalizer around it is over

LASTLY_EXPORT void run_deferred(run_record& r);                     // until none is left
LASTLY_EXPORT void destroy_spent(run_record& r) noexcept;
LASTLY_EXPORT void body_threw(run_record& r) noexcept;              // within the catch
LASTLY_EXPORT void body_left_thread(run_record& r) noexcept;        // P4: it failed with thread_exited
LASTLY_EXPORT void finalizer_threw(run_record& r) noexcept;         // within the catch
LASTLY_EXPORT bool attached_threw(run_record& r, frame* f);         // likewise, an attached one; true: the thread is left, and the rest ran (P4)
LASTLY_EXPORT void finalizer_left_thread(run_record& r) noexcept;   // P4: counted as thrown, with thread_exited
LASTLY_EXPORT const char* name_of(const run_record& r) noexcept;
LASTLY_EXPORT bool settle(run_record& r) noexcept;                  // an error that nobody can take goes to the sink; false: no code of the user's has run
LASTLY_EXPORT bool stop_requested(run_record& r) noexcept;           // the first cause that the body is told of stays (E2)
LASTLY_EXPORT void throw_if_stopped(run_record& r);
LASTLY_EXPORT const context& context_of(run_record& r);             // made on demand; inside a finalizer one that never stops (C4)

}   // namespace lastly::detail
