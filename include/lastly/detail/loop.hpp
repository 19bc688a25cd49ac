// A parallel_for under way: its chunks, split in halves that thieves may take, and how it ends early.
// Its caller and thieves. Invariants: 1. Each chunk runs at most once; all of them, unless the loop is stopped. 2. The first exception
// is kept by whoever sets `failed`, and read by the caller when all halves are over.
#pragma once

#include <lastly/detail/fault.hpp>
#include <lastly/detail/fork.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

namespace lastly::detail {

template <class To, class From>
constexpr bool keeps_value(From value) noexcept {
    const To kept = static_cast<To>(value);
    return static_cast<From>(kept) == value && (kept < To{}) == (value < From{});
}

template <class Index, class F>
class loop {
    using unsigned_index = std::make_unsigned_t<Index>;

public:
    loop(Index first, Index last, F& f, std::size_t grain, std::size_t workers) noexcept
        : body_(f), first_(static_cast<unsigned_index>(first)),
          count_(static_cast<std::uint64_t>(static_cast<unsigned_index>(static_cast<unsigned_index>(last) - first_))) {
        const std::uint64_t automatic = count_ / (workers * 16);
        grain_ = std::max<std::uint64_t>(1, grain != 0 ? grain : automatic);
    }
    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;

    // Within a task of the pool.
    void run(run_record& r) {
        branch_scope s(r);
        try {
            run_chunks(s, r.forks, 0, (count_ - 1) / grain_ + 1);
        } catch (...) {   // forced unwinding: what a chunk throws is in end_
            if (end_.error != nullptr) tell_branch_error(r, end_.error, end_.how);
            throw;
        }
        if (end_.is_over()) throw_loop_error(end_, s);
    }

private:
    struct half : branch {
        loop& whole;
        const std::uint64_t first, last;
        half(branch_scope& s, loop& l, std::uint64_t f, std::uint64_t e) noexcept : branch(&run, s), whole(l), first(f), last(e) {}
        static void run(branch& b, branch_scope& s) {
            half& h = static_cast<half&>(b);
            h.whole.run_chunks(s, s.run.forks, h.first, h.last);
        }
    };

    // Chunks first to last - 1. Without a deque, or room in it: one after the other.
    void run_chunks(branch_scope& s, branch_deque* d, std::uint64_t first, std::uint64_t last) {
        while (last - first > 1 && d != nullptr && d->has_room(1) && !end_.is_over()) {
            const std::uint64_t middle = first + (last - first) / 2;
            half upper(s, *this, middle, last);
            const std::int64_t at = d->push(upper);
            try {
                run_chunks(s, d, first, middle);
            } catch (...) {   // forced unwinding
                join_in_passing(upper, s, *d, at);
                throw;
            }
            if (!d->pop(at)) return join_stolen(upper, s);
            first = middle;
        }
        for (std::uint64_t i = first; i < last && (!end_.is_over() || LASTLY_FAULT("B3-rest")); ++i) run_chunk(s, i);
    }
    void run_chunk(branch_scope& s, std::uint64_t chunk) {
        if (stop_requested(s.run) && !LASTLY_FAULT("B3")) return stop_loop(end_);
        try {
            s.run_branch([&](auto& here) {
                const std::uint64_t from = chunk * grain_;
                const std::uint64_t to = from + std::min(grain_, count_ - from);
                for (std::uint64_t i = from; i < to; ++i) call(here, i);
            });
        } catch (...) {   // forced unwinding
            keep_chunk_error(end_, s);
            throw;
        }
        if (s.is(branch_scope::failed)) keep_chunk_error(end_, s);
    }
    template <class Context>
    void call([[maybe_unused]] Context& here, std::uint64_t i) {
        const auto at = static_cast<Index>(static_cast<unsigned_index>(first_ + static_cast<unsigned_index>(i)));
        if constexpr (std::is_invocable_v<F&, Index, Context&>) static_cast<void>(std::invoke(body_, at, here));
        else static_cast<void>(std::invoke(body_, at));
    }

    F& body_;
    const unsigned_index first_;
    const std::uint64_t count_;
    std::uint64_t grain_;
    loop_end end_;
};

}   // namespace lastly::detail
