// One owner and three thieves around one deque; every item is counted where it comes out.
#pragma once

#include "core/structures/deque.hpp"

#include <atomic>
#include <barrier>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

class steal_stress {
public:
    static constexpr std::size_t thieves = 3;
    static constexpr std::size_t many = 256;   // for a thief that takes several at once

    // `most`: as many as a thief takes at once, where there are many.
    explicit steal_stress(std::size_t items, std::size_t most = 1) : items_(items), most_(most), out_(std::make_unique<std::atomic<std::uint32_t>[]>(items)) {}

    // `owner` pushes items; what it gets back itself it hands to took().
    void round(std::size_t capacity, const std::function<void(lastly::detail::deque&)>& owner) {
        lastly::detail::deque d(capacity);
        std::atomic<bool> over{false};
        std::barrier start(static_cast<std::ptrdiff_t>(thieves) + 1);
        std::vector<std::thread> threads;
        for (std::size_t t = 0; t < thieves; ++t) {
            threads.emplace_back([&, t] {
                start.arrive_and_wait();
                lastly::detail::deque_item got[lastly::detail::deque::most_at_once];
                for (;;) {
                    const bool last_look = over.load(std::memory_order_acquire);
                    if (most_ > 1 && !last_look && d.size() < many) {   // else it would never see many
                        std::this_thread::yield();
                        continue;
                    }
                    bool contended = false;
                    const std::size_t count = d.steal_many(got, most_, static_cast<std::uint32_t>(t + 1), contended);
                    for (std::size_t i = 0; i < count; ++i) took(got[i]);
                    if (count > 1) at_once_.fetch_add(1, std::memory_order_relaxed);
                    if (count == 0 && last_look && !contended) return;
                }
            });
        }
        start.arrive_and_wait();
        owner(d);
        over.store(true, std::memory_order_release);
        for (std::thread& t : threads) t.join();
    }

    static lastly::detail::deque_item item(std::size_t n) {
        return {reinterpret_cast<lastly::detail::frame*>((n + 1) * 64), n + 1};
    }
    void took(const lastly::detail::deque_item& i) {
        if (reinterpret_cast<std::uintptr_t>(i.task) != i.tag * 64 || i.tag == 0 || i.tag > items_) {
            torn_.fetch_add(1, std::memory_order_relaxed);
        } else {
            out_[i.tag - 1].fetch_add(1, std::memory_order_relaxed);
        }
    }
    // How often a thief took several.
    std::uint64_t at_once() const { return at_once_.load(std::memory_order_relaxed); }
    void refused() { torn_.fetch_add(1, std::memory_order_relaxed); }   // a push for which there was no memory
    // How many items did not come out exactly `times` times.
    std::size_t wrong(std::uint32_t times) const {
        std::size_t n = 0;
        for (std::size_t i = 0; i < items_; ++i) n += out_[i].load(std::memory_order_relaxed) == times ? 0u : 1u;
        return n;
    }
    // Items out of two halves, and pushes that were refused.
    std::uint64_t torn() const { return torn_.load(std::memory_order_relaxed); }

private:
    const std::size_t items_, most_;
    std::unique_ptr<std::atomic<std::uint32_t>[]> out_;
    std::atomic<std::uint64_t> torn_{0}, at_once_{0};
};
