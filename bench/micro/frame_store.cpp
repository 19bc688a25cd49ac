// The frame store against general allocators, blocks of 64 and 128 bytes, `store/<pattern>/<bytes>/<store>`.
// pair: allocated and freed at once. live1000: 1,000 allocated, then freed in the same order. crossing: allocated here, freed by
// another thread, handed over through a ring; `floor_ring` is the ring with nothing allocated. Whoever allocates writes a block's
// first word, whoever frees it reads that word and checks it. Counter `block_s`: seconds for a block, allocated and freed.
#include "micro/ring.hpp"
#include "micro/stores.hpp"
#include "workloads/tally.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace {

using bench::fail;

// A block that costs nothing, to see what the ring costs: one of many lines, in turn.
struct no_store {
    static void* allocate(std::size_t bytes) noexcept {
        next_ = (next_ + bytes) % sizeof lines_;
        return lines_ + next_;
    }
    static void release(void*, std::size_t) noexcept {}

private:
    alignas(64) static inline std::byte lines_[std::size_t{1} << 18];
    static inline std::size_t next_ = 0;
};

template <class Store>
std::uint64_t* make(std::size_t bytes, std::uint64_t mark) {
    auto* const block = static_cast<std::uint64_t*>(Store::allocate(bytes));
    if (block == nullptr) fail("no memory");
    *block = mark;
    return block;
}

template <class Store>
void drop(std::uint64_t* block, std::size_t bytes, std::uint64_t mark) {
    if (*block != mark) fail("a block was handed out twice");
    Store::release(block, bytes);
}

void count_blocks(benchmark::State& state, double blocks_a_round) {
    state.counters["block_s"] =
        benchmark::Counter(blocks_a_round, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <class Store>
void pair(benchmark::State& state, std::size_t bytes) {
    for ([[maybe_unused]] auto round : state) {
        std::uint64_t* block = make<Store>(bytes, 1);
        benchmark::DoNotOptimize(block);
        drop<Store>(block, bytes, 1);
    }
    count_blocks(state, 1);
}

template <class Store>
void live1000(benchmark::State& state, std::size_t bytes) {
    std::array<std::uint64_t*, 1000> blocks{};
    for ([[maybe_unused]] auto round : state) {
        for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = make<Store>(bytes, i);
        benchmark::ClobberMemory();
        for (std::size_t i = 0; i < blocks.size(); ++i) drop<Store>(blocks[i], bytes, i);
    }
    count_blocks(state, static_cast<double>(blocks.size()));
}

template <class Store>
void crossing(benchmark::State& state, std::size_t bytes) {
    constexpr std::uint64_t blocks_a_round = 200'000;
    bench::ring<std::uint64_t*> ring;
    std::atomic<std::uint64_t> freed{0};
    std::thread other([&] {
        std::uint64_t count = 0;
        for (;;) {
            std::uint64_t* const block = ring.pop();
            if (block == nullptr) return;
            drop<Store>(block, bytes, count % blocks_a_round);
            if (++count % blocks_a_round == 0) freed.store(count);
        }
    });
    std::uint64_t made = 0;
    for ([[maybe_unused]] auto round : state) {
        const auto begin = std::chrono::steady_clock::now();
        for (std::uint64_t i = 0; i < blocks_a_round; ++i) ring.push(make<Store>(bytes, i));
        made += blocks_a_round;
        bench::spin_until([&] { return freed.load() == made; });
        state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    ring.push(nullptr);
    other.join();
    count_blocks(state, static_cast<double>(blocks_a_round));
}

template <class Store>
void add_crossing(const char* store, std::size_t bytes) {
    benchmark::RegisterBenchmark(("store/crossing/" + std::to_string(bytes) + "/" + store).c_str(),
                                 [bytes](benchmark::State& state) { crossing<Store>(state, bytes); })
        ->UseManualTime();
}

template <class Store>
void add(const char* store) {
    for (const std::size_t bytes : {std::size_t{64}, std::size_t{128}}) {
        const std::string end = std::to_string(bytes) + "/" + store;
        benchmark::RegisterBenchmark(("store/pair/" + end).c_str(), [bytes](benchmark::State& state) { pair<Store>(state, bytes); });
        benchmark::RegisterBenchmark(("store/live1000/" + end).c_str(), [bytes](benchmark::State& state) { live1000<Store>(state, bytes); });
        add_crossing<Store>(store, bytes);
    }
}

}   // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    add<bench::lastly_store>("lastly");
    add<bench::malloc_store>("malloc");
#ifdef LASTLY_BENCH_MIMALLOC
    if (bench::mimalloc_store::open()) add<bench::mimalloc_store>("mimalloc");
    else std::fprintf(stderr, "%s: left out, cannot be opened: %s\n", argv[0], LASTLY_BENCH_MIMALLOC);
#endif
#ifdef LASTLY_BENCH_TBBMALLOC
    add<bench::tbb_store>("tbbmalloc");
#endif
    for (const std::size_t bytes : {std::size_t{64}, std::size_t{128}}) add_crossing<no_store>("floor_ring", bytes);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
