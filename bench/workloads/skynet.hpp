// The workload "skynet": a tree of ten children a node, whose leaves are numbered and return their numbers.
// A tree for fork_tree.hpp; a value, which any thread may read. Invariants: 1. The number of leaves is a power of ten. 2. The sum is
// compared with that of 0 to leaves - 1.
#pragma once

#include "workloads/fork_tree.hpp"

#include <cstddef>
#include <cstdint>

namespace bench {

class skynet {
public:
    static constexpr std::size_t arity = 10;
    static constexpr bool is_full = true;
    static constexpr std::uint64_t inner = 0;
    struct node {
        std::uint64_t first;    // leaf below it
        std::uint64_t leaves;   // below it; 1: it is one
    };
    struct children {
        std::uint64_t first;
        std::uint64_t leaves_each;   // 0: there are none
        std::size_t count() const noexcept { return leaves_each == 0 ? 0 : arity; }
        node at(std::size_t i) const noexcept { return {first + i * leaves_each, leaves_each}; }
    };

    explicit skynet(std::size_t leaves) : leaves_(leaves) {
        if (!is_size(leaves)) fail("skynet has a power of ten leaves");
    }
    static bool is_size(std::size_t leaves) noexcept {
        while (leaves % arity == 0 && leaves != 0) leaves /= arity;
        return leaves == 1;
    }
    node root() const noexcept { return {0, leaves_}; }
    static children children_of(const node& n) noexcept { return {n.first, n.leaves / arity}; }
    static std::uint64_t leaf(const node& n) noexcept { return n.first; }
    void check(std::uint64_t sum) const {
        if (sum != leaves_ * (leaves_ - 1) / 2) fail("a leaf was lost, or was waited for too briefly");
    }

private:
    std::uint64_t leaves_;
};

}   // namespace bench
