// Threads that allocate, hand over and free blocks; whoever holds a block writes his number into it.
#pragma once

#include "core/structures/frame_store.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

class block_exchange {
public:
    block_exchange(lastly::detail::block_kind kind, std::vector<std::size_t> sizes) : kind_(kind), sizes_(std::move(sizes)) {}

    // Blocks until every thread has done its rounds and every block is free.
    void run(unsigned threads, unsigned rounds) {
        std::vector<std::thread> crew;
        for (unsigned t = 1; t <= threads; ++t) crew.emplace_back([this, t, rounds] { work(t, rounds); });
        for (std::thread& t : crew) t.join();
        for (auto& slot : slots_) put_down(slot.exchange(nullptr, std::memory_order_acq_rel));
    }
    std::uint64_t collisions() const { return collisions_.load(); }   // blocks that somebody else wrote into meanwhile
    std::uint64_t refused() const { return refused_.load(); }

private:
    // Behind a frame's header: that one stays as the store left it, so that walkers see a free frame.
    struct mark {
        std::uint64_t owner;
        std::uint64_t bytes;
    };
    static mark& mark_of(void* block) { return *reinterpret_cast<mark*>(static_cast<std::byte*>(block) + 48); }

    void put_down(void* block) {
        if (block != nullptr) lastly::detail::release_block({kind_, mark_of(block).bytes}, block);
    }
    void check(void* block, std::uint64_t owner) {
        if (mark_of(block).owner != owner) ++collisions_;
    }
    void work(unsigned number, unsigned rounds) {
        std::minstd_rand random(number);
        std::vector<void*> held;
        for (unsigned round = 0; round < rounds; ++round) {
            const std::size_t bytes = sizes_[random() % sizes_.size()];
            void* const block = lastly::detail::allocate_block({kind_, bytes});
            if (block == nullptr) {
                ++refused_;
                continue;
            }
            mark_of(block) = {number, bytes};
            held.push_back(block);
            const std::size_t at = random() % held.size();
            check(held[at], number);
            if (random() % 2 == 0) {   // to another thread
                void* const got = slots_[random() % slots_.size()].exchange(held[at], std::memory_order_acq_rel);
                held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
                if (got != nullptr) {
                    mark_of(got).owner = number;
                    held.push_back(got);
                }
            }
            while (held.size() > 200 || (round % 500 == 499 && !held.empty())) {
                check(held.back(), number);
                put_down(held.back());
                held.pop_back();
            }
        }
        for (void* const block : held) {
            check(block, number);
            put_down(block);
        }
    }

    const lastly::detail::block_kind kind_;
    const std::vector<std::size_t> sizes_;
    std::array<std::atomic<void*>, 8> slots_{};
    std::atomic<std::uint64_t> collisions_{0}, refused_{0};
};
