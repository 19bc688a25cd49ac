// See test_point.hpp. Without test points nothing of this is there.
#include "core/base/test_point.hpp"

#ifdef LASTLY_FAULTS
#include "core/base/thread.hpp"
#include "lastly/detail/atomic.hpp"
#include "lastly/detail/thread_block.hpp"

#include <ctime>
#include <utility>

namespace lastly::detail {

namespace {

atomic<std::uint64_t> chaos_seed{0};
atomic<std::uint64_t> threads_seen{0};
atomic<std::uint64_t> times{0};

constexpr std::uint64_t mix(std::uint64_t z) noexcept {   // splitmix64's finish
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void hold_up(std::uint64_t drawn) noexcept {
    times.fetch_add(1, relaxed);   // order: a count, publishes nothing
    const std::uint64_t kind = drawn & 15, length = drawn >> 32;
    if (kind < 8) {
        yield_thread();
    } else if (kind < 15) {
        for (std::uint64_t i = length % 400; i > 0; --i) pause_cpu();
    } else {
        const std::timespec moment{0, static_cast<long>(length % 50'000)};
        ::nanosleep(&moment, nullptr);
    }
}

}   // namespace

void set_chaos(std::uint64_t seed) noexcept {
    times.store(0, relaxed);           // order: a count, publishes nothing
    threads_seen.store(0, relaxed);    // order: a count, publishes nothing
    chaos_seed.store(seed, relaxed);   // order: set before the pools that it is for are made
}

std::uint64_t held_up() noexcept { return times.load(relaxed); }   // order: a count, publishes nothing

void at_test_point(std::uint64_t id) noexcept {
    const std::uint64_t seed = chaos_seed.load(relaxed);   // order: set before the pools that it is for are made
    if (seed == 0) return;
    std::uint64_t& passed = this_thread.points;
    if (std::exchange(this_thread.points_seed, seed) != seed) passed = (threads_seen.fetch_add(1, relaxed) + 1) << 40;   // order: a number of its own, no more
    const bool is_hot = mix(seed ^ id) % 4 == 0;           // every fourth place, others with another seed
    const std::uint64_t drawn = mix(mix(seed + id) + ++passed);
    if ((drawn >> 8) % (is_hot ? 8 : 256) == 0) hold_up(drawn >> 16);
}

}   // namespace lastly::detail
#else
namespace lastly::detail {

void set_chaos(std::uint64_t) noexcept {}
std::uint64_t held_up() noexcept { return 0; }
void at_test_point(std::uint64_t) noexcept {}

}   // namespace lastly::detail
#endif
