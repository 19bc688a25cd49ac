// See allocation.hpp.
#include "stress/chaos/allocation.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace lastly::stress::chaos {

namespace {

constexpr unsigned counting = 1, failing = 2, failing_on = 4;

std::atomic<unsigned> mode{0};
std::atomic<std::uint64_t> asked{0}, fails_at{0}, failures{0};
std::atomic<std::int64_t> alive{0};
thread_local unsigned exempt = 0;   // how many `plenty` live on this thread

bool must_fail(unsigned now) noexcept {
    if ((now & failing) == 0 || exempt != 0) return false;
    const std::uint64_t number = asked.fetch_add(1, std::memory_order_relaxed) + 1, first = fails_at.load(std::memory_order_relaxed);
    if ((now & failing_on) != 0 ? number < first : number != first) return false;
    failures.fetch_add(1, std::memory_order_relaxed);
    return true;
}

}   // namespace

void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
    const unsigned now = mode.load(std::memory_order_relaxed);
    if (now != 0 && must_fail(now)) return nullptr;
    if (bytes == 0) bytes = 1;
    void* block = nullptr;
    if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) block = std::malloc(bytes);
    else if (bytes <= PTRDIFF_MAX) block = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (block != nullptr && (now & counting) != 0) alive.fetch_add(1, std::memory_order_relaxed);
    return block;
}

void release(void* block) noexcept {
    if (block != nullptr && (mode.load(std::memory_order_relaxed) & counting) != 0) alive.fetch_sub(1, std::memory_order_relaxed);
    std::free(block);
}

void fail_allocations(std::uint64_t nth, bool all_after) noexcept {
    asked.store(0, std::memory_order_relaxed);
    failures.store(0, std::memory_order_relaxed);
    fails_at.store(nth, std::memory_order_relaxed);
    mode.fetch_or(all_after ? failing | failing_on : failing, std::memory_order_relaxed);
}

std::uint64_t stop_failing() noexcept {
    mode.fetch_and(~(failing | failing_on), std::memory_order_relaxed);
    return failures.load(std::memory_order_relaxed);
}

void count_blocks(bool wanted) noexcept {
    if (wanted) mode.fetch_or(counting, std::memory_order_relaxed);
    else mode.fetch_and(~counting, std::memory_order_relaxed);
}

std::int64_t blocks_alive() noexcept { return alive.load(std::memory_order_relaxed); }

plenty::plenty() noexcept { ++exempt; }
plenty::~plenty() { --exempt; }

}   // namespace lastly::stress::chaos
